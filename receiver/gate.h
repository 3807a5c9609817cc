/* SPDX-License-Identifier: MIT */
/*
 * gate -- refuses requests that two parsers could read in two ways.
 *
 * libmicrohttpd 0.9.75 forgives much that lets one request hide in another: two
 * lengths, a length beside chunked, a blank before the colon, folded lines, bare line
 * feeds, NUL bytes. Nothing behind the gate sees such a request, and its connection is
 * closed. But for one: a NUL beside a bare line feed cannot be told from CR LF, since
 * either has become two NUL bytes by then.
 *
 * Threads: pure functions.
 * Source:  RFC 9110 and 9112; https://portswigger.net/web-security/request-smuggling
 */
#ifndef RECEIVER_GATE_H
#define RECEIVER_GATE_H

#include "receiver/request.h"

/* What the parser tells about the head's bytes, to compare with what it made of them.
 */
struct gate_head {
    const char *start; /* of the request line: the method */
    const char *uri; /* of the target; compared by address only, it may be rewritten */
    size_t uri_length;
    size_t size; /* bytes of the head, with its empty line */
};

/* True when the request may pass; fills has_length, length, chunked, expects_continue.
 * False: request->reply says why. */
bool gate_check(struct request *request) MUST_CHECK;

/* The same for the names and values behind a chunked body. The connection of a chunked
 * request is closed in any case: libmicrohttpd takes bare line feeds between chunks, so
 * what follows might be read in two ways. */
bool gate_check_trailers(struct request *request) MUST_CHECK;

/* True when the lines of the head stand one behind the other exactly as HTTP wants
 * them: single blanks in the request line, "name:" value, CR LF, nothing in between.
 * The parser splits the head in place, so addresses tell. */
bool gate_check_layout(struct request *request,
                       const struct gate_head *head) MUST_CHECK;

#endif
