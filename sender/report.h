/* SPDX-License-Identifier: MIT */
/*
 * report -- what became of every blob, counted and reconciled.
 *
 * Each blob taken on (generated, or recovered from the spool) must end in exactly one
 * of delivered, dead, lost or left. A run is complete when all were delivered.
 * Units:   latency in microseconds, from a blob's first attempt to its acknowledgement.
 * Threads: counters from any thread; the summary once the workers are joined.
 */
#ifndef SENDER_REPORT_H
#define SENDER_REPORT_H

#include "common/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report { /* zero-initialise */
    atomic_uint_fast64_t generated, recovered;
    atomic_uint_fast64_t delivered, dead, left;
    atomic_uint_fast64_t lost;       /* their file vanished from the spool */
    atomic_uint_fast64_t retried;    /* attempts after a blob's first */
    atomic_uint_fast64_t rejected;   /* attempts refused for their digest */
    atomic_uint_fast64_t injected;   /* damaged attempts that the receiver rejected */
    atomic_uint_fast64_t undetected; /* damaged attempts that it stored: its error */
    atomic_uint_fast64_t bytes;      /* delivered */
    struct histogram latency_us;
    uint64_t start_ns, end_ns; /* monotonic; set by main */
};

/* Whether every blob taken on has ended somewhere. */
bool report_reconciles(const struct report *report);

/* Whether every blob taken on was delivered, and no damage went unnoticed. */
bool report_is_complete(const struct report *report);

/* "name: value" lines for people; or one JSON object. Both end with a newline and are
 * cut to fit. Return out. */
const char *report_text(const struct report *report, char *out, size_t size);
const char *report_json(const struct report *report, char *out, size_t size);

#endif
