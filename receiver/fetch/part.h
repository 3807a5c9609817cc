/* SPDX-License-Identifier: MIT */
/*
 * part -- the file while it is being fetched: <name>.part, one run's at a time.
 *
 * open (locked against a second run) -> write anywhere -> sync -> publish under its own
 * name; or discard. Closing it leaves it for the next run. The lock is one of the name
 * <name>.part: once published, the file is no protection against a second run any more.
 *
 * It is marked as ours with the extended attribute user.blob.part, which published
 * files do not have.
 *
 * Errors:  open: ST_REFUSED when another run holds it. A failed sync is final.
 * Owner:   open/close; publish, discard and keep_bad close it, too.
 * Threads: write, read and start_writeback from any thread; the rest from one.
 */
#ifndef RECEIVER_FETCH_PART_H
#define RECEIVER_FETCH_PART_H

#include "receiver/fetch/name.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PART_NAME_SIZE = NAME_SIZE + 16 };

struct part {
    int dir_fd; /* the caller's */
    int fd;     /* -1: closed */
    char name[NAME_SIZE], part_name[PART_NAME_SIZE];
    uint64_t inode;
    bool ours;               /* not somebody's own file of that name */
    bool sync_failed;        /* what was written is not to be believed */
    pthread_mutex_t writing; /* the kernel's own lock of a file spins */
};

enum status part_open(struct part *part, int dir_fd, const char *name,
                      struct error *err) MUST_CHECK;
void part_close(struct part *part);

enum status part_size(const struct part *part, uint64_t *out,
                      struct error *err) MUST_CHECK;
enum status part_truncate(const struct part *part, uint64_t size,
                          struct error *err) MUST_CHECK;

/* Claims room for all of it, where the file system can; sets its size. */
enum status part_allocate(const struct part *part, uint64_t size,
                          struct error *err) MUST_CHECK;

enum status part_write(struct part *part, const void *bytes, size_t n, uint64_t offset,
                       struct error *err) MUST_CHECK;

/* All n bytes, or a failure. */
enum status part_read(const struct part *part, void *into, size_t n, uint64_t offset,
                      struct error *err) MUST_CHECK;

/* A hint: let the disk begin with these bytes, so that syncing is short. */
void part_start_writeback(const struct part *part, uint64_t offset, uint64_t n);

enum status part_sync(struct part *part, struct error *err) MUST_CHECK;

enum part_publish_flags {
    PART_KEEP_EXISTING = 1, /* never replace a file; ST_REFUSED, sys EEXIST */
    PART_DURABLE = 2,       /* sync the directory; the file was synced before */
};

enum status part_publish(struct part *part, unsigned flags,
                         struct error *err) MUST_CHECK;

/* Sets the time a published or unpublished file shows. */
enum status part_set_time(const struct part *part, int64_t modified_s,
                          struct error *err) MUST_CHECK;

void part_discard(struct part *part);

/* Keeps what is wrong as <name>.bad, or <name>.bad.1 and so on: what is there stays. */
enum status part_keep_bad(struct part *part, char kept_as[PART_NAME_SIZE],
                          struct error *err) MUST_CHECK;

#endif
