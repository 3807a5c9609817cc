/* SPDX-License-Identifier: MIT */
#include "sender/upload/part_size.h"

enum { PARTS_MAX = 10000 };

static const uint64_t mebibyte = UINT64_C(1) << 20;
static const uint64_t part_default = UINT64_C(16) << 20;
static const uint64_t parts_usual = 1000; /* more are only overhead */

bool part_size_needed(uint64_t size, uint64_t threshold,
                      const struct object_limits *limits)
{
    return size > threshold || size > limits->single_bytes;
}

uint64_t part_size_count(uint64_t size, uint64_t part_bytes)
{
    return size / part_bytes + (size % part_bytes > 0);
}

unsigned part_size_count_max(const struct object_limits *limits)
{
    return limits->parts < PARTS_MAX ? limits->parts : PARTS_MAX;
}

uint64_t part_size_choose(uint64_t size, const struct object_limits *limits)
{
    uint64_t bytes = part_size_count(size, parts_usual);

    if (bytes < part_default)
        bytes = part_default;
    bytes = part_size_count(bytes, mebibyte) * mebibyte;
    if (bytes < limits->part_min_bytes)
        bytes = limits->part_min_bytes;
    return bytes < limits->part_max_bytes ? bytes : limits->part_max_bytes;
}

bool part_size_fits(uint64_t size, uint64_t part_bytes,
                    const struct object_limits *limits)
{
    return part_bytes >= limits->part_min_bytes &&
           part_bytes <= limits->part_max_bytes &&
           part_size_count(size, part_bytes) <= part_size_count_max(limits);
}
