/* SPDX-License-Identifier: MIT */
/*
 * md5 -- MD5, streamed: for servers that offer nothing better than Content-MD5.
 *
 * Finds accidents, not forgeries.
 * Threads: one object belongs to one thread.
 * Source:  RFC 1321.
 */
#ifndef RECEIVER_FETCH_MD5_H
#define RECEIVER_FETCH_MD5_H

#include <stddef.h>
#include <stdint.h>

enum { MD5_BYTES = 16, MD5_BLOCK = 64 };

struct md5 {
    uint32_t state[4];
    uint64_t length;
    uint8_t block[MD5_BLOCK]; /* length % MD5_BLOCK bytes of it are waiting */
};

void md5_init(struct md5 *md5);
void md5_update(struct md5 *md5, const void *bytes, size_t n);
void md5_finish(struct md5 *md5, uint8_t out[MD5_BYTES]);

#endif
