/* SPDX-License-Identifier: MIT */
/*
 * part_size -- whether a file goes in parts, and how big they are.
 *
 * Units:   bytes.
 * Threads: pure functions.
 */
#ifndef SENDER_UPLOAD_PART_SIZE_H
#define SENDER_UPLOAD_PART_SIZE_H

#include "common/object/object_store.h"

#include <stdbool.h>
#include <stdint.h>

/* Above the threshold, or above what the store takes at once. */
bool part_size_needed(uint64_t size, uint64_t threshold,
                      const struct object_limits *limits);

/* When nobody says: about a thousand parts at most, as long as the store's limit lets
 * them grow. */
uint64_t part_size_choose(uint64_t size, const struct object_limits *limits);

bool part_size_fits(uint64_t size, uint64_t part_bytes,
                    const struct object_limits *limits);

/* How many parts; part_bytes > 0. */
uint64_t part_size_count(uint64_t size, uint64_t part_bytes);

/* No more than that, even where the store takes more: they cost memory. */
unsigned part_size_count_max(const struct object_limits *limits);

#endif
