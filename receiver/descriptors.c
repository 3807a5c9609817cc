/* SPDX-License-Identifier: MIT */
#include "receiver/descriptors.h"

#include "common/log.h"

#include <stddef.h>
#include <sys/resource.h>

/* What the store, the event loops and lingering connections hold. */
enum { OTHERS = 512 };

void descriptors_raise(unsigned connections)
{
    rlim_t wanted = (rlim_t)connections * 2 + OTHERS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_event(LOG_WARN, "descriptors",
                  LOG_FIELDS(log_number("limit", limit.rlim_cur),
                             log_number("wanted", wanted)),
                  "%u connections may need %llu descriptors, but the limit is %llu",
                  connections, (unsigned long long)wanted,
                  (unsigned long long)limit.rlim_cur);
}
