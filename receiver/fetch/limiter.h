/* SPDX-License-Identifier: MIT */
/*
 * limiter -- one rate for all connections of a fetch.
 *
 * Each taker books the next free stretch of time and sleeps until it begins, so that
 * the total stays at the rate and nobody starves.
 * Threads: any.
 */
#ifndef RECEIVER_FETCH_LIMITER_H
#define RECEIVER_FETCH_LIMITER_H

#include "common/latch.h"

struct limiter {
    uint64_t bytes_per_s; /* 0: no limit */
    pthread_mutex_t lock; /* guards free_ns */
    uint64_t free_ns;     /* everything before is booked */
};

void limiter_init(struct limiter *limiter, uint64_t bytes_per_s);
void limiter_release(struct limiter *limiter);

/* Sleeps as long as n bytes cost; not any longer once `stop` is set. */
void limiter_take(struct limiter *limiter, size_t n, struct latch *stop);

#endif
