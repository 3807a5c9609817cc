/* SPDX-License-Identifier: MIT */
/*
 * metrics -- what the receiver counts, and how it is told to Prometheus.
 *
 * Counts are relaxed atomics on shared cache lines: a request adds to about ten of
 * them, which costs it less than a microsecond even when all loops do so at once.
 * Owner:   whoever starts the receiver; it must outlive service and server.
 * Threads: any.
 */
#ifndef RECEIVER_METRICS_H
#define RECEIVER_METRICS_H

#include "common/histogram.h"
#include "receiver/reply.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METRICS_REASONS_MAX = 48, METRICS_STATUSES = 600 };

/* How things are at the moment of a scrape. */
struct metrics_gauges {
    bool ready;
    uint64_t free_bytes, inflight_bytes;
    uint64_t connections, requests;
    uint64_t connections_refused, connections_cut; /* so far */
    uint64_t fsync_failures;                       /* so far */
};

typedef void metrics_look(void *context, struct metrics_gauges *out);

struct metrics { /* zero-initialise */
    atomic_uint_fast64_t stored, replayed, abandoned;
    atomic_uint_fast64_t rejected[METRICS_REASONS_MAX];
    atomic_uint_fast64_t bytes_received;
    atomic_uint_fast64_t answered[METRICS_STATUSES];
    struct histogram request_us, commit_us;

    metrics_look *look; /* fills in the server's part; set before the first scrape */
    void *server;
};

static inline void metrics_add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Every answer, once; took_us 0: it was given before the clock ran. */
void metrics_answered(struct metrics *metrics, const struct reply *reply, bool upload,
                      uint64_t took_us);

/* The label that stands for a problem's title; "other" for one that is not known. */
const char *metrics_reason(const char *title);

/* Answers a scrape; `now` holds all but the server's part. */
void metrics_reply(struct metrics *metrics, struct metrics_gauges *now,
                   struct reply *reply);

#endif
