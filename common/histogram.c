/* SPDX-License-Identifier: MIT */
#include "common/histogram.h"

/* Below 16 every value has a bucket; from there on every power of two has 16. */
enum { STEP_BITS = 4, STEPS = 1 << STEP_BITS };

static unsigned bucket_of(uint64_t value)
{
    unsigned exponent, index;

    if (value < STEPS)
        return (unsigned)value;
    exponent = 63U - (unsigned)__builtin_clzll(value);
    index = (exponent - STEP_BITS + 1) * STEPS +
            (unsigned)(value >> (exponent - STEP_BITS)) % STEPS;
    return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

static uint64_t upper_edge(unsigned index)
{
    unsigned shift;

    if (index < STEPS)
        return index;
    shift = index / STEPS - 1;
    return ((uint64_t)(STEPS + index % STEPS + 1) << shift) - 1;
}

static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    add(&histogram->bucket[bucket_of(value)], 1);
    add(&histogram->count, 1);
    add(&histogram->sum, value);
}

static uint64_t load(const struct histogram *histogram, unsigned index)
{
    return atomic_load_explicit(&histogram->bucket[index], memory_order_relaxed);
}

uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
    uint64_t total = 0, seen = 0, rank, edge = 0;
    double exact;

    /* Not `count`: while recorders run it may disagree with the buckets. */
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += load(histogram, i);
    exact = q * (double)total;
    rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0)
        rank++;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && seen < rank; i++) {
        uint64_t here = load(histogram, i);

        seen += here;
        if (here > 0)
            edge = upper_edge(i);
    }
    return edge;
}

uint64_t histogram_count_below(const struct histogram *histogram, uint64_t bound)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && upper_edge(i) < bound; i++)
        count += load(histogram, i);
    return count;
}
