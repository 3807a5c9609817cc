/* SPDX-License-Identifier: MIT */
/*
 * sharedkey -- signs requests the way Azure Storage wants them signed.
 *
 * Threads: pure function.
 * Source:  "Authorize with Shared Key", Azure Storage REST API; blob service, version
 *          2015-02-21 and later.
 */
#ifndef COMMON_OBJECT_SHAREDKEY_H
#define COMMON_OBJECT_SHAREDKEY_H

#include "common/exchange.h"
#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SHAREDKEY_HEADERS_MAX = 16,
    SHAREDKEY_TEXT_SIZE = 8 * 1024, /* of what is signed */
    SHAREDKEY_AUTHORIZATION_SIZE = 160,
};

struct sharedkey_param { /* of a query; not encoded */
    const char *name, *value;
};

struct sharedkey_request {
    const char *method;
    const char *account;
    const char *path;                     /* encoded, as sent, with '/' in front */
    const struct sharedkey_param *params; /* sorted by name, names in lower case */
    size_t param_count;
    /* Any; Content-MD5 and those named x-ms-... are signed. */
    const struct exchange_header *headers;
    size_t header_count;
    uint64_t content_length;
};

/* The value of the Authorization header. */
enum status sharedkey_authorize(const uint8_t *key, size_t key_length,
                                const struct sharedkey_request *request,
                                char out[SHAREDKEY_AUTHORIZATION_SIZE],
                                struct error *err) MUST_CHECK;

#endif
