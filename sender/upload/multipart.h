/* SPDX-License-Identifier: MIT */
/*
 * multipart -- one big file on its way up in parts.
 *
 *     multipart_start   hashes the file, whole and in parts; begins an upload, or takes
 *                       up the one that an earlier run left
 *     multipart_send    one part, by any worker
 *     multipart_finish  by the worker whose part was the last to be done
 *
 * The whole file's digest must be known when the upload begins, because it is part of
 * the object's metadata. Each part is sent under the sum it had in that first pass,
 * so a file that changes between the passes is noticed and nothing is put together.
 *
 * What is left unfinished stays in the store and is taken up by the next run; what
 * cannot be taken up is aborted.
 *
 * Owner:   a multipart owns its entry, descriptor and slot; multipart_destroy.
 * Threads: start and finish in one worker at a time, sends in any between them.
 */
#ifndef SENDER_UPLOAD_MULTIPART_H
#define SENDER_UPLOAD_MULTIPART_H

#include "sender/upload/body.h"
#include "sender/upload/resume.h"
#include "sender/upload/source_file.h"
#include "sender/upload/worker.h"

struct multipart {
    struct dispatch_batch batch; /* first: a cast leads back */
    struct file_job job;
    struct source_file file;
    struct object_description description;
    char upload[OBJECT_UPLOAD_SIZE];
    uint64_t part_bytes;
    unsigned count;
    union object_sum *sums;    /* per part */
    struct object_part *parts; /* per part; a receipt says that it is up */
    unsigned *todo;            /* tickets to indexes of parts */
    unsigned todo_count;
    struct resume_slot *slot;
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        enum status status;   /* of the first failure; ST_OK: none */
        struct error error;
    } failure;
};

/* Takes file, and the job's entry, when it succeeds. Nothing is offered to the dispatch
 * yet; todo_count may be 0. */
enum status multipart_start(struct multipart **out, struct worker *worker,
                            struct file_job *job, struct source_file *file,
                            struct error *err) MUST_CHECK;
void multipart_destroy(struct multipart **multipart);

void multipart_send(struct multipart *multipart, struct worker *worker,
                    unsigned ticket);

/* ST_END: what was sent is gone; ST_CORRUPT: the file has changed. Both are worth a new
 * start. */
enum status multipart_finish(struct multipart *multipart, struct worker *worker,
                             struct error *err) MUST_CHECK;

/* The most memory that one file takes; no more of them are open than there are
 * workers. */
size_t multipart_memory_max(const struct object_limits *limits);

#endif
