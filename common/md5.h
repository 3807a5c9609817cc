/* SPDX-License-Identifier: MIT */
/*
 * md5 -- MD5, streamed: for servers that know nothing better than Content-MD5.
 *
 * Finds accidents, not forgeries.
 * Errors:  ST_SYSTEM where GnuTLS may not compute MD5 (a system in FIPS mode).
 * Owner:   create/destroy; start may be called again and again on one object.
 * Threads: one object belongs to one thread at a time.
 * Source:  RFC 1321, by GnuTLS.
 */
#ifndef COMMON_MD5_H
#define COMMON_MD5_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

enum { MD5_BYTES = 16, MD5_BASE64_SIZE = 25 };

struct md5;

enum status md5_create(struct md5 **out, struct error *err) MUST_CHECK;
void md5_destroy(struct md5 **md5);

void md5_start(struct md5 *md5); /* create does this, too */
void md5_update(struct md5 *md5, const void *bytes, size_t n);
void md5_finish(struct md5 *md5, uint8_t out[MD5_BYTES]);

const char *md5_to_base64(char out[MD5_BASE64_SIZE], const uint8_t md5[MD5_BYTES]);

#endif
