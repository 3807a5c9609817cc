/* SPDX-License-Identifier: MIT */
#include "receiver/committer.h"
#include "stored.h"
#include "syscall_fault.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#define ID    "019aa7c2-4900-7000-8000-000000000001"
#define SHARD "2025-11-21T18"

static struct scratch scratch;
static struct store *store;
static struct jobs *jobs;
static struct committer *committer;

static void set_up(void)
{
    scratch_create(&scratch);
    store = stored_open(&scratch);
}

static void tear_down(void)
{
    jobs_stop(&jobs);
    committer_destroy(&committer);
    store_close(&store);
    scratch_remove(&scratch);
}

static bool start(enum durability durability)
{
    struct error err;

    return jobs_start(&jobs, "commit", 4, &err) == ST_OK &&
           committer_create(&committer, store, durability, jobs, &err) == ST_OK;
}

static struct commit commit_of(const char *id, const char *text, bool replay)
{
    return (struct commit){
        .id = stored_id(id),
        .digest = upload_digest(text, strlen(text)),
        .file = replay ? NULL : stored_file(store, text),
    };
}

static void post(struct commit *commit)
{
    sem_post(commit->owner);
}

/* Submits and waits. */
static enum status run(struct commit *commit)
{
    sem_t finished;

    sem_init(&finished, 0, 0);
    commit->done = post;
    /* cppcheck-suppress autoVariables ; it is waited for below */
    commit->owner = &finished;
    committer_submit(committer, commit);
    while (sem_wait(&finished) != 0)
        continue;
    sem_destroy(&finished);
    return commit->result;
}

static enum status commit_text(const char *id, const char *text, bool replay)
{
    struct commit commit = commit_of(id, text, replay);
    enum status st = run(&commit);

    ck_assert_ptr_null(commit.file);
    return st;
}

static const enum durability durabilities[] = {DURABILITY_STRICT, DURABILITY_RELAXED};

START_TEST(a_committed_blob_is_stored)
{
    struct uuid id = stored_id(ID);

    ck_assert(start(durabilities[_i]));
    ck_assert_int_eq(commit_text(ID, "payload", false), ST_OK);
    ck_assert(stored_has(store, &id, "payload"));
    ck_assert(!committer_broken(committer));
}
END_TEST

START_TEST(the_same_blob_again_is_a_replay)
{
    struct uuid id = stored_id(ID);

    ck_assert(start(durabilities[_i]));
    ck_assert_int_eq(commit_text(ID, "payload", false), ST_OK);
    ck_assert_int_eq(commit_text(ID, "payload", false), ST_END);
    ck_assert_int_eq(commit_text(ID, "payload", true), ST_END);
    ck_assert(stored_has(store, &id, "payload"));
    ck_assert_uint_eq(stored_count(store), 1);
}
END_TEST

START_TEST(another_blob_of_that_id_is_refused_and_the_stored_one_stays)
{
    struct uuid id = stored_id(ID);

    ck_assert(start(durabilities[_i]));
    ck_assert_int_eq(commit_text(ID, "payload", false), ST_OK);
    ck_assert_int_eq(commit_text(ID, "another", false), ST_REFUSED);
    ck_assert_int_eq(commit_text(ID, "another", true), ST_REFUSED);
    ck_assert(stored_has(store, &id, "payload"));
}
END_TEST

START_TEST(a_stored_blob_without_its_digest_is_read_to_compare)
{
    ck_assert(start(durabilities[_i]));
    ck_assert_int_eq(commit_text(ID, "payload", false), ST_OK);
    ck_assert_int_eq(fchdir(scratch.dir_fd), 0);
    ck_assert_int_eq(removexattr(SHARD "/" ID ".bin", "user.blob.sha256"), 0);

    ck_assert_int_eq(commit_text(ID, "payload", true), ST_END);
    ck_assert_int_eq(commit_text(ID, "another", true), ST_REFUSED);
}
END_TEST

START_TEST(a_replay_of_what_is_gone_may_be_tried_again)
{
    ck_assert(start(durabilities[_i]));
    ck_assert_int_eq(commit_text(ID, "payload", true), ST_AGAIN);
    ck_assert(!committer_broken(committer));
}
END_TEST

START_TEST(relaxed_commits_need_not_wait)
{
    struct commit first = commit_of(ID, "payload", false);
    struct commit same = commit_of(ID, "payload", false);
    struct commit other = commit_of(ID, "another", false);
    struct commit replay = commit_of(ID, "payload", true);

    ck_assert(start(DURABILITY_RELAXED));
    ck_assert(committer_try(committer, &first));
    ck_assert_int_eq(first.result, ST_OK);
    ck_assert_ptr_null(first.file);
    ck_assert(stored_has(store, &first.id, "payload"));

    ck_assert(!committer_try(committer, &same));
    ck_assert_int_eq(run(&same), ST_END);
    ck_assert(!committer_try(committer, &other));
    ck_assert_int_eq(run(&other), ST_REFUSED);
    ck_assert(!committer_try(committer, &replay));
    ck_assert_int_eq(run(&replay), ST_END);
}
END_TEST

START_TEST(strict_commits_always_wait)
{
    struct commit commit = commit_of(ID, "payload", false);

    ck_assert(start(DURABILITY_STRICT));
    ck_assert(!committer_try(committer, &commit));
    ck_assert_uint_eq(stored_count(store), 0);
    ck_assert_int_eq(run(&commit), ST_OK);
}
END_TEST

START_TEST(a_name_that_cannot_be_given_fails_its_commit_only)
{
    struct commit tried = commit_of(ID, "payload", false);
    int fd = openat(scratch.dir_fd, SHARD, O_CREAT | O_WRONLY, 0600);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(start(durabilities[_i]));
    if (durabilities[_i] == DURABILITY_RELAXED) {
        ck_assert(committer_try(committer, &tried));
        ck_assert_int_eq(tried.result, ST_SYSTEM);
        ck_assert_int_eq(tried.error.sys, ENOTDIR);
    }
    durable_file_discard(&tried.file);
    ck_assert_int_eq(commit_text(ID, "payload", false), ST_SYSTEM);
    ck_assert_int_eq(commit_text("019aa7f9-3380-7000-8000-000000000000", "x", false),
                     ST_OK);
    ck_assert(!committer_broken(committer));
}
END_TEST

/* ---- disks that fail; each body runs in a process of its own ---- */

static bool shard_exists(void)
{
    return faccessat(scratch.dir_fd, SHARD, F_OK, 0) == 0;
}

/* No name is tried before the file is synced, or its shard would be there. */
static int sync_file_fails(int sys, bool broken)
{
    struct commit commit = commit_of(ID, "payload", false);

    if (!start(DURABILITY_STRICT))
        return 1;
    if (run(&commit) != ST_SYSTEM || commit.error.sys != sys || commit.file)
        return 2;
    if (stored_count(store) != 0 || shard_exists())
        return 3;
    return committer_broken(committer) == broken ? 0 : 4;
}

static int sync_file_breaks(void)
{
    return sync_file_fails(EIO, true);
}

static int sync_file_is_full(void)
{
    return sync_file_fails(ENOSPC, false);
}

static int sync_file_is_over_quota(void)
{
    return sync_file_fails(EDQUOT, false);
}

static const struct {
    int sys;
    int (*body)(void);
} file_faults[] = {
    {EIO, sync_file_breaks},
    {ENOSPC, sync_file_is_full},
    {EDQUOT, sync_file_is_over_quota},
};

START_TEST(a_file_that_cannot_be_synced_gets_no_name)
{
    const struct syscall_fault fault = {.number = SYS_fsync,
                                        .sys = file_faults[_i].sys};

    syscall_fault_run(&fault, file_faults[_i].body);
}
END_TEST

/* A fault can single out the shard's directory from the blob's file by its descriptor:
 * everything that is opened late gets one with this bit, the files before have none. */
enum { LATE_BIT = 64, LATE_FD = 100, FIRST_FILE_FD = 128 };

static bool take_descriptors(void)
{
    int fd;

    do
        fd = dup(scratch.dir_fd);
    while (fd >= 0 && fd < FIRST_FILE_FD - 1);
    return fd == FIRST_FILE_FD - 1;
}

static int sync_directory_fails(int sys, bool broken)
{
    struct commit first, second;

    if (!take_descriptors() || !start(DURABILITY_STRICT))
        return 1;
    first = commit_of(ID, "payload", false);
    second = commit_of(ID, "payload", false);
    close(LATE_FD);
    if (run(&first) != ST_SYSTEM || first.error.sys != sys ||
        !strstr(first.error.text, SHARD))
        return 2;
    if (!shard_exists() || stored_count(store) != 0)
        return 3;
    if (committer_broken(committer) != broken)
        return 4;
    if (run(&second) != ST_SYSTEM || stored_count(store) != 0)
        return 5;
    return strstr(second.error.text, broken ? "an earlier sync" : SHARD) ? 0 : 6;
}

static int sync_directory_breaks(void)
{
    return sync_directory_fails(EIO, true);
}

static int sync_directory_is_full(void)
{
    return sync_directory_fails(ENOSPC, false);
}

static const struct {
    int sys;
    int (*body)(void);
} directory_faults[] = {
    {EIO, sync_directory_breaks},
    {ENOSPC, sync_directory_is_full},
};

START_TEST(a_name_whose_directory_cannot_be_synced_is_taken_back)
{
    const struct syscall_fault fault = {.number = SYS_fsync,
                                        .argument = 0,
                                        .mask = LATE_BIT,
                                        .sys = directory_faults[_i].sys};

    syscall_fault_run(&fault, directory_faults[_i].body);
}
END_TEST

static bool stored_in_quarantine(const char *id)
{
    char path[80];

    snprintf(path, sizeof path, "quarantine/%s.bin", id);
    return faccessat(scratch.dir_fd, path, F_OK, 0) == 0;
}

/* A replay is an acknowledgement like any other, and so is the next one: after the
 * first the kernel would say that all is well. */
static int replay_on_a_bad_disk(void)
{
    struct commit replay = commit_of(ID, "payload", true);

    if (!start(DURABILITY_STRICT))
        return 1;
    if (run(&replay) != ST_SYSTEM || replay.error.sys != EIO)
        return 2;
    if (!committer_broken(committer))
        return 3;
    return stored_count(store) == 0 && stored_in_quarantine(ID) ? 0 : 4;
}

START_TEST(a_replay_that_cannot_be_synced_is_put_aside_and_never_acknowledged)
{
    const struct syscall_fault fault = {.number = SYS_fsync, .sys = EIO};

    stored_put(store, ID, "payload");
    syscall_fault_run(&fault, replay_on_a_bad_disk);
}
END_TEST

static int commit_relaxed(void)
{
    struct commit commit = commit_of(ID, "payload", false);

    if (!start(DURABILITY_RELAXED))
        return 1;
    return run(&commit) == ST_OK && !committer_broken(committer) ? 0 : 2;
}

START_TEST(relaxed_commits_do_not_sync)
{
    const struct syscall_fault fault = {.number = SYS_fsync, .sys = EIO};

    syscall_fault_run(&fault, commit_relaxed);
}
END_TEST

START_TEST(running_out_of_descriptors_passes)
{
    struct rlimit before, tight;
    struct commit commit;
    int lowest = dup(scratch.dir_fd);

    close(lowest); /* becomes the file's, and free again when it has its name */
    commit = commit_of(ID, "payload", false);
    ck_assert(start(DURABILITY_STRICT));
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)lowest;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    (void)run(&commit);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);

    ck_assert_int_eq(commit.result, ST_SYSTEM);
    ck_assert_int_eq(commit.error.sys, EMFILE);
    ck_assert(!committer_broken(committer));
    ck_assert_uint_eq(stored_count(store), 0);
    ck_assert_int_eq(commit_text(ID, "payload", false), ST_OK);
}
END_TEST

/* ---- many at a time ---- */

enum { SUBMITTERS = 8, EACH = 24 };

struct submitter {
    pthread_t thread;
    struct commit commit[EACH];
    sem_t finished;
};

/* Everything at once, then waits for everything. */
static void *submit(void *context)
{
    struct submitter *submitter = context;

    for (size_t i = 0; i < EACH; i++)
        committer_submit(committer, &submitter->commit[i]);
    for (size_t i = 0; i < EACH; i++)
        while (sem_wait(&submitter->finished) != 0)
            continue;
    return NULL;
}

/* In four shards and more; submitters 2n and 2n+1 upload the same blobs. */
static void prepare(struct submitter *submitter, unsigned index)
{
    static const char *const shard[] = {
        "019aa7c2-4900-7000-8000", "019aa7f9-3380-7000-8000", "94afe877-1111-4222-8333",
        "019c0000-0000-7000-8000"};

    sem_init(&submitter->finished, 0, 0);
    for (unsigned i = 0; i < EACH; i++) {
        char id[UUID_TEXT_SIZE];

        snprintf(id, sizeof id, "%s-4444%04x%04x", shard[i % COUNT_OF(shard)],
                 (index / 2) & 0xffffu, i);
        submitter->commit[i] = commit_of(id, id, false);
        submitter->commit[i].done = post;
        submitter->commit[i].owner = &submitter->finished;
    }
}

START_TEST(each_of_many_commits_is_done_once)
{
    struct submitter *submitters = calloc(SUBMITTERS, sizeof *submitters);
    unsigned stored = 0, replayed = 0;

    ck_assert_ptr_nonnull(submitters);
    ck_assert(start(durabilities[_i]));
    for (unsigned i = 0; i < SUBMITTERS; i++)
        prepare(&submitters[i], i);
    for (unsigned i = 0; i < SUBMITTERS; i++)
        ck_assert_int_eq(
            pthread_create(&submitters[i].thread, NULL, submit, &submitters[i]), 0);
    for (unsigned i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);

    for (unsigned i = 0; i < SUBMITTERS; i++) {
        for (unsigned j = 0; j < EACH; j++) {
            const struct commit *commit = &submitters[i].commit[j];
            char id[UUID_TEXT_SIZE];

            stored += commit->result == ST_OK;
            replayed += commit->result == ST_END;
            ck_assert(stored_has(store, &commit->id, uuid_format(id, &commit->id)));
        }
        sem_destroy(&submitters[i].finished);
    }
    ck_assert_uint_eq(stored, SUBMITTERS / 2 * EACH);
    ck_assert_uint_eq(replayed, SUBMITTERS / 2 * EACH);
    ck_assert_uint_eq(stored_count(store), stored);
    free(submitters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("committer");
    TCase *cases = tcase_create("committer");
    const int both = COUNT_OF(durabilities);

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, a_committed_blob_is_stored, 0, both);
    tcase_add_loop_test(cases, the_same_blob_again_is_a_replay, 0, both);
    tcase_add_loop_test(
        cases, another_blob_of_that_id_is_refused_and_the_stored_one_stays, 0, both);
    tcase_add_loop_test(cases, a_stored_blob_without_its_digest_is_read_to_compare, 0,
                        both);
    tcase_add_loop_test(cases, a_replay_of_what_is_gone_may_be_tried_again, 0, both);
    tcase_add_test(cases, relaxed_commits_need_not_wait);
    tcase_add_test(cases, strict_commits_always_wait);
    tcase_add_loop_test(cases, a_name_that_cannot_be_given_fails_its_commit_only, 0,
                        both);
    tcase_add_loop_test(cases, a_file_that_cannot_be_synced_gets_no_name, 0,
                        COUNT_OF(file_faults));
    tcase_add_loop_test(cases, a_name_whose_directory_cannot_be_synced_is_taken_back, 0,
                        COUNT_OF(directory_faults));
    tcase_add_test(cases,
                   a_replay_that_cannot_be_synced_is_put_aside_and_never_acknowledged);
    tcase_add_test(cases, relaxed_commits_do_not_sync);
    tcase_add_test(cases, running_out_of_descriptors_passes);
    tcase_add_loop_test(cases, each_of_many_commits_is_done_once, 0, both);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
