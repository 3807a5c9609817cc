/* SPDX-License-Identifier: MIT */
/*
 * tally -- what became of every file, counted; and the names of those that failed.
 *
 * Each file found ends in exactly one of uploaded, skipped, failed or left (the run was
 * stopped first). Names beyond TALLY_NAMES_MAX are counted only: each failure is in the
 * log, too.
 *
 * Threads: any; texts are made once the workers are joined.
 */
#ifndef SENDER_UPLOAD_TALLY_H
#define SENDER_UPLOAD_TALLY_H

#include "common/histogram.h"
#include "common/status.h"
#include "sender/upload/walk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { TALLY_NAMES_MAX = 100 };

struct tally {
    atomic_uint_fast64_t uploaded, skipped, failed, changed;
    atomic_uint_fast64_t bytes;     /* of the files uploaded */
    atomic_llong moved;             /* bytes put on the wire that were not in vain */
    atomic_uint_fast64_t requests;  /* answered or not */
    atomic_uint_fast64_t delivered; /* requests that carried files and succeeded */
    atomic_uint_fast64_t retries, throttled;
    atomic_uint_fast64_t resumed_parts;
    struct histogram latency_us; /* of requests that succeeded */
    struct walk_counts walk;
    uint64_t start_ns, end_ns;
    unsigned jobs; /* settled on, set at the end */
    const char *jobs_reason;
    pthread_mutex_t lock; /* guards names */
    char *names[TALLY_NAMES_MAX];
    size_t name_count;
};

void tally_init(struct tally *tally);
void tally_release(struct tally *tally);

/* Counts a file that did not come through. */
void tally_fail(struct tally *tally, const char *path, const char *why);

/* For a file found that proves to be none to upload. */
void tally_exclude(struct tally *tally);

/* Files that were found but not come to. */
uint64_t tally_left(const struct tally *tally);

/* The summary: "name: value" lines, the failed ones at their end; or one JSON object.
 * To be freed; NULL when memory is short. */
char *tally_text(const struct tally *tally);
char *tally_json(const struct tally *tally);

#endif
