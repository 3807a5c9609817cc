/* SPDX-License-Identifier: MIT */
/*
 * hasher -- digests a file in order while it arrives out of order.
 *
 * One thread follows the frontier of the pieces and reads back, from the page cache,
 * what has just been written: at the end there is no second pass over the file.
 * Owner:   start/stop; stop joins. part and pieces must outlive it.
 * Threads: one.
 */
#ifndef RECEIVER_FETCH_HASHER_H
#define RECEIVER_FETCH_HASHER_H

#include "common/md5.h"
#include "common/sha256.h"
#include "receiver/fetch/part.h"
#include "receiver/fetch/pieces.h"

struct hasher;

struct hasher_config {
    const struct part *part;
    struct pieces *pieces;
    bool want_md5;
    bool write_back; /* have the disk begin with what is hashed */
};

struct hashes {
    struct sha256_digest sha256;
    uint8_t md5[MD5_BYTES]; /* when wanted */
};

enum status hasher_start(struct hasher **out, const struct hasher_config *config,
                         struct error *err) MUST_CHECK;

/* Waits up to ms; true when stop would not have to wait. */
bool hasher_wait(struct hasher *hasher, uint64_t ms);

/* Waits until all is hashed, or the pieces are abandoned: then ST_CLOSED. */
enum status hasher_stop(struct hasher **hasher, struct hashes *out,
                        struct error *err) MUST_CHECK;

#endif
