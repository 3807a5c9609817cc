/* SPDX-License-Identifier: MIT */
/*
 * endpoint -- where a store listens.
 *
 * What is signed must be what is sent, byte for byte, so both come from here: the host
 * in lower case, with its port unless that is the scheme's own; the path encoded and
 * without a trailing slash.
 *
 * Threads: pure functions.
 */
#ifndef COMMON_OBJECT_ENDPOINT_H
#define COMMON_OBJECT_ENDPOINT_H

#include "common/status.h"

#include <stdbool.h>

enum { ENDPOINT_HOST_SIZE = 300, ENDPOINT_PATH_SIZE = 200 };

struct endpoint {
    bool tls;
    char host[ENDPOINT_HOST_SIZE]; /* "s3.example.org", "127.0.0.1:8080", "[::1]:1" */
    char path[ENDPOINT_PATH_SIZE]; /* "" or "/base" */
};

/* http://HOST[:PORT][/PATH] or https://...; no user, query or fragment. */
enum status endpoint_parse(struct endpoint *out, const char *url,
                           struct error *err) MUST_CHECK;

const char *endpoint_scheme(const struct endpoint *endpoint); /* "http", "https" */

#endif
