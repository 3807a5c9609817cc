/* SPDX-License-Identifier: MIT */
#include "receiver/committer.h"

#include "common/crew.h"
#include "common/queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Enough that a group of one directory sync can hold every connection of a busy
 * receiver; what does not fit waits for the next group. */
enum { NAMED_CAPACITY = 4096, GROUP_MAX = 1024 };

const char *const durability_names[] = {"strict", "relaxed", NULL};

struct committer {
    struct store *store;
    struct jobs *jobs;
    enum durability durability;
    struct queue *named; /* commits whose directory is not synced yet */
    struct crew *syncer; /* one thread */
    atomic_bool broken;
};

static bool is_full(int sys)
{
    return sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
}

/* A full disk is told to the client and passes; any other failed sync means that what
 * the kernel says about this file system can no longer be believed. */
static enum status sync_failed(struct committer *committer, const struct error *err)
{
    if (!is_full(err->sys))
        atomic_store(&committer->broken, true);
    return err->status;
}

static void finish(struct commit *commit, enum status result)
{
    durable_file_discard(&commit->file);
    commit->result = result;
    commit->done(commit);
}

/* The id is taken: by the same bytes, or by others? */
static enum status compare_stored(struct committer *committer, struct commit *commit)
{
    struct error *err = &commit->error;
    struct blob_info info;
    enum status st;
    int fd;

    st = store_find(committer->store, &commit->id, &fd, &info, err);
    if (st == ST_END)
        return error_set(err, ST_AGAIN, "the stored blob vanished meanwhile");
    if (st != ST_OK)
        return st;
    if (!info.has_digest)
        st = blob_file_digest(fd, &info.digest, err);
    if (st == ST_OK && !sha256_equal(&info.digest, &commit->digest))
        st = ST_REFUSED;
    /* It may have been stored under relaxed durability, or a moment ago. */
    if (st == ST_OK && committer->durability == DURABILITY_STRICT && fsync(fd) != 0) {
        (void)error_sys(err, errno, "sync the stored blob");
        st = sync_failed(committer, err);
    }
    close(fd);
    return st == ST_OK ? ST_END : st;
}

static enum status sync_and_name(struct committer *committer, struct commit *commit)
{
    struct error *err = &commit->error;
    enum status st = ST_OK;

    if (!commit->file)
        return compare_stored(committer, commit);
    if (committer->durability == DURABILITY_STRICT) {
        st = durable_file_sync(commit->file, err);
        if (st != ST_OK)
            return sync_failed(committer, err);
    }
    st = store_publish(committer->store, &commit->file, &commit->id, err);
    if (st == ST_REFUSED)
        return compare_stored(committer, commit);
    return st;
}

/* First stage, on a crew thread. */
static void run(struct job *job)
{
    struct commit *commit = (struct commit *)job;
    struct committer *committer = commit->committer;
    enum status st = sync_and_name(committer, commit);
    void *handle = commit;

    if ((st != ST_OK && st != ST_END) || committer->durability == DURABILITY_RELAXED) {
        finish(commit, st);
        return;
    }
    commit->result = st;
    if (queue_push(committer->named, &handle) != ST_OK)
        finish(commit, error_set(&commit->error, ST_CLOSED, "shutting down"));
}

/* All commits of the group that live in the shard of its first one. */
static void sync_shard(struct committer *committer, struct commit **group, size_t n)
{
    struct store_shard shard = store_shard_of(&group[0]->id);
    struct error err;
    enum status st = store_sync_shard(committer->store, &shard, &err);

    if (st != ST_OK)
        st = sync_failed(committer, &err);
    for (size_t i = 0; i < n; i++) {
        struct commit *commit = group[i];

        if (st != ST_OK) {
            if (commit->result == ST_OK)
                store_withdraw(committer->store, &commit->id);
            commit->error = err;
            commit->result = st;
        }
        finish(commit, commit->result);
    }
}

/* Moves the commits of group[0]'s shard to the front. Returns how many. */
static size_t gather_shard(struct commit **group, size_t n)
{
    struct store_shard shard = store_shard_of(&group[0]->id);
    size_t same = 1;

    for (size_t i = 1; i < n; i++) {
        struct store_shard other = store_shard_of(&group[i]->id);

        if (strcmp(other.path, shard.path) == 0) {
            struct commit *swap = group[same];

            group[same++] = group[i];
            group[i] = swap;
        }
    }
    return same;
}

/* Second stage. */
static void sync_directories(void *context, unsigned index)
{
    struct committer *committer = context;
    void *jobs[GROUP_MAX];
    struct commit *group[GROUP_MAX];
    size_t n;

    (void)index;
    while ((n = queue_pop_many(committer->named, jobs, GROUP_MAX)) > 0) {
        for (size_t i = 0; i < n; i++)
            group[i] = jobs[i];
        for (size_t done = 0; done < n;) {
            size_t same = gather_shard(group + done, n - done);

            sync_shard(committer, group + done, same);
            done += same;
        }
    }
}

enum status committer_start(struct committer **out, struct store *store,
                            enum durability durability, struct jobs *jobs,
                            struct error *err)
{
    struct committer *committer = calloc(1, sizeof(*committer));
    enum status st;

    if (!committer)
        return error_sys(err, ENOMEM, "start the committer");
    committer->store = store;
    committer->jobs = jobs;
    committer->durability = durability;
    st = queue_create(&committer->named, NAMED_CAPACITY, err);
    if (st == ST_OK)
        st = crew_start(&committer->syncer, "sync-dir", 1, sync_directories, committer,
                        err);
    if (st != ST_OK) {
        queue_destroy(&committer->named);
        free(committer);
        return st;
    }
    *out = committer;
    return ST_OK;
}

void committer_stop(struct committer **committer)
{
    if (!*committer)
        return;
    queue_close((*committer)->named);
    crew_join(&(*committer)->syncer);
    queue_destroy(&(*committer)->named);
    free(*committer);
    *committer = NULL;
}

void committer_submit(struct committer *committer, struct commit *commit)
{
    commit->job.run = run;
    commit->committer = committer;
    jobs_submit(committer->jobs, &commit->job);
}

bool committer_try(struct committer *committer, struct commit *commit)
{
    enum status st;

    if (committer->durability == DURABILITY_STRICT || !commit->file)
        return false;
    st = store_publish(committer->store, &commit->file, &commit->id, &commit->error);
    if (st == ST_REFUSED)
        return false;
    durable_file_discard(&commit->file);
    commit->result = st;
    return true;
}

bool committer_broken(const struct committer *committer)
{
    return atomic_load(&committer->broken);
}
