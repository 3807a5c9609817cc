/* SPDX-License-Identifier: MIT */
/*
 * source_file -- a file as it was when it was opened, and whether it still is.
 *
 * Reading takes time, and others write. A file is `settled` when its size, its times
 * and its identity are what they were at opening, and its last change is old enough
 * that another one would have shown: time stamps have the grain of the kernel's tick,
 * so a change in the same tick is invisible.
 *
 * Errors:  ST_CORRUPT: it changes while it is read; worth reading again from the start.
 *          ST_REFUSED: not a regular file (any more). ST_SYSTEM: cannot be read.
 * Owner:   open/close; the descriptor is pread only, so threads may share it.
 */
#ifndef SENDER_UPLOAD_SOURCE_FILE_H
#define SENDER_UPLOAD_SOURCE_FILE_H

#include "common/sha256.h"
#include "common/status.h"
#include "sender/upload/walk.h"

#include <stdint.h>
#include <sys/stat.h>

struct source_file {
    int fd;
    struct stat stat;
};

enum status source_file_open(struct source_file *out, const struct walk_entry *entry,
                             bool follow, struct error *err) MUST_CHECK;
void source_file_close(struct source_file *file); /* closed already is fine */

uint64_t source_file_size(const struct source_file *file);

/* All n bytes from offset. */
enum status source_file_read(const struct source_file *file, uint64_t offset,
                             void *into, size_t n, struct error *err) MUST_CHECK;

enum status source_file_settled(const struct source_file *file,
                                struct error *err) MUST_CHECK;

/* What a store's complaint about the digest means: ST_CORRUPT stays that when the file
 * has changed; else its bytes were spoiled on their way, which is ST_AGAIN. Any other
 * status stays what it is. */
enum status source_file_blame(const struct source_file *file, enum status st);

#endif
