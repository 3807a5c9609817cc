/* SPDX-License-Identifier: MIT */
/*
 * retry -- how long to wait before trying again.
 *
 * Full jitter: random(0, min(cap, base * 2^(attempt-1))). A Retry-After of the peer is
 * a floor, itself capped, with the jitter on top, so that a fleet does not return at
 * the same instant.
 * Units:   milliseconds; attempt counts from 1 (the one that just failed).
 * Budget:  a process that fails everywhere must not multiply its own load: retries are
 *          paid from a budget that successes fill, one retry for ten of them.
 * Threads: delays are pure but for the random source (libsodium's); a budget may be
 *          used from any thread.
 * Source:  "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; retry budgets
 *          of Finagle.
 */
#ifndef COMMON_RETRY_H
#define COMMON_RETRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
    uint64_t base_ms, cap_ms;
    uint64_t retry_after_cap_ms; /* a longer Retry-After is cut to this, for
                                    those who do not rather give up */
    unsigned max_attempts;       /* at least 1 */
};

/* The upper bound of the jitter after this attempt. */
uint64_t retry_ceiling_ms(const struct retry_policy *policy, unsigned attempt);

/* retry_after_ms: 0 when the peer named none. */
uint64_t retry_delay_ms(const struct retry_policy *policy, unsigned attempt,
                        uint64_t retry_after_ms);

struct retry_budget {
    long long full;    /* these two in tenths of a retry */
    atomic_llong left; /* starts full */
};

void retry_budget_init(struct retry_budget *budget, unsigned retries);
void retry_budget_earn(struct retry_budget *budget);  /* after a success */
bool retry_budget_spend(struct retry_budget *budget); /* false: do not retry */

#endif
