/* SPDX-License-Identifier: MIT */
/*
 * reply -- an answer, before it becomes bytes on a connection.
 *
 * Errors are RFC 9457 problem documents: type, title, status, detail and members.
 * Shape:   the body is text in `body`, a heap text, or part of an open file.
 * Owner:   a reply owns its heap text and its descriptor until reply_release or until
 *          the server takes them.
 * Threads: one at a time.
 */
#ifndef RECEIVER_REPLY_H
#define RECEIVER_REPLY_H

#include "common/digest_field.h"
#include "common/json.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPLY_BODY_SIZE = 1536, REPLY_HEADERS_MAX = 10, REPLY_VALUE_SIZE = 192 };

struct reply_header {
    const char *name; /* static */
    char value[REPLY_VALUE_SIZE];
};

struct reply {
    int status; /* HTTP status code; 0: no reply yet */
    struct reply_header header[REPLY_HEADERS_MAX];
    size_t headers;
    bool close; /* end the connection after it */

    char body[REPLY_BODY_SIZE]; /* what is sent unless one of these is set: */
    size_t length;
    char *text; /* heap, `length` bytes */
    int fd;     /* -1: none; else `length` bytes from offset */
    uint64_t offset, file_length;

    const char *reason; /* for the log: the problem's title, static */
};

void reply_init(struct reply *reply);
void reply_release(struct reply *reply);

void reply_header(struct reply *reply, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* An answer with what json wrote, into reply->body or reply->text; adds a line end, for
 * which there must be room. */
void reply_json(struct reply *reply, int status, const struct json *json);

/* A problem of type about:blank. title: static, short, the same for each of its kind;
 * detail: what is wrong with this request, naming the culprit. */
void reply_problem(struct reply *reply, int status, const char *title,
                   const char *detail, ...) PRINTF_LIKE(4, 5);

/* What the store could not do: 507 when the disk is full, 503 for what passes (no
 * descriptor, no memory, too much at once), 500 for anything else. */
void reply_storage_failure(struct reply *reply, const struct error *error);

/* The registered problems of digest fields. `claim` is the digest that was sent, as a
 * structured field's byte sequence; the computed one is never told (it would be an
 * oracle).
 * Source: draft-ietf-httpapi-digest-fields-problem-types. */
void reply_digest_mismatch(struct reply *reply, const char *header, const char *claim);
void reply_digest_invalid(struct reply *reply, const char *header, const char *reason);
void reply_digest_unsupported(struct reply *reply, const char *header,
                              const char *algorithm);
void reply_digest_missing(struct reply *reply);

/* The reason phrase of a status code we use. */
const char *reply_phrase(int status);

/* The whole answer as bytes for a raw connection: status line, headers, body, with
 * Connection: close. Only for answers whose body is in reply->body. Returns the length,
 * 0 when it does not fit. */
size_t reply_serialize(const struct reply *reply, char *out, size_t size);

#endif
