/* SPDX-License-Identifier: MIT */
/*
 * histogram -- a distribution in fixed memory.
 *
 * Log-linear buckets: every power of two is cut into 16, so a quantile is within 1/16
 * (6.25 %) of the truth; values from 0 to 2^63.
 * Units:   whatever the caller records, usually microseconds.
 * Threads: histogram_record from any thread (relaxed atomics); quantiles are exact once
 *          the recorders are joined, and close while they run.
 * Source:  the bucket layout of HdrHistogram (Tene).
 */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 16 * 60 };

struct histogram { /* zero-initialise */
    atomic_uint_fast64_t bucket[HISTOGRAM_BUCKETS];
    atomic_uint_fast64_t count, sum;
};

void histogram_record(struct histogram *histogram, uint64_t value);

/* Upper edge of the bucket that holds quantile q in [0, 1]; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double q);

/* How many values are below `bound`: exact when that is a power of two. */
uint64_t histogram_count_below(const struct histogram *histogram, uint64_t bound);

#endif
