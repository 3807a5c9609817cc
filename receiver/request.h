/* SPDX-License-Identifier: MIT */
/*
 * request -- one HTTP request as the application sees it.
 *
 * server.c fills it in from libmicrohttpd, the gate checks it, the service answers it.
 * Owner:   text points into the connection's memory and lives as long as the request;
 *          target is a copy.
 * Threads: one at a time: the connection's event loop, or, while the request waits, the
 *          thread that works for it.
 */
#ifndef RECEIVER_REQUEST_H
#define RECEIVER_REQUEST_H

#include "receiver/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REQUEST_HEADERS_MAX = 64,
    REQUEST_TARGET_SIZE = 1024,
    REQUEST_PEER_SIZE = 64,
    REQUEST_CLIENT_SIZE = 64,
};

struct request_header {
    const char *name, *value; /* NUL-terminated */
    size_t name_length, value_length;
};

/* What TLS found out about the client's certificate. */
struct request_certificate {
    bool sent, verified;
    char name[REQUEST_CLIENT_SIZE]; /* its common name, once verified */
    const char *problem; /* it was sent, but not verified: what is wrong, static */
    char why[160];       /* and in more words */
};

struct request {
    const char *method;
    const char *version;
    char target[REQUEST_TARGET_SIZE];              /* raw: path and query, undecoded */
    const char *peer;                              /* "127.0.0.1:51234", or "unix" */
    const struct request_certificate *certificate; /* NULL: none was asked for */
    char client[REQUEST_CLIENT_SIZE]; /* who it is, once known; "" otherwise */

    struct request_header header[REQUEST_HEADERS_MAX];
    size_t headers;
    struct request_header trailer[4]; /* of a chunked body; complete at its end */
    size_t trailers;
    bool too_many_trailers;

    bool has_length; /* Content-Length was there */
    uint64_t length; /* and its value */
    bool chunked;
    bool expects_continue; /* the client waits for 100 Continue or a final answer */

    struct reply reply;
};

/* The value of the first header of that name; NULL when there is none. */
const char *request_header(const struct request *request, const char *name);

/* All lines of a list-valued field, among the headers or the trailers, joined by ", "
 * as RFC 9110 (5.3) says. False when there is none (out is empty then) or it does not
 * fit. */
bool request_list(const struct request *request, const char *name, bool trailer,
                  char *out, size_t size);

/* Whether the request carries (or announces) a body. */
bool request_has_body(const struct request *request);

#endif
