/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/limiter.h"

#include "common/clock.h"

void limiter_init(struct limiter *limiter, uint64_t bytes_per_s)
{
    *limiter = (struct limiter){.bytes_per_s = bytes_per_s};
    pthread_mutex_init(&limiter->lock, NULL);
}

void limiter_release(struct limiter *limiter)
{
    pthread_mutex_destroy(&limiter->lock);
}

void limiter_take(struct limiter *limiter, size_t n, struct latch *stop)
{
    uint64_t now_ns, until_ns;

    if (limiter->bytes_per_s == 0)
        return;
    now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&limiter->lock);
    if (limiter->free_ns < now_ns)
        limiter->free_ns = now_ns;
    limiter->free_ns += (uint64_t)((double)n * 1e9 / (double)limiter->bytes_per_s);
    until_ns = limiter->free_ns;
    pthread_mutex_unlock(&limiter->lock);
    if (until_ns - now_ns >= 1000000)
        latch_wait(stop, (until_ns - now_ns) / 1000000);
}
