/* SPDX-License-Identifier: MIT */
/*
 * claims -- the digests an upload says it has.
 *
 * Repr-Digest, Content-Digest and X-SHA256 may all be there; each one must hold. Since
 * a Content-Encoding is refused, all three speak of the same bytes. A chunked upload
 * may announce one of them in Trailer and send it after the body. Threads: values.
 * Source:  RFC 9530.
 */
#ifndef RECEIVER_CLAIMS_H
#define RECEIVER_CLAIMS_H

#include "common/sha256.h"
#include "receiver/request.h"

struct claim {
    const char *header; /* static */
    struct sha256_digest digest;
};

enum { CLAIMS_MAX = 6 }; /* three headers, three trailers */

struct claims { /* zero-initialise */
    struct claim claim[CLAIMS_MAX];
    size_t count;
};

/* Reads the head. False when request->reply says what is wrong: a claim that cannot be,
 * an algorithm we do not have, or none at all though one is required. */
bool claims_read(struct claims *claims, struct request *request,
                 bool required) MUST_CHECK;

/* At the end: reads the trailers, too, and compares. */
bool claims_verify(struct claims *claims, struct request *request,
                   const struct sha256_digest *computed, bool required) MUST_CHECK;

/* Whether any claim differs from this digest. */
bool claims_contradict(const struct claims *claims, const struct sha256_digest *digest);

#endif
