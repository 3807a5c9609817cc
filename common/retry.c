/* SPDX-License-Identifier: MIT */
#include "common/retry.h"

#include <assert.h>
#include <sodium.h>

uint64_t retry_ceiling_ms(const struct retry_policy *policy, unsigned attempt)
{
    uint64_t ceiling = policy->base_ms;

    assert(attempt >= 1);
    for (unsigned i = 1; i < attempt && ceiling < policy->cap_ms; i++) {
        if (ceiling == 0 || ceiling > policy->cap_ms / 2)
            return ceiling == 0 ? 0 : policy->cap_ms;
        ceiling *= 2;
    }
    return ceiling < policy->cap_ms ? ceiling : policy->cap_ms;
}

uint64_t retry_delay_ms(const struct retry_policy *policy, unsigned attempt,
                        uint64_t retry_after_ms)
{
    uint64_t ceiling = retry_ceiling_ms(policy, attempt);
    uint64_t floor = retry_after_ms;

    if (floor > policy->retry_after_cap_ms)
        floor = policy->retry_after_cap_ms;
    if (ceiling >= UINT32_MAX)
        ceiling = UINT32_MAX - 1;
    return floor + randombytes_uniform((uint32_t)ceiling + 1);
}

enum { TENTHS = 10 };

void retry_budget_init(struct retry_budget *budget, unsigned retries)
{
    budget->full = (long long)retries * TENTHS;
    atomic_init(&budget->left, budget->full);
}

/* Threads may overfill it between them, by a tenth each: no harm. */
void retry_budget_earn(struct retry_budget *budget)
{
    if (atomic_load_explicit(&budget->left, memory_order_relaxed) < budget->full)
        atomic_fetch_add_explicit(&budget->left, 1, memory_order_relaxed);
}

bool retry_budget_spend(struct retry_budget *budget)
{
    if (atomic_fetch_sub(&budget->left, TENTHS) >= TENTHS)
        return true;
    atomic_fetch_add(&budget->left, TENTHS);
    return false;
}
