/* SPDX-License-Identifier: MIT */
#include "common/bandwidth.h"

#include "common/clock.h"

void bandwidth_init(struct bandwidth *bandwidth, uint64_t bytes_per_s,
                    struct latch *stop)
{
    *bandwidth = (struct bandwidth){.bytes_per_s = bytes_per_s, .stop = stop};
    pthread_mutex_init(&bandwidth->lock, NULL);
}

void bandwidth_release(struct bandwidth *bandwidth)
{
    pthread_mutex_destroy(&bandwidth->lock);
}

void bandwidth_take(struct bandwidth *bandwidth, size_t bytes)
{
    uint64_t now_ns, start_ns;

    if (bandwidth->bytes_per_s == 0)
        return;
    now_ns = clock_monotonic_ns();
    pthread_mutex_lock(&bandwidth->lock);
    start_ns = bandwidth->due_ns > now_ns ? bandwidth->due_ns : now_ns;
    bandwidth->due_ns = start_ns + (uint64_t)((double)bytes * 1e9 /
                                              (double)bandwidth->bytes_per_s);
    pthread_mutex_unlock(&bandwidth->lock);
    if (start_ns > now_ns)
        latch_wait(bandwidth->stop, (start_ns - now_ns) / 1000000);
}
