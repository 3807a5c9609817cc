/* SPDX-License-Identifier: MIT */
/*
 * md5 -- MD5, streamed: for servers that offer nothing better than Content-MD5.
 *
 * Finds accidents, not forgeries.
 * Errors:  ST_SYSTEM where GnuTLS may not compute MD5 (a system in FIPS mode).
 * Owner:   create/destroy.
 * Threads: one object belongs to one thread.
 * Source:  RFC 1321, by GnuTLS.
 */
#ifndef RECEIVER_FETCH_MD5_H
#define RECEIVER_FETCH_MD5_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

enum { MD5_BYTES = 16 };

struct md5;

enum status md5_create(struct md5 **out, struct error *err) MUST_CHECK;
void md5_destroy(struct md5 **md5);

void md5_update(struct md5 *md5, const void *bytes, size_t n);
void md5_finish(struct md5 *md5, uint8_t out[MD5_BYTES]);

#endif
