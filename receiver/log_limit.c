/* SPDX-License-Identifier: MIT */
#include "receiver/log_limit.h"

#include "common/clock.h"
#include "common/log.h"

#include <stddef.h>

bool log_limit_allows(struct log_limit *limit)
{
    uint64_t second = clock_monotonic_ns() / 1000000000, suppressed;

    if (atomic_exchange(&limit->second, second) != second) {
        atomic_store(&limit->written, 0);
        suppressed = atomic_exchange(&limit->suppressed, 0);
        if (suppressed > 0)
            log_event(LOG_WARN, "suppressed",
                      LOG_FIELDS(log_text("of", limit->event),
                                 log_number("count", suppressed)),
                      "%llu more lines like the next one were left out",
                      (unsigned long long)suppressed);
    }
    if (atomic_fetch_add(&limit->written, 1) < limit->per_s)
        return true;
    atomic_fetch_add(&limit->suppressed, 1);
    return false;
}
