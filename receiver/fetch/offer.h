/* SPDX-License-Identifier: MIT */
/*
 * offer -- the digest a file is to be verified against, and where it came from.
 *
 * Threads: pure functions.
 * Source:  RFC 9530 (Repr-Digest), RFC 3230 (Digest), RFC 1864 (Content-MD5), the S3
 * API (x-amz-checksum-sha256; a value with "-N" is a digest of digests, no use).
 */
#ifndef RECEIVER_FETCH_OFFER_H
#define RECEIVER_FETCH_OFFER_H

#include "common/md5.h"
#include "receiver/fetch/answer.h"

enum offer_kind { OFFER_NONE, OFFER_MD5, OFFER_SHA256 }; /* better is greater */

struct offer {
    enum offer_kind kind;
    const char *source; /* "Repr-Digest", "--checksum", ...: static */
    struct sha256_digest sha256;
    uint8_t md5[MD5_BYTES];
};

/* The best the headers of an answer offer. whole: the answer's body is the whole file,
 * without which Content-MD5 says nothing about it. */
void offer_from_headers(struct offer *out, bool whole, answer_header *header,
                        void *context);

/* "sha-256=<64 hex>", as people give it to --checksum. */
enum status offer_from_option(struct offer *out, const char *text,
                              struct error *err) MUST_CHECK;

/* A sidecar as sha256sum writes it, "<hex>  <name>" lines, or the hex alone. The line
 * of `name` counts; a single line counts whatever its name. False: nothing usable. */
bool offer_from_sidecar(struct offer *out, const char *text, size_t n,
                        const char *name) MUST_CHECK;

#endif
