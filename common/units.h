/* SPDX-License-Identifier: MIT */
/*
 * units -- numbers with units, read and written.
 *
 * Parsers consume the whole string or fail, and leave *out alone when they fail.
 * Sizes: digits and an optional B, K, KB, KiB, M, MiB, G, GiB, T, TiB, case aside;
 *        all are powers of 1024, as in rclone and dd; no fraction, no sign.
 * Durations: digits and ms, s, m or h; a bare 0 is allowed, any other bare number is
 *        not (the unit would be a guess).
 * Threads: pure functions.
 */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool units_parse_count(const char *text, uint64_t *out) MUST_CHECK;
bool units_parse_size(const char *text, uint64_t *bytes) MUST_CHECK;
bool units_parse_duration(const char *text, uint64_t *ms) MUST_CHECK;

enum { UNITS_TEXT_SIZE = 32 };

/* "317.6 KiB", "12 B": for people. Returns out. */
const char *units_format_size(char out[UNITS_TEXT_SIZE], uint64_t bytes);

/* "850ms", "12.3s", "4m05s", "3h02m". Returns out. */
const char *units_format_duration(char out[UNITS_TEXT_SIZE], uint64_t ms);

/* "2026-11-21T18:23:02Z", of Unix time. Returns out. */
const char *units_format_time(char out[UNITS_TEXT_SIZE], int64_t seconds);

#endif
