/* SPDX-License-Identifier: MIT */
/* upload -- requests that upload something, made by hand. */
#ifndef TESTS_UNIT_UPLOAD_H
#define TESTS_UNIT_UPLOAD_H

#include "common/digest_field.h"
#include "receiver/request.h"

#include <check.h>
#include <string.h>

static inline void upload_init(struct request *request)
{
    memset(request, 0, sizeof *request);
    reply_init(&request->reply);
    request->method = "POST";
    request->version = "HTTP/1.1";
}

static inline struct request_header upload_line(const char *name, const char *value)
{
    return (struct request_header){
        .name = name,
        .value = value,
        .name_length = strlen(name),
        .value_length = strlen(value),
    };
}

/* name and value must live as long as the request. */
static inline void upload_header(struct request *request, const char *name,
                                 const char *value)
{
    ck_assert_uint_lt(request->headers, REQUEST_HEADERS_MAX);
    request->header[request->headers++] = upload_line(name, value);
}

static inline void upload_trailer(struct request *request, const char *name,
                                  const char *value)
{
    request->trailer[request->trailers++] = upload_line(name, value);
}

static inline struct sha256_digest upload_digest(const void *bytes, size_t n)
{
    struct sha256 *sha = NULL;
    struct sha256_digest digest;
    struct error err;

    ck_assert_int_eq(sha256_create(&sha, &err), ST_OK);
    sha256_update(sha, bytes, n);
    ck_assert_int_eq(sha256_finish(sha, &digest, &err), ST_OK);
    sha256_destroy(&sha);
    return digest;
}

static inline const char *upload_reply_header(const struct request *request,
                                              const char *name)
{
    for (size_t i = 0; i < request->reply.headers; i++)
        if (strcmp(request->reply.header[i].name, name) == 0)
            return request->reply.header[i].value;
    return NULL;
}

#endif
