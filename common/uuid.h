/* SPDX-License-Identifier: MIT */
/*
 * uuid -- ids of blobs.
 *
 * Text is 36 characters, lower case when written, either case when read; braces, urn:
 * and missing dashes are refused, and so are the nil and max UUIDs.
 * Threads: any.
 * Source:  RFC 9562.
 */
#ifndef COMMON_UUID_H
#define COMMON_UUID_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_BYTES = 16, UUID_TEXT_SIZE = 37 };

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

/* Version 7: the Unix time in milliseconds, then 74 random bits. */
struct uuid uuid_generate(uint64_t wall_ms);

bool uuid_parse(const char *text, size_t n, struct uuid *out) MUST_CHECK;
const char *uuid_format(char out[UUID_TEXT_SIZE], const struct uuid *uuid);

unsigned
uuid_version(const struct uuid *uuid); /* 0 when the variant is not RFC 9562's */
uint64_t uuid_unix_ms(const struct uuid *uuid);               /* of a version 7 */
int uuid_compare(const struct uuid *a, const struct uuid *b); /* as memcmp */

#endif
