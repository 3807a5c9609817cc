/* SPDX-License-Identifier: MIT */
#include "receiver/committer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const durability_names[] = {"strict", "relaxed", NULL};

struct committer {
    struct store *store;
    struct jobs *jobs;
    enum durability durability;
    atomic_bool broken;
    atomic_uint_fast64_t sync_failures;
    struct {                  /* commits whose directory is not synced yet */
        pthread_mutex_t lock; /* guards everything in here */
        struct commit *first, **last;
        bool has_leader; /* who has store_sync_shard to itself */
    } named;
};

/* A full disk, or no descriptor to sync a directory with. */
static bool passes(int sys)
{
    return sys == ENOSPC || sys == EDQUOT || sys == EFBIG || sys == EMFILE ||
           sys == ENFILE || sys == ENOMEM;
}

/* What passes is told to the client; any other failed sync means that what the kernel
 * says about this file system can no longer be believed. */
static enum status sync_failed(struct committer *committer, const struct error *err)
{
    atomic_fetch_add(&committer->sync_failures, 1);
    if (!passes(err->sys))
        atomic_store(&committer->broken, true);
    return err->status;
}

/* Before every sync: the kernel reports a failure once and then forgets it. */
static enum status check_disk(const struct committer *committer, struct error *err)
{
    if (committer_broken(committer))
        return error_sys(err, EIO, "an earlier sync failed");
    return ST_OK;
}

static void finish(struct commit *commit, enum status result)
{
    durable_file_discard(&commit->file);
    commit->result = result;
    commit->done(commit);
}

static enum status vanished(struct commit *commit)
{
    return error_set(&commit->error, ST_AGAIN, "the stored blob vanished meanwhile");
}

/* It may have been stored under relaxed durability, or a moment ago. */
static enum status sync_stored(struct committer *committer, const struct uuid *id,
                               int fd, struct error *err)
{
    enum status st = check_disk(committer, err);
    struct error aside;

    if (st != ST_OK || fsync(fd) == 0)
        return st;
    (void)error_sys(err, errno, "sync the stored blob");
    /* Its pages count as written now, so a later sync would succeed and mean nothing.
     * Out of the way, the blob can be delivered anew. */
    if (store_quarantine(committer->store, id, &aside) != ST_OK)
        atomic_store(&committer->broken, true);
    return sync_failed(committer, err);
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
        return vanished(commit);
    if (st != ST_OK)
        return st;
    if (!info.has_digest)
        st = blob_file_digest(fd, &info.digest, err);
    if (st == ST_OK && !sha256_equal(&info.digest, &commit->digest))
        st = ST_REFUSED;
    if (st == ST_OK && committer->durability == DURABILITY_STRICT)
        st = sync_stored(committer, &commit->id, fd, err);
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
        st = check_disk(committer, err);
        if (st != ST_OK)
            return st;
        st = durable_file_sync(commit->file, err);
        if (st != ST_OK)
            return sync_failed(committer, err);
    }
    st = store_publish(committer->store, &commit->file, &commit->id, err);
    if (st == ST_REFUSED)
        return compare_stored(committer, commit);
    return st;
}

/* Splits the commits of the first one's shard off the list, in order. */
static struct commit *take_shard(struct commit **list, struct store_shard *shard)
{
    struct commit *same = NULL, **last = &same;

    *shard = store_shard_of(&(*list)->id);
    while (*list) {
        struct store_shard other = store_shard_of(&(*list)->id);

        if (strcmp(other.path, shard->path) != 0) {
            list = &(*list)->next;
            continue;
        }
        *last = *list;
        *list = (*list)->next;
        last = &(*last)->next;
        *last = NULL;
    }
    return same;
}

/* A replay may have found a blob that a leader has withdrawn since, and another may
 * have been stored in its place. */
static enum status find_again(struct committer *committer, struct commit *commit)
{
    struct blob_info info;
    enum status st;
    int fd;

    st = store_find(committer->store, &commit->id, &fd, &info, &commit->error);
    if (st == ST_END)
        return vanished(commit);
    if (st != ST_OK)
        return st;
    close(fd);
    if (info.has_digest && !sha256_equal(&info.digest, &commit->digest))
        return vanished(commit);
    return ST_END;
}

/* One sync of a directory for all that was named in it meanwhile. */
static void sync_shard(struct committer *committer, const struct store_shard *shard,
                       struct commit *commit)
{
    struct error err;
    enum status st = check_disk(committer, &err);

    if (st == ST_OK)
        st = store_sync_shard(committer->store, shard, &err);
    if (st != ST_OK)
        st = sync_failed(committer, &err);
    while (commit) {
        struct commit *next = commit->next; /* done may free it */

        if (st != ST_OK) {
            if (commit->result == ST_OK)
                store_withdraw(committer->store, &commit->id);
            commit->error = err;
            commit->result = st;
        } else if (commit->result == ST_END) {
            commit->result = find_again(committer, commit);
        }
        finish(commit, commit->result);
        commit = next;
    }
}

static void sync_group(struct committer *committer, struct commit *list)
{
    while (list) {
        struct store_shard shard;
        struct commit *same = take_shard(&list, &shard);

        sync_shard(committer, &shard, same);
    }
}

/* Whoever comes first leads: it syncs for everybody who gathers while it is at it, and
 * goes on until nobody is left. The others go back to their next job at once. */
static void join_group(struct committer *committer, struct commit *commit)
{
    pthread_mutex_lock(&committer->named.lock);
    commit->next = NULL;
    *committer->named.last = commit;
    committer->named.last = &commit->next;
    if (!committer->named.has_leader) {
        committer->named.has_leader = true;
        while (committer->named.first) {
            struct commit *group = committer->named.first;

            committer->named.first = NULL;
            committer->named.last = &committer->named.first;
            pthread_mutex_unlock(&committer->named.lock);
            sync_group(committer, group);
            pthread_mutex_lock(&committer->named.lock);
        }
        committer->named.has_leader = false;
    }
    pthread_mutex_unlock(&committer->named.lock);
}

static void run(struct job *job)
{
    struct commit *commit = (struct commit *)job;
    struct committer *committer = commit->committer;
    enum status st = sync_and_name(committer, commit);

    commit->result = st;
    if ((st == ST_OK || st == ST_END) && committer->durability == DURABILITY_STRICT)
        join_group(committer, commit);
    else
        finish(commit, st);
}

enum status committer_create(struct committer **out, struct store *store,
                             enum durability durability, struct jobs *jobs,
                             struct error *err)
{
    struct committer *committer = calloc(1, sizeof(*committer));

    if (!committer)
        return error_sys(err, ENOMEM, "create the committer");
    committer->store = store;
    committer->jobs = jobs;
    committer->durability = durability;
    pthread_mutex_init(&committer->named.lock, NULL);
    committer->named.last = &committer->named.first;
    *out = committer;
    return ST_OK;
}

void committer_destroy(struct committer **committer)
{
    if (!*committer)
        return;
    pthread_mutex_destroy(&(*committer)->named.lock);
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

uint64_t committer_sync_failures(const struct committer *committer)
{
    return atomic_load(&committer->sync_failures);
}

bool committer_broken(const struct committer *committer)
{
    return atomic_load(&committer->broken);
}
