/* SPDX-License-Identifier: MIT */
/*
 * metadata -- a file's time and permissions as other tools spell them in metadata.
 *
 * mtime  Unix seconds, a point, exactly nine digits: rclone reads it as a number, s3fs
 *        takes what follows the point as nanoseconds, so fewer digits would mislead it.
 * mode   octal with a leading zero, type included: the one spelling both understand.
 *
 * Azure wants RFC 3339 for the time instead, with a fraction: there that is rclone's
 * spelling. A time that no calendar year of an int can hold is spelled as seconds.
 *
 * Threads: pure functions.
 */
#ifndef COMMON_OBJECT_METADATA_H
#define COMMON_OBJECT_METADATA_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { METADATA_TIME_SIZE = 40, METADATA_MODE_SIZE = 16 };

const char *metadata_format_time(char out[METADATA_TIME_SIZE], struct timespec time);
const char *metadata_format_mode(char out[METADATA_MODE_SIZE], uint32_t mode);

/* Also 1 to 9 digits after the point, or none. */
bool metadata_parse_time(const char *text, struct timespec *out) MUST_CHECK;

const char *metadata_format_date(char out[METADATA_TIME_SIZE], struct timespec time);
bool metadata_parse_date(const char *text, struct timespec *out) MUST_CHECK; /* UTC */

/* Also octal without the zero (rclone), and decimal above 07777 (s3fs). */
bool metadata_parse_mode(const char *text, uint32_t *out) MUST_CHECK;

bool metadata_parse_id(const char *text, uint32_t *out) MUST_CHECK; /* of an owner */

#endif
