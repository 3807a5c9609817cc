/* SPDX-License-Identifier: MIT */
/*
 * latch -- a flag that is set once, and that threads can wait for.
 *
 * Used to stop: whoever sleeps, sleeps on the latch.
 * Threads: any thread, any time, between init and release.
 * Units:   milliseconds on the monotonic clock.
 */
#ifndef COMMON_LATCH_H
#define COMMON_LATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct latch {
    atomic_bool is_set;
    pthread_mutex_t lock; /* guards changed */
    pthread_cond_t changed;
};

void latch_init(struct latch *latch);
void latch_release(struct latch *latch);
void latch_set(struct latch *latch);
bool latch_is_set(const struct latch *latch);

/* Sleeps up to ms; true as soon as the latch is set. */
bool latch_wait(struct latch *latch, uint64_t ms);

#endif
