/* SPDX-License-Identifier: MIT */
/*
 * digest_field -- the digest a peer claims, as HTTP spells it.
 *
 * Repr-Digest and Content-Digest: `sha-256=:<base64>:` among other algorithms.
 * X-SHA256: 64 hex digits, for people with only curl and sha256sum.
 * Threads: pure functions.
 * Source:  RFC 9530.
 */
#ifndef COMMON_DIGEST_FIELD_H
#define COMMON_DIGEST_FIELD_H

#include "common/sha256.h"

enum digest_field_verdict {
    DIGEST_FIELD_OK,
    DIGEST_FIELD_UNSUPPORTED, /* well formed, but no sha-256 in it */
    DIGEST_FIELD_INVALID, /* not a dictionary, or sha-256 is not 32 bytes of base64 */
};

enum { DIGEST_FIELD_ALGORITHM_SIZE = 32, DIGEST_FIELD_TEXT_SIZE = 64 };

struct digest_field {
    struct sha256_digest digest; /* for OK */
    char
        algorithm[DIGEST_FIELD_ALGORITHM_SIZE]; /* for UNSUPPORTED: the first one named,
                                                   cut to fit; "" for an empty field */
    const char *reason;                         /* for INVALID: a clause, static */
    bool malformed; /* for INVALID: it is not even written like such a field */
};

/* value: of Repr-Digest or Content-Digest. */
enum digest_field_verdict digest_field_parse(const char *value, size_t n,
                                             struct digest_field *out) MUST_CHECK;

/* value: of X-SHA256. OK or INVALID. */
enum digest_field_verdict digest_field_parse_hex(const char *value, size_t n,
                                                 struct digest_field *out) MUST_CHECK;

/* "sha-256=:<base64>:". Returns out. */
const char *digest_field_format(char out[DIGEST_FIELD_TEXT_SIZE],
                                const struct sha256_digest *digest);

#endif
