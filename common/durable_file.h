/* SPDX-License-Identifier: MIT */
/*
 * durable_file -- a file that appears whole or not at all.
 *
 * create -> write, set attributes -> sync -> publish; or discard at any point. Until
 * publish nobody can see it: it has no name (O_TMPFILE), or, where the file system
 * lacks that, a hidden name beginning with ".incoming-" which durable_file_sweep
 * removes after a crash. publish never replaces an existing file.
 *
 * To survive a power cut the caller syncs the file before publishing it and the
 * directory after (durable_directory_sync), and only then tells anyone. A failed sync
 * is final: the pages are marked clean, so trying again would lie (PostgreSQL, 2018).
 *
 * Errors:  ST_SYSTEM with errno; publish over an existing name: ST_REFUSED, sys EEXIST.
 * Owner:   create/discard; publish takes the file and closes it.
 * Threads: one file belongs to one thread at a time.
 */
#ifndef COMMON_DURABLE_FILE_H
#define COMMON_DURABLE_FILE_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

struct durable_file;

/* In the file system of dir_fd; the name may later be given in any directory of it. */
enum status durable_file_create(struct durable_file **out, int dir_fd,
                                struct error *err) MUST_CHECK;

/* The same under a hidden name in dir_fd, even where O_TMPFILE works. */
enum status durable_file_create_named(struct durable_file **out, int dir_fd,
                                      struct error *err) MUST_CHECK;

/* Allocates blocks for the first `bytes` bytes, so that writing them cannot run out of
 * room. sys EOPNOTSUPP: this file system does not do that. */
enum status durable_file_reserve(struct durable_file *file, uint64_t bytes,
                                 struct error *err) MUST_CHECK;

enum status durable_file_write(struct durable_file *file, const void *bytes, size_t n,
                               struct error *err) MUST_CHECK;
enum status durable_file_set_attribute(struct durable_file *file, const char *name,
                                       const void *value, size_t n,
                                       struct error *err) MUST_CHECK;
enum status durable_file_sync(struct durable_file *file, struct error *err) MUST_CHECK;

/* On success *file is closed and nulled. On failure it stays the caller's. */
enum status durable_file_publish(struct durable_file **file, int dir_fd,
                                 const char *name, struct error *err) MUST_CHECK;
void durable_file_discard(struct durable_file **file); /* NULL inside is fine */

uint64_t durable_file_size(const struct durable_file *file); /* bytes written so far */

enum status durable_directory_sync(int dir_fd, struct error *err) MUST_CHECK;

/* Removes what a crash left under hidden names in dir_fd; *count says how many. */
enum status durable_file_sweep(int dir_fd, unsigned *count,
                               struct error *err) MUST_CHECK;

#endif
