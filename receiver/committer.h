/* SPDX-License-Identifier: MIT */
/*
 * committer -- makes verified blobs durable, many at a time.
 *
 * Jobs sync files in parallel, so that the file system can fold many into one journal
 * commit, and give each its name. Then one of them syncs the directory once for all
 * that were named meanwhile, and reports the whole group; while it does, the next
 * gathers.
 *
 * Errors:  in commit.error. After a failed sync the blob is gone from the store,
 * whether it is new or a replay of one whose file can no longer be trusted (that one is
 *          in quarantine); a sync of the same bytes is never tried again. Unless the
 *          disk was only full, or descriptors short, `broken` is set for good.
 * Owner:   a commit is the submitter's; it must stay until done is called. A file in it
 *          is taken when submitted, whatever the outcome.
 * Threads: submit from any thread; done is called on a job's thread.
 */
#ifndef RECEIVER_COMMITTER_H
#define RECEIVER_COMMITTER_H

#include "receiver/jobs.h"
#include "receiver/store.h"

#include <stdbool.h>

struct committer;

enum durability {
    DURABILITY_STRICT,  /* acknowledged means: survives a power cut */
    DURABILITY_RELAXED, /* survives a crash of the program */
};

extern const char *const durability_names[]; /* NULL-ended, in enum order */

struct commit {
    struct job job; /* first: the committer's */
    struct uuid id;
    struct sha256_digest digest; /* of the verified body */
    struct durable_file *file;   /* NULL: a replay, there was nothing to write */
    void (*done)(struct commit *commit);
    void *owner;                 /* the submitter's */
    struct committer *committer; /* the committer's */
    struct commit *next;         /* the committer's */

    /* ST_OK: stored. ST_END: the same blob was there before, and is durable.
     * ST_REFUSED: another blob has this id. Else the disk failed: see error. */
    enum status result;
    struct error error;
};

enum status committer_create(struct committer **out, struct store *store,
                             enum durability durability, struct jobs *jobs,
                             struct error *err) MUST_CHECK;

/* Call after jobs_stop. */
void committer_destroy(struct committer **committer);

void committer_submit(struct committer *committer, struct commit *commit);

/* Without waiting for the disk, for relaxed durability: true when the blob got its name
 * at once and commit->result says so; false when it has to be submitted after all. */
bool committer_try(struct committer *committer, struct commit *commit);

uint64_t committer_sync_failures(const struct committer *committer);

/* True after a failed sync. */
bool committer_broken(const struct committer *committer);

#endif
