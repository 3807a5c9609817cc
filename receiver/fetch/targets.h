/* SPDX-License-Identifier: MIT */
/*
 * targets -- the URLs of one run, each with the name its file will have.
 *
 * Errors:  ST_INVALID names the URL or line that makes no sense; two URLs of one name
 *          are refused, for the second would replace the first.
 * Threads: one.
 */
#ifndef RECEIVER_FETCH_TARGETS_H
#define RECEIVER_FETCH_TARGETS_H

#include "receiver/fetch/config.h"

struct target {
    char *url;
    char name[NAME_SIZE];
};

struct targets {
    struct target *of;
    size_t count, capacity;
};

/* urls: the operands. On failure, too, release. */
enum status targets_collect(struct targets *targets, const struct fetch_config *config,
                            char *const *urls, size_t count,
                            struct error *err) MUST_CHECK;
void targets_release(struct targets *targets);

#endif
