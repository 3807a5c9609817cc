/* SPDX-License-Identifier: MIT */
/*
 * sigv4 -- signs requests the way S3 wants them signed.
 *
 * Sign exactly what is sent: path and query already encoded (endpoint.h), the query as
 * key=value pairs sorted by key. libcurl's own signer (CURLOPT_AWS_SIGV4) of 7.88 gets
 * queries, reserved characters and header names with a common prefix wrong.
 *
 * Owner:   create/destroy; the texts given to sigv4_create must outlive the signer.
 * Threads: one signer belongs to one thread.
 * Source:  "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API
 * Reference.
 */
#ifndef COMMON_OBJECT_SIGV4_H
#define COMMON_OBJECT_SIGV4_H

#include "common/exchange.h"
#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

struct sigv4;

enum {
    SIGV4_TIME_SIZE = 17, /* "20261121T182302Z" */
    SIGV4_HEADERS_MAX = 24,
    SIGV4_AUTHORIZATION_SIZE = 1536,
};

struct sigv4_scope {
    const char *access_key, *secret_key;
    const char *region;  /* "us-east-1" */
    const char *service; /* "s3" */
};

struct sigv4_request {
    const char *method;
    const char *path;                      /* encoded, begins with '/' */
    const char *query;                     /* encoded and sorted, without '?'; "" */
    const struct exchange_header *headers; /* all are signed; names in lower case,
                                              distinct; "host" among them */
    size_t header_count;
    const char *time;         /* as in x-amz-date */
    const char *payload_hash; /* as in x-amz-content-sha256 */
};

enum status sigv4_create(struct sigv4 **out, const struct sigv4_scope *scope,
                         struct error *err) MUST_CHECK;
void sigv4_destroy(struct sigv4 **signer);

/* The value of the Authorization header. */
enum status sigv4_authorize(struct sigv4 *signer, const struct sigv4_request *request,
                            char out[SIGV4_AUTHORIZATION_SIZE],
                            struct error *err) MUST_CHECK;

const char *sigv4_time(char out[SIGV4_TIME_SIZE], uint64_t wall_ms);

#endif
