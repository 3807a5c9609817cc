/* SPDX-License-Identifier: MIT */
#include "scratch.h"
#include "sender/spool.h"
#include "syscall_fault.h"
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>
#include <sys/xattr.h>

static struct scratch scratch;
static char dir[PATH_MAX];
static struct spool *spool;
static struct error err;

static enum status open_spool(bool strict, bool keep, unsigned *swept)
{
    const struct spool_config config = {.dir = dir, .strict = strict, .keep = keep};

    return spool_open(&spool, &config, swept, &err);
}

static void set_up(void)
{
    unsigned swept;

    spool = NULL;
    scratch_create(&scratch);
    snprintf(dir, sizeof dir, "%s/spool", scratch.path);
    ck_assert_int_eq(open_spool(false, false, &swept), ST_OK);
}

static void tear_down(void)
{
    spool_close(&spool);
    scratch_remove(&scratch);
}

static void reopen(bool strict, bool keep)
{
    unsigned swept;

    spool_close(&spool);
    ck_assert_int_eq(open_spool(strict, keep, &swept), ST_OK);
}

static struct uuid id_at(uint64_t ms)
{
    return uuid_generate(ms);
}

/* Bytes by offset, so that a wrong chunk would show. */
static void fill(void *context, uint64_t offset, void *into, size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)into)[i] = (uint8_t)((offset + i) * 7 + ((offset + i) >> 16));
}

static struct uuid store(uint64_t ms, uint64_t bytes)
{
    struct uuid id = id_at(ms);

    ck_assert_int_eq(spool_store(spool, &id, bytes, fill, NULL, &err), ST_OK);
    return id;
}

static const char *path_of(const struct uuid *id, const char *sub)
{
    static char path[PATH_MAX + 64];
    char name[BLOB_FILE_NAME_SIZE];

    snprintf(path, sizeof path, "%s/%s%s", dir, sub, blob_file_name(name, id));
    return path;
}

static bool there(const struct uuid *id, const char *sub)
{
    return access(path_of(id, sub), F_OK) == 0;
}

static size_t pending(void)
{
    struct uuid *ids = NULL;
    size_t count = SIZE_MAX;

    ck_assert_int_eq(spool_list(spool, &ids, &count, &err), ST_OK);
    free(ids);
    return count;
}

static enum status fetch_and_close(const struct uuid *id, struct blob_info *info)
{
    int fd = -1;
    enum status st = spool_fetch(spool, id, &fd, info, &err);

    if (st == ST_OK)
        close(fd);
    return st;
}

static const uint64_t sizes[] = {
    0,
    2,
    SPOOL_CHUNK_BYTES - 2,
    SPOOL_CHUNK_BYTES,
    SPOOL_CHUNK_BYTES + 2,
    3 * SPOOL_CHUNK_BYTES + 100,
};

START_TEST(stored_blob_comes_back_with_its_digest)
{
    struct uuid id = store(1000, sizes[_i]);
    struct sha256_digest digest;
    struct blob_info info;
    int fd = -1;

    ck_assert_int_eq(spool_fetch(spool, &id, &fd, &info, &err), ST_OK);
    ck_assert_uint_eq(info.size, sizes[_i]);
    ck_assert_str_eq(info.type, BLOB_TYPE_INT16LE);
    ck_assert(info.has_digest);
    ck_assert_int_eq(blob_file_digest(fd, &digest, &err), ST_OK);
    ck_assert(sha256_equal(&digest, &info.digest));
    close(fd);
}
END_TEST

START_TEST(pending_blobs_are_listed_oldest_first)
{
    struct uuid late = store(3000, 2), early = store(1000, 2), middle = store(2000, 2);
    struct uuid *ids = NULL;
    size_t count = 0;

    reopen(false, false);
    ck_assert_int_eq(spool_list(spool, &ids, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(uuid_compare(&ids[0], &early), 0);
    ck_assert_int_eq(uuid_compare(&ids[1], &middle), 0);
    ck_assert_int_eq(uuid_compare(&ids[2], &late), 0);
    free(ids);
}
END_TEST

START_TEST(other_files_are_not_blobs)
{
    char path[PATH_MAX + 16];
    FILE *other;

    snprintf(path, sizeof path, "%s/notes.txt", dir);
    other = fopen(path, "w");
    ck_assert_ptr_nonnull(other);
    fclose(other);
    ck_assert_uint_eq(pending(), 0);
}
END_TEST

START_TEST(delivered_blob_is_gone)
{
    struct uuid id = store(1000, 2);
    struct blob_info info;

    ck_assert_int_eq(spool_forget(spool, &id, &err), ST_OK);
    ck_assert_uint_eq(pending(), 0);
    ck_assert_int_eq(fetch_and_close(&id, &info), ST_END);
    ck_assert_int_eq(spool_forget(spool, &id, &err), ST_SYSTEM);
}
END_TEST

START_TEST(delivered_blob_is_kept_when_asked)
{
    struct uuid id;

    reopen(false, true);
    id = store(1000, 2);
    ck_assert_int_eq(spool_forget(spool, &id, &err), ST_OK);
    ck_assert(there(&id, "sent/"));
    ck_assert(!there(&id, ""));
}
END_TEST

START_TEST(dead_letter_keeps_its_bytes_and_its_reason)
{
    struct uuid id;
    struct blob_info info;
    char reason[64] = "";

    reopen(_i == 1, false);
    id = store(1000, 2);
    ck_assert_int_eq(spool_bury(spool, &id, "409 another blob", &err), ST_OK);
    ck_assert_uint_eq(pending(), 0);
    ck_assert_int_eq(
        getxattr(path_of(&id, "dead/"), "user.blob.reason", reason, sizeof reason), 16);
    ck_assert_str_eq(reason, "409 another blob");
    ck_assert_int_eq(fetch_and_close(&id, &info), ST_END);
    ck_assert_int_eq(spool_bury(spool, &id, "again", &err), ST_END);
}
END_TEST

START_TEST(requeued_letter_is_pending_again)
{
    struct uuid id = store(1000, 100);
    char reason[SPOOL_REASON_SIZE];
    struct blob_info info;
    struct uuid *ids;
    size_t count;
    int fd;

    reopen(_i == 1, false);
    ck_assert_int_eq(spool_requeue(spool, &id, &err), ST_END);
    ck_assert_int_eq(spool_bury(spool, &id, "500 too bad", &err), ST_OK);
    ck_assert_int_eq(spool_list_dead(spool, &ids, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(uuid_compare(&ids[0], &id), 0);
    free(ids);
    ck_assert_int_eq(spool_fetch_dead(spool, &id, &fd, &info, reason, &err), ST_OK);
    close(fd);
    ck_assert_str_eq(reason, "500 too bad");
    ck_assert_uint_eq(info.size, 100);

    ck_assert_int_eq(spool_requeue(spool, &id, &err), ST_OK);

    ck_assert_uint_eq(pending(), 1);
    ck_assert(!there(&id, "dead/"));
    ck_assert_int_eq(spool_fetch_dead(spool, &id, &fd, &info, reason, &err), ST_END);
}
END_TEST

START_TEST(requeued_letter_replaces_nothing)
{
    struct uuid id = store(1000, 100);

    ck_assert_int_eq(spool_bury(spool, &id, "why", &err), ST_OK);
    ck_assert_int_eq(spool_store(spool, &id, 200, fill, NULL, &err), ST_OK);
    ck_assert_int_eq(spool_requeue(spool, &id, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, EEXIST);
    ck_assert(there(&id, "dead/"));
}
END_TEST

START_TEST(spool_can_be_looked_at_beside_its_sender)
{
    struct spool *beside = NULL;
    struct uuid id = store(1000, 100), *ids;
    struct blob_info info;
    size_t count;
    int fd;

    ck_assert_int_eq(spool_open_beside(&beside, dir, &err), ST_OK);
    ck_assert_int_eq(spool_list(beside, &ids, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 1);
    free(ids);
    ck_assert_int_eq(spool_fetch(beside, &id, &fd, &info, &err), ST_OK);
    close(fd);
    spool_close(&beside);
    ck_assert_int_eq(spool_open_beside(&beside, "/nowhere/spool", &err), ST_SYSTEM);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/spool"));
}
END_TEST

START_TEST(blob_without_a_digest_is_not_sent)
{
    struct uuid id = store(1000, 2);
    struct blob_info info;

    ck_assert_int_eq(removexattr(path_of(&id, ""), "user.blob.sha256"), 0);
    ck_assert_int_eq(fetch_and_close(&id, &info), ST_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "no digest"));
}
END_TEST

START_TEST(half_a_sample_is_not_sent)
{
    struct uuid id = store(1000, 4);
    struct blob_info info;

    ck_assert_int_eq(truncate(path_of(&id, ""), 3), 0);
    ck_assert_int_eq(fetch_and_close(&id, &info), ST_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "3 bytes"));
}
END_TEST

START_TEST(what_is_not_a_file_is_not_sent)
{
    struct uuid pipe = id_at(1000), link = id_at(2000);
    struct blob_info info;

    ck_assert_int_eq(mkfifo(path_of(&pipe, ""), 0600), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path_of(&link, "")), 0);
    ck_assert_int_eq(fetch_and_close(&pipe, &info), ST_INVALID);
    ck_assert_int_eq(fetch_and_close(&link, &info), ST_SYSTEM);
    ck_assert_int_eq(err.sys, ELOOP);
}
END_TEST

START_TEST(second_sender_is_refused)
{
    struct spool *first = spool;
    unsigned swept;

    ck_assert_int_eq(open_spool(false, false, &swept), ST_REFUSED);
    ck_assert_ptr_eq(spool, first);
    ck_assert_ptr_nonnull(strstr(err.text, dir));
    ck_assert_ptr_nonnull(strstr(err.text, "in use by another sender"));
}
END_TEST

START_TEST(leftovers_of_a_crash_are_swept)
{
    char leftover[PATH_MAX + 32];
    unsigned swept = 0;
    FILE *file;

    spool_close(&spool);
    snprintf(leftover, sizeof leftover, "%s/.incoming-0123", dir);
    file = fopen(leftover, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    ck_assert_int_eq(open_spool(false, false, &swept), ST_OK);
    ck_assert_uint_eq(swept, 1);
    ck_assert_int_eq(access(leftover, F_OK), -1);
}
END_TEST

START_TEST(directory_that_cannot_be_is_named)
{
    unsigned swept;

    spool_close(&spool);
    snprintf(dir, sizeof dir, "%s/no/such", scratch.path);
    ck_assert_int_eq(open_spool(false, false, &swept), ST_SYSTEM);
    ck_assert_ptr_nonnull(strstr(err.text, dir));
    ck_assert_int_eq(err.sys, ENOENT);
}
END_TEST

static int store_on_a_full_disk(void)
{
    struct uuid id = id_at(1000);

    if (spool_store(spool, &id, 1000, fill, NULL, &err) != ST_SYSTEM)
        return 1;
    return err.sys == ENOSPC && strstr(err.text, dir) ? 0 : 2;
}

START_TEST(full_disk_leaves_nothing_behind)
{
    const struct syscall_fault fault = {.number = SYS_write, .sys = ENOSPC};

    syscall_fault_run(&fault, store_on_a_full_disk);
    ck_assert_uint_eq(pending(), 0);
}
END_TEST

static int store_with_failing_fsync(void)
{
    struct uuid id = id_at(1000);

    return spool_store(spool, &id, 1000, fill, NULL, &err) == ST_SYSTEM &&
                   err.sys == EIO
               ? 0
               : 1;
}

START_TEST(strict_spool_does_not_publish_what_it_could_not_sync)
{
    const struct syscall_fault fault = {.number = SYS_fsync, .sys = EIO};

    reopen(true, false);
    syscall_fault_run(&fault, store_with_failing_fsync);
    ck_assert_uint_eq(pending(), 0);
}
END_TEST

static Suite *spool_suite(void)
{
    Suite *suite = suite_create("spool");
    TCase *tcase = tcase_create("spool");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, stored_blob_comes_back_with_its_digest, 0,
                        COUNT_OF(sizes));
    tcase_add_test(tcase, pending_blobs_are_listed_oldest_first);
    tcase_add_test(tcase, other_files_are_not_blobs);
    tcase_add_test(tcase, delivered_blob_is_gone);
    tcase_add_test(tcase, delivered_blob_is_kept_when_asked);
    tcase_add_loop_test(tcase, dead_letter_keeps_its_bytes_and_its_reason, 0, 2);
    tcase_add_loop_test(tcase, requeued_letter_is_pending_again, 0, 2);
    tcase_add_test(tcase, requeued_letter_replaces_nothing);
    tcase_add_test(tcase, spool_can_be_looked_at_beside_its_sender);
    tcase_add_test(tcase, blob_without_a_digest_is_not_sent);
    tcase_add_test(tcase, half_a_sample_is_not_sent);
    tcase_add_test(tcase, what_is_not_a_file_is_not_sent);
    tcase_add_test(tcase, second_sender_is_refused);
    tcase_add_test(tcase, leftovers_of_a_crash_are_swept);
    tcase_add_test(tcase, directory_that_cannot_be_is_named);
    tcase_add_test(tcase, full_disk_leaves_nothing_behind);
    tcase_add_test(tcase, strict_spool_does_not_publish_what_it_could_not_sync);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return sodium_init() < 0 ? EXIT_FAILURE : unit_run(spool_suite());
}
