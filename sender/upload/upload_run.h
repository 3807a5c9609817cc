/* SPDX-License-Identifier: MIT */
/*
 * upload_run -- what the threads of one upload share.
 *
 * Owner:   everything here is upload.c's; it outlives the threads.
 * Threads: what is not said to be atomic or locked is set before the threads start.
 */
#ifndef SENDER_UPLOAD_UPLOAD_RUN_H
#define SENDER_UPLOAD_UPLOAD_RUN_H

#include "common/bandwidth.h"
#include "common/latch.h"
#include "common/retry.h"
#include "sender/upload/dispatch.h"
#include "sender/upload/manifest.h"
#include "sender/upload/own_files.h"
#include "sender/upload/tally.h"
#include "sender/upload/upload_config.h"

enum attempt_kind {
    ATTEMPT_LOOK, /* any question */
    ATTEMPT_PUT,  /* content: a file, a part */
    ATTEMPT_BEGIN,
    ATTEMPT_FINISH,
    ATTEMPT_KINDS,
};

struct upload_run {
    const struct upload_config *config;
    struct object_store *store;
    struct dispatch *dispatch;
    struct manifest *manifest; /* NULL: none wanted */
    char *resume_dir;          /* NULL: nowhere to remember uploads */
    struct own_files own;
    struct tally tally;
    struct retry_policy retry;
    struct retry_budget budget;
    struct bandwidth bandwidth;
    struct latch stop;   /* begin nothing new */
    struct latch cancel; /* and break off what is under way */
    atomic_bool privacy_asked;
    atomic_uint failures_in_a_row[ATTEMPT_KINDS];
    struct {
        pthread_mutex_t lock; /* guards reason */
        char reason[256];     /* why the run gives up; "": it does not */
    } end;
};

/* Stops the run; the first reason counts. */
void upload_give_up(struct upload_run *run, const char *reason);

/* Logs and counts one file that did not come through. */
void upload_file_failed(struct upload_run *run, const char *path,
                        const struct error *err);

#endif
