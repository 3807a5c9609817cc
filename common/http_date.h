/* SPDX-License-Identifier: MIT */
/*
 * http_date -- dates as HTTP writes them: "Sat, 21 Nov 2026 18:23:02 GMT".
 *
 * Of the three forms that RFC 9110 (5.6.7) lets a recipient meet, all are read.
 * Units:   Unix seconds.
 * Threads: pure functions, in the C locale.
 */
#ifndef COMMON_HTTP_DATE_H
#define COMMON_HTTP_DATE_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { HTTP_DATE_SIZE = 32 };

const char *http_date_format(char out[HTTP_DATE_SIZE], int64_t seconds);
bool http_date_parse(const char *text, int64_t *seconds) MUST_CHECK;

#endif
