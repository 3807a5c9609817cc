/* SPDX-License-Identifier: MIT */
/*
 * store -- the blobs on disk.
 *
 * Shape:   one directory, sharded by the hour in the id's own timestamp:
 *              2026-11-21T18/<uuid>.bin     version 7, UTC
 *              other/<last two hex digits>/<uuid>.bin
 *          so an id is found without an index, ls finds last night's blobs, and a
 *          group of commits touches one directory. Files are blob_file.h's.
 * Errors:  ST_SYSTEM with errno. A directory that another receiver holds: ST_REFUSED.
 *          A file system without user attributes: ST_REFUSED.
 * Owner:   open/close; descriptors and files handed out are the caller's.
 * Threads: any, between open and close.
 */
#ifndef RECEIVER_STORE_H
#define RECEIVER_STORE_H

#include "common/blob_file.h"
#include "common/durable_file.h"
#include "common/status.h"
#include "common/uuid.h"

struct store;

struct store_shard {
    char path[24]; /* relative to the store's directory */
};

/* Creates the directory when it is missing (not its parents), locks it, checks that it
 * can hold attributes, and removes what a crash left; *swept says how many files. */
enum status store_open(struct store **out, const char *directory, unsigned *swept,
                       struct error *err) MUST_CHECK;

/* Opens the store of a receiver that may be running: for finding, listing and
 * quarantining only. */
enum status store_open_beside(struct store **out, const char *directory,
                              struct error *err) MUST_CHECK;
void store_close(struct store **store);

/* Bytes that can still be stored; 0 when no further file can be created. */
enum status store_room(const struct store *store, uint64_t *bytes,
                       struct error *err) MUST_CHECK;

/* A hidden file that can later be published under any id. */
enum status store_create_file(struct store *store, struct durable_file **out,
                              struct error *err) MUST_CHECK;

/* Gives the file its name. ST_REFUSED (EEXIST) when the id is taken: the file stays the
 * caller's, and the stored blob stays as it is. */
enum status store_publish(struct store *store, struct durable_file **file,
                          const struct uuid *id, struct error *err) MUST_CHECK;

/* Takes a published name back: its directory could not be synced. */
void store_withdraw(struct store *store, const struct uuid *id);

struct store_shard store_shard_of(const struct uuid *id);

/* Makes the names in a shard survive a power cut: syncs its directory, and the parent
 * of that when it may be new. One thread at a time. */
enum status store_sync_shard(struct store *store, const struct store_shard *shard,
                             struct error *err) MUST_CHECK;

/* Opens a stored blob for reading. ST_END when there is none of that id. */
enum status store_find(struct store *store, const struct uuid *id, int *fd,
                       struct blob_info *info, struct error *err) MUST_CHECK;

/* Moves a blob to quarantine/<uuid>.bin, where it is neither found nor listed. Its id
 * is free again, so a sender can deliver it anew. */
enum status store_quarantine(struct store *store, const struct uuid *id,
                             struct error *err) MUST_CHECK;

/* The next ids after `after` (NULL: from the beginning), in the order of their shards,
 * at most `limit`. *count 0: no more. */
enum status store_list(struct store *store, const struct uuid *after, struct uuid *ids,
                       size_t limit, size_t *count, struct error *err) MUST_CHECK;

/* Calls visit for every blob, in that order, until it returns something else than
 * ST_OK, which is then returned. */
typedef enum status store_visit(void *context, const struct uuid *id,
                                struct error *err);
enum status store_each(struct store *store, store_visit *visit, void *context,
                       struct error *err) MUST_CHECK;

#endif
