/* SPDX-License-Identifier: MIT */
/*
 * worker -- takes files and parts from the dispatch and puts them into the store.
 *
 * A small file is read once, hashed and sent from memory; a bigger one is hashed, then
 * sent as it is read again; one above the multipart threshold goes in parts.
 */
#ifndef SENDER_UPLOAD_WORKER_H
#define SENDER_UPLOAD_WORKER_H

#include "sender/upload/source_file.h"
#include "sender/upload/upload_run.h"

enum {
    WORKER_SMALL_BYTES = 256 * 1024, /* what is sent from memory */
    WORKER_READ_BYTES = 128 * 1024,  /* a step of hashing: fits a second-level cache */
    WORKER_PATH_SIZE = 4096,
};

struct worker {
    struct upload_run *run;
    struct object_session *session;
    struct sha256 *whole, *part;
    struct md5 *md5; /* NULL: the store wants none */
    uint8_t *buffer;
    size_t buffer_size;
};

struct file_job { /* a file on its way */
    struct walk_entry *entry;
    unsigned tries; /* including this one: of files that changed while being read */
    char path[WORKER_PATH_SIZE];
    char key[OBJECT_KEY_SIZE];
};

/* For crew_start; context: the run. */
void worker_run(void *context, unsigned index);

/* At least `bytes` at worker->buffer. */
enum status worker_reserve(struct worker *worker, size_t bytes,
                           struct error *err) MUST_CHECK;

/* What will be said of the object, the digest excepted. */
void worker_describe(const struct worker *worker, const struct source_file *file,
                     struct object_description *out);

/* Counts, logs and records a file that came through; the first one is looked at as a
 * stranger, too. */
void worker_succeeded(struct worker *worker, const struct file_job *job,
                      const struct object_description *description);

#endif
