/* SPDX-License-Identifier: MIT */
/*
 * tuner -- how many requests at once pay.
 *
 * Doubles the number while goodput grows with it; when a doubling does not pay, goes
 * back to what did and stays, trying a little more or a little less now and then. When
 * the store asks for less it halves and later climbs one by one.
 *
 * Units:   work is whatever grows with useful progress (upload: bytes delivered, and a
 *          fixed sum for each request); a step is enough of it to learn something from;
 *          time in milliseconds.
 * Threads: one thread.
 * Source:  slow start and AIMD of TCP (Jacobson, 1988), on goodput instead of loss.
 */
#ifndef SENDER_UPLOAD_TUNER_H
#define SENDER_UPLOAD_TUNER_H

#include <stdbool.h>
#include <stdint.h>

enum tuner_phase { TUNER_GROWING, TUNER_SETTLED, TUNER_PROBING, TUNER_COOLING };

struct tuner {
    unsigned jobs, max; /* jobs: to run now */
    enum tuner_phase phase;
    const char *reason; /* why this many, for people */
    uint64_t window_start_ms;
    uint64_t settled_ms; /* when the phase began */
    double window_work;  /* total when the window began */
    uint64_t window_steps, throttled;
    bool idle;          /* at some moment of the window fewer ran than were allowed */
    unsigned base_jobs; /* what a probe or a doubling is compared with */
    double base_rate;   /* its work per millisecond */
    bool probe_up;
};

struct tuner_sample { /* totals since the start of the run; all may shrink but time */
    uint64_t now_ms;
    double work;
    uint64_t steps, throttled;
    bool idle; /* fewer requests run than are allowed: more would change nothing */
};

/* max: at least 1. */
void tuner_init(struct tuner *tuner, unsigned start, unsigned max, uint64_t now_ms);

/* Call some ten times a second. Returns tuner->jobs, from 1 to max. */
unsigned tuner_update(struct tuner *tuner, const struct tuner_sample *sample);

#endif
