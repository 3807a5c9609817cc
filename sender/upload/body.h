/* SPDX-License-Identifier: MIT */
/*
 * body -- the bytes of a file, or of a part of it, on their way to the store.
 *
 * Either from memory, or from the file as it is sent. In the latter case the file may
 * have changed since it was hashed: then the store refuses the body by its sum.
 *
 * Keeps to the run's bandwidth and counts what has moved.
 * Threads: a body belongs to one thread.
 */
#ifndef SENDER_UPLOAD_BODY_H
#define SENDER_UPLOAD_BODY_H

#include "common/object/object_store.h"
#include "sender/upload/source_file.h"
#include "sender/upload/upload_run.h"

struct body {
    struct object_body object; /* give this to the store */
    struct upload_run *run;
    const void *memory; /* NULL: from file */
    const struct source_file *file;
    uint64_t start;  /* of the part in the file */
    long long moved; /* counted in the tally */
};

void body_from_memory(struct body *body, struct upload_run *run, const void *memory,
                      size_t n, const union object_sum *sum);
void body_from_file(struct body *body, struct upload_run *run,
                    const struct source_file *file, uint64_t start, uint64_t n,
                    const union object_sum *sum);

/* After an attempt that failed: what it moved was in vain. */
void body_failed(struct body *body);

#endif
