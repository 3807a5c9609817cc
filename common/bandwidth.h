/* SPDX-License-Identifier: MIT */
/*
 * bandwidth -- keeps all threads together below so many bytes a second.
 *
 * Each taker books its bytes on one time line and sleeps until they are due, so a big
 * request delays the next one, not itself.
 *
 * Threads: any.
 */
#ifndef COMMON_BANDWIDTH_H
#define COMMON_BANDWIDTH_H

#include "common/latch.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct bandwidth {
    uint64_t bytes_per_s; /* set once; 0: no limit */
    struct latch *stop;   /* set: nobody sleeps any more */
    pthread_mutex_t lock; /* guards due_ns */
    uint64_t due_ns;      /* when all that is booked will have been sent */
};

void bandwidth_init(struct bandwidth *bandwidth, uint64_t bytes_per_s,
                    struct latch *stop);
void bandwidth_release(struct bandwidth *bandwidth);
void bandwidth_take(struct bandwidth *bandwidth, size_t bytes);

#endif
