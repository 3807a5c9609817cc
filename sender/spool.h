/* SPDX-License-Identifier: MIT */
/*
 * spool -- the directory in which blobs wait until they are delivered.
 *
 * Shape:   <dir>/<uuid>.bin       pending
 *          <dir>/dead/<uuid>.bin  given up; user.blob.reason says why. Requeued, a
 *                                 dead letter is tried again at the next start
 *          <dir>/sent/<uuid>.bin  delivered, when they are kept
 *          All are files as blob_file.h describes them.
 * Locking: one process per directory, by flock; the second is refused.
 * Errors:  messages name the directory or the file.
 * Threads: spool_store from one thread at a time; everything else from any thread, each
 *          blob by one thread.
 */
#ifndef SENDER_SPOOL_H
#define SENDER_SPOOL_H

#include "common/blob_file.h"
#include "common/status.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

struct spool_config { /* dir must outlive the spool */
    const char *dir;  /* made if it is not there, but not its parents */
    bool strict;      /* what is stored survives a power cut, not only a crash */
    bool keep;        /* delivered blobs are moved to sent/ */
};

/* Also removes what a crash left half written; *swept says how many. */
enum status spool_open(struct spool **out, const struct spool_config *config,
                       unsigned *swept, struct error *err) MUST_CHECK;
void spool_close(struct spool **spool); /* NULL inside is fine */

/* Without the lock, beside a sender that may be running: for spool_list,
 * spool_list_dead, spool_fetch and spool_fetch_dead only. */
enum status spool_open_beside(struct spool **out, const char *dir,
                              struct error *err) MUST_CHECK;

/* The pending ids, or those of the dead letters, oldest first. The caller frees *ids.
 */
enum status spool_list(struct spool *spool, struct uuid **ids, size_t *count,
                       struct error *err) MUST_CHECK;
enum status spool_list_dead(struct spool *spool, struct uuid **ids, size_t *count,
                            struct error *err) MUST_CHECK;

/* Where the bytes of a new blob come from: fills into[0..n) from offset. */
typedef void spool_fill(void *context, uint64_t offset, void *into, size_t n);

/* Chunks handed to spool_fill are this long, but for the last. */
enum { SPOOL_CHUNK_BYTES = 128 * 1024 };

/* Writes a blob of int16 samples and hashes it in the same pass. The file appears whole
 * or not at all. */
enum status spool_store(struct spool *spool, const struct uuid *id, uint64_t bytes,
                        spool_fill *fill, void *context, struct error *err) MUST_CHECK;

/* Opens a pending blob for reading. ST_END when its file is gone; ST_CORRUPT when it
 * cannot be sent in good faith: no digest, or half a sample at its end. */
enum status spool_fetch(struct spool *spool, const struct uuid *id, int *fd,
                        struct blob_info *info, struct error *err) MUST_CHECK;

enum { SPOOL_REASON_SIZE = 256 };

/* Opens a dead letter, in whatever state it is. ST_END when its file is gone. */
enum status spool_fetch_dead(struct spool *spool, const struct uuid *id, int *fd,
                             struct blob_info *info, char reason[SPOOL_REASON_SIZE],
                             struct error *err) MUST_CHECK;

/* Makes a dead letter pending again. ST_END when there is no such dead letter. */
enum status spool_requeue(struct spool *spool, const struct uuid *id,
                          struct error *err) MUST_CHECK;

/* After delivery. On failure the blob is still pending. */
enum status spool_forget(struct spool *spool, const struct uuid *id,
                         struct error *err) MUST_CHECK;

/* Makes a dead letter of it. On failure the blob is still pending; ST_END when its file
 * is gone. */
enum status spool_bury(struct spool *spool, const struct uuid *id, const char *reason,
                       struct error *err) MUST_CHECK;

#endif
