/* SPDX-License-Identifier: MIT */
#include "common/latch.h"

#include <errno.h>
#include <time.h>

/* Keeps tv_sec far from overflow: a century is for ever. */
static const uint64_t longest_wait_ms = 100ULL * 365 * 24 * 3600 * 1000;

void latch_init(struct latch *latch)
{
    pthread_condattr_t attributes;

    atomic_init(&latch->is_set, false);
    pthread_mutex_init(&latch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&latch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void latch_release(struct latch *latch)
{
    pthread_cond_destroy(&latch->changed);
    pthread_mutex_destroy(&latch->lock);
}

void latch_set(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    atomic_store(&latch->is_set, true);
    pthread_cond_broadcast(&latch->changed);
    pthread_mutex_unlock(&latch->lock);
}

bool latch_is_set(const struct latch *latch)
{
    return atomic_load(&latch->is_set);
}

static struct timespec deadline_after(uint64_t ms)
{
    struct timespec at;

    if (ms > longest_wait_ms)
        ms = longest_wait_ms;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool latch_wait(struct latch *latch, uint64_t ms)
{
    struct timespec deadline;
    int rc = 0;

    if (latch_is_set(latch) || ms == 0)
        return latch_is_set(latch);
    deadline = deadline_after(ms);
    pthread_mutex_lock(&latch->lock);
    while (!latch_is_set(latch) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&latch->changed, &latch->lock, &deadline);
    pthread_mutex_unlock(&latch->lock);
    return latch_is_set(latch);
}
