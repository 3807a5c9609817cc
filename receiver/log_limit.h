/* SPDX-License-Identifier: MIT */
/*
 * log_limit -- keeps peers from filling the log.
 *
 * What costs a peer nothing to provoke is logged at most per_s times in a second; the
 * first line of a later second comes after one that says how many were left out.
 * Threads: any; a race at the turn of a second miscounts by a few lines.
 */
#ifndef RECEIVER_LOG_LIMIT_H
#define RECEIVER_LOG_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_PER_S = 10 }; /* for most */

struct log_limit {
    const char *event; /* these two are set; the rest is zero */
    unsigned per_s;
    atomic_uint_fast64_t second; /* the one being counted */
    atomic_uint_fast64_t written, suppressed;
};

/* Whether the line may be written. */
bool log_limit_allows(struct log_limit *limit);

#endif
