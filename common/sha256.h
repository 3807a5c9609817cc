/* SPDX-License-Identifier: MIT */
/*
 * sha256 -- SHA-256, streamed.
 *
 * Two implementations, one chosen when building (-Dsha256=openssl|sodium): libcrypto
 * uses the CPU's SHA instructions, libsodium is portable C and about seven times
 * slower.
 *
 * Errors:  a failure of the library surfaces in sha256_finish, as ST_SYSTEM.
 * Owner:   create/destroy; start may be called again and again on one object.
 * Threads: one object belongs to one thread at a time.
 * Source:  FIPS 180-4.
 */
#ifndef COMMON_SHA256_H
#define COMMON_SHA256_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX_SIZE = 65, SHA256_BASE64_SIZE = 45 };

struct sha256_digest {
    uint8_t bytes[SHA256_BYTES];
};

struct sha256;

extern const char sha256_implementation[]; /* "openssl" or "sodium" */

enum status sha256_create(struct sha256 **out, struct error *err) MUST_CHECK;
void sha256_destroy(struct sha256 **sha);

void sha256_start(struct sha256 *sha); /* create does this, too */
void sha256_update(struct sha256 *sha, const void *bytes, size_t n);
enum status sha256_finish(struct sha256 *sha, struct sha256_digest *out,
                          struct error *err) MUST_CHECK;

/* Digests as text; in digest.c. hex is lower case; both are NUL-terminated. */
const char *sha256_to_hex(char out[SHA256_HEX_SIZE],
                          const struct sha256_digest *digest);
const char *sha256_to_base64(char out[SHA256_BASE64_SIZE],
                             const struct sha256_digest *digest);
/* Exactly 64 hex digits of either case. */
bool sha256_from_hex(const char *text, size_t n, struct sha256_digest *out) MUST_CHECK;
bool sha256_equal(const struct sha256_digest *a, const struct sha256_digest *b);

#endif
