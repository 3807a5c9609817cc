/* SPDX-License-Identifier: MIT */
#include "receiver/reply.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBLEM_TYPE "https://iana.org/assignments/http-problem-types#"

void reply_init(struct reply *reply)
{
    reply->status = 0;
    reply->headers = 0;
    reply->close = false;
    reply->length = 0;
    reply->text = NULL;
    reply->fd = -1;
    reply->reason = NULL;
}

void reply_release(struct reply *reply)
{
    free(reply->text);
    reply->text = NULL;
    if (reply->fd >= 0)
        close(reply->fd);
    reply->fd = -1;
}

void reply_header(struct reply *reply, const char *name, const char *format, ...)
{
    struct reply_header *header = &reply->header[reply->headers];
    va_list args;

    assert(reply->headers < REPLY_HEADERS_MAX);
    header->name = name;
    va_start(args, format);
    vsnprintf(header->value, sizeof(header->value), format, args);
    va_end(args);
    reply->headers++;
}

/* For people: a shell prompt does not belong behind the last brace. */
static void end_line(struct reply *reply, const struct json *json)
{
    assert(!json->overflow && json->length + 1 < json->size);
    json->text[json->length] = '\n';
    reply->length = json->length + 1;
}

void reply_json(struct reply *reply, int status, const struct json *json)
{
    end_line(reply, json);
    reply->status = status;
    reply_header(reply, "Content-Type", "application/json");
}

static void begin_problem(struct reply *reply, struct json *json, int status,
                          const char *type, const char *title, const char *detail)
{
    reply_release(reply);
    reply_init(reply);
    reply->status = status;
    reply->reason = title;
    json_init(json, reply->body, sizeof(reply->body));
    json_open(json, NULL, '{');
    json_string(json, "type", type);
    json_string(json, "title", title);
    json_number(json, "status", status);
    json_string(json, "detail", detail);
}

static void end_problem(struct reply *reply, struct json *json)
{
    json_close(json, '}');
    end_line(reply, json);
    reply_header(reply, "Content-Type", "application/problem+json");
}

void reply_problem(struct reply *reply, int status, const char *title,
                   const char *detail, ...)
{
    char text[REPLY_BODY_SIZE / 8]; /* each byte may become six when escaped */
    struct json json;
    va_list args;

    va_start(args, detail);
    vsnprintf(text, sizeof(text), detail, args);
    va_end(args);
    begin_problem(reply, &json, status, "about:blank", title, text);
    end_problem(reply, &json);
}

void reply_storage_failure(struct reply *reply, const struct error *error)
{
    int sys = error->sys;

    if (sys == ENOSPC || sys == EDQUOT || sys == EFBIG) {
        reply_problem(reply, 507, "Insufficient storage", "%s", error->text);
    } else if (error->status == ST_AGAIN || error->status == ST_CLOSED ||
               sys == EMFILE || sys == ENFILE || sys == ENOMEM) {
        reply_problem(reply, 503, "Storage busy", "%s", error->text);
        reply_header(reply, "Retry-After", "1");
    } else {
        reply_problem(reply, 500, "Storage failed", "%s", error->text);
    }
}

/* One array with one object of strings: the shape of all three registered problems. */
static void add_member(struct json *json, const char *array,
                       const char *const pair[][2], size_t pairs)
{
    json_open(json, array, '[');
    json_open(json, NULL, '{');
    for (size_t i = 0; i < pairs; i++)
        json_string(json, pair[i][0], pair[i][1]);
    json_close(json, '}');
    json_close(json, ']');
}

void reply_digest_mismatch(struct reply *reply, const char *header, const char *claim)
{
    const char *const member[][2] = {
        {"algorithm", "sha-256"}, {"provided_digest", claim}, {"header", header}};
    struct json json;

    begin_problem(reply, &json, 400, PROBLEM_TYPE "digest-mismatched-values",
                  "Digest mismatch", "the content does not have the digest it claims");
    add_member(&json, "mismatched_digests", member, 3);
    end_problem(reply, &json);
}

void reply_digest_invalid(struct reply *reply, const char *header, const char *reason)
{
    const char *const member[][2] = {
        {"algorithm", "sha-256"}, {"header", header}, {"reason", reason}};
    struct json json;

    begin_problem(reply, &json, 400, PROBLEM_TYPE "digest-invalid-values",
                  "Invalid digest", "the claimed digest cannot be one");
    add_member(&json, "invalid_digests", member, 3);
    end_problem(reply, &json);
}

static void want_digest(struct reply *reply)
{
    reply_header(reply, "Want-Repr-Digest", "sha-256=10");
}

void reply_digest_unsupported(struct reply *reply, const char *header,
                              const char *algorithm)
{
    const char *const member[][2] = {{"algorithm", algorithm}, {"header", header}};
    struct json json;

    begin_problem(reply, &json, 400, PROBLEM_TYPE "digest-unsupported-algorithms",
                  "Unsupported digest algorithm", "only sha-256 is verified here");
    add_member(&json, "unsupported_algorithms", member, 2);
    end_problem(reply, &json);
    want_digest(reply);
}

void reply_digest_missing(struct reply *reply)
{
    reply_problem(reply, 400, "Digest required",
                  "send Repr-Digest: sha-256=:<base64>: or X-SHA256: <64 hex digits>");
    want_digest(reply);
}

const char *reply_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } known[] = {
        {200, "OK"},
        {201, "Created"},
        {206, "Partial Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].status == status)
            return known[i].phrase;
    return "Unknown";
}

size_t reply_serialize(const struct reply *reply, char *out, size_t size)
{
    size_t used;
    int n;

    n = snprintf(out, size,
                 "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
                 reply->status, reply_phrase(reply->status), reply->length);
    used = (size_t)n;
    for (size_t i = 0; i < reply->headers && used < size; i++) {
        n = snprintf(out + used, size - used, "%s: %s\r\n", reply->header[i].name,
                     reply->header[i].value);
        used += (size_t)n;
    }
    if (used + 2 + reply->length > size)
        return 0;
    memcpy(out + used, "\r\n", 2);
    memcpy(out + used + 2, reply->body, reply->length);
    return used + 2 + reply->length;
}
