/* SPDX-License-Identifier: MIT */
/*
 * upload_threads -- the threads of an upload: one that makes sure of the store, starts
 * the workers and walks the tree; the workers; one that counts, for the progress bar.
 *
 * Threads: start and join from main. finished_fd becomes readable when no thread but
 *          the counting one has anything left to do.
 */
#ifndef SENDER_UPLOAD_UPLOAD_THREADS_H
#define SENDER_UPLOAD_UPLOAD_THREADS_H

#include "common/crew.h"
#include "sender/upload/scan.h"
#include "sender/upload/tuner.h"
#include "sender/upload/upload_run.h"

struct upload {
    struct upload_run run;
    struct tuner tuner;
    struct scan *scan; /* NULL: nobody looks at a progress bar */
    struct crew *walk;
    struct crew *workers; /* the walk's until that is joined */
    unsigned jobs_max;
    int finished_fd;
    atomic_uint working;
    uint64_t abandon_ns; /* when to break off; 0: not stopping */
};

/* On failure, too, join them. */
enum status upload_threads_start(struct upload *upload, struct error *err) MUST_CHECK;
void upload_threads_join(struct upload *upload);

#endif
