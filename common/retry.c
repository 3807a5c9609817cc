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
