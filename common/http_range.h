/* SPDX-License-Identifier: MIT */
/*
 * http_range -- byte ranges, as asked for and as answered.
 *
 * Units:   bytes; first and last are both inside the range, as in HTTP.
 * Threads: pure functions.
 * Source:  RFC 9110, section 14.
 */
#ifndef COMMON_HTTP_RANGE_H
#define COMMON_HTTP_RANGE_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_range {
    uint64_t first, last; /* first <= last */
};

enum http_range_verdict {
    HTTP_RANGE_ONE,   /* *out is the part of the representation asked for */
    HTTP_RANGE_WHOLE, /* another unit, or several ranges: answer with everything */
    HTTP_RANGE_UNSATISFIABLE, /* begins past the end, or a suffix of nothing: 416 */
    HTTP_RANGE_MALFORMED,     /* bytes=, but not a range */
};

/* A Range header against a representation of `size` bytes. */
enum http_range_verdict http_range_parse(const char *value, size_t n, uint64_t size,
                                         struct http_range *out) MUST_CHECK;

struct http_content_range {
    struct http_range range; /* when satisfied */
    uint64_t total;          /* when total_known */
    bool satisfied;          /* false: "bytes * /N", the answer to a 416 */
    bool total_known;        /* false: "bytes 0-5/ *" */
};

/* A Content-Range header. False when malformed, of another unit, or contradictory. */
bool http_content_range_parse(const char *value, size_t n,
                              struct http_content_range *out) MUST_CHECK;

#endif
