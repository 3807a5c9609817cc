/* SPDX-License-Identifier: MIT */
#include "receiver/store.h"
#include "stored.h"
#include "syscall_fault.h"
#include "unit.h"

#include <errno.h>
#include <sys/xattr.h>

static struct scratch scratch;
static struct store *store;

static void set_up(void)
{
    scratch_create(&scratch);
    store = stored_open(&scratch);
}

static void tear_down(void)
{
    store_close(&store);
    scratch_remove(&scratch);
}

static bool exists(const char *path)
{
    struct stat about;

    return fstatat(scratch.dir_fd, path, &about, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put_file(const char *path, const char *text)
{
    int fd = openat(scratch.dir_fd, path, O_CREAT | O_EXCL | O_WRONLY, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* ---- where a blob lives ---- */

static const struct {
    const char *id, *shard;
} places[] = {
    {"019aa7c2-4900-7000-8000-000000000000", "2025-11-21T18"},
    {"019aa7f9-3380-7000-8000-000000000000", "2025-11-21T19"},
    {"00000000-0000-7000-8000-000000000000", "1970-01-01T00"},
    {"e677d21f-dbff-7fff-bfff-ffffffffffff", "9999-12-31T23"},
    {"e677d21f-dc00-7000-8000-0000000000ab", "other/ab"}, /* the year 10000 */
    {"ffffffff-ffff-7fff-bfff-ffffffffff00", "other/00"},
    {"94afe877-1111-4222-8333-44445555666f", "other/6f"},
    {"019aa7c2-4900-6000-8000-0000000000f0", "other/f0"},
    {"019aa7c2-4900-7000-c000-000000000001", "other/01"}, /* not RFC 9562's variant */
};

START_TEST(a_blob_lives_in_the_hour_of_its_id)
{
    struct uuid id = stored_id(places[_i].id);
    char path[96];
    struct stat about;

    ck_assert_str_eq(store_shard_of(&id).path, places[_i].shard);
    stored_put(store, places[_i].id, "payload");

    snprintf(path, sizeof path, "%s/%s.bin", places[_i].shard, places[_i].id);
    ck_assert_int_eq(fstatat(scratch.dir_fd, path, &about, 0), 0);
    ck_assert_int_eq(about.st_size, 7);
    ck_assert_uint_eq(about.st_mode & 0137, 0);
    ck_assert(stored_has(store, &id, "payload"));
    ck_assert_uint_eq(stored_count(store), 1);
}
END_TEST

#define ID "019aa7c2-4900-7000-8000-000000000001"

START_TEST(an_id_is_given_once)
{
    struct durable_file *file = stored_file(store, "second");
    struct uuid id = stored_id(ID), other = stored_id(places[6].id);
    struct error err;

    stored_put(store, ID, "first");

    ck_assert_int_eq(store_publish(store, &file, &id, &err), ST_REFUSED);
    ck_assert_int_eq(err.sys, EEXIST);
    ck_assert_ptr_nonnull(file);
    ck_assert(stored_has(store, &id, "first"));

    ck_assert_int_eq(store_publish(store, &file, &other, &err), ST_OK);
    ck_assert_ptr_null(file);
    ck_assert(stored_has(store, &other, "second"));
}
END_TEST

START_TEST(what_is_found_has_its_description)
{
    struct uuid id = stored_id(ID);
    struct blob_info info;
    struct error err;
    int fd;

    stored_put(store, ID, "text");
    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_OK);
    close(fd);
    ck_assert_str_eq(info.type, "text/plain");
    ck_assert_uint_eq(info.size, 4);
    ck_assert(info.has_digest);
    ck_assert_int_gt(info.modified_s, 0);
}
END_TEST

START_TEST(a_file_that_was_not_published_leaves_nothing)
{
    struct durable_file *file = stored_file(store, "x");

    durable_file_discard(&file);
    ck_assert_uint_eq(stored_count(store), 0);
}
END_TEST

START_TEST(a_withdrawn_blob_is_gone)
{
    struct uuid id = stored_id(ID);

    stored_put(store, ID, "x");
    store_withdraw(store, &id);
    ck_assert(!stored_has(store, &id, "x"));
    ck_assert_uint_eq(stored_count(store), 0);
    store_withdraw(store, &id);
}
END_TEST

/* ---- what was put there by hand ---- */

START_TEST(what_is_not_a_blob_is_not_found)
{
    struct uuid id = stored_id(ID);
    struct blob_info info;
    struct error err;
    int fd = -7;

    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_END);
    put_file("2025-11-21T18", "not a directory");
    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_END);
    ck_assert_int_eq(unlinkat(scratch.dir_fd, "2025-11-21T18", 0), 0);

    ck_assert_int_eq(mkdirat(scratch.dir_fd, "2025-11-21T18", 0700), 0);
    ck_assert_int_eq(mkdirat(scratch.dir_fd, "2025-11-21T18/" ID ".bin", 0700), 0);
    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_END);
    ck_assert_int_eq(unlinkat(scratch.dir_fd, "2025-11-21T18/" ID ".bin", AT_REMOVEDIR),
                     0);

    ck_assert_int_eq(
        symlinkat("/etc/passwd", scratch.dir_fd, "2025-11-21T18/" ID ".bin"), 0);
    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_END);
    ck_assert_int_eq(unlinkat(scratch.dir_fd, "2025-11-21T18/" ID ".bin", 0), 0);
    ck_assert_int_eq(mkfifoat(scratch.dir_fd, "2025-11-21T18/" ID ".bin", 0600), 0);
    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_END);
    ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(a_blob_copied_in_by_hand_is_found_without_a_digest)
{
    struct uuid id = stored_id(ID);
    struct blob_info info;
    struct error err;
    int fd;

    ck_assert_int_eq(mkdirat(scratch.dir_fd, "2025-11-21T18", 0700), 0);
    put_file("2025-11-21T18/" ID ".bin", "by hand");
    ck_assert_int_eq(store_find(store, &id, &fd, &info, &err), ST_OK);
    close(fd);
    ck_assert(!info.has_digest);
    ck_assert_str_eq(info.type, BLOB_TYPE_DEFAULT);
    ck_assert_uint_eq(stored_count(store), 1);
}
END_TEST

/* ---- listing ---- */

static const char *const listed[] = {
    /* in the order of the list */
    "00000000-0000-7000-8000-000000000000", "019aa7c2-4900-7000-8000-000000000001",
    "019aa7c2-4900-7000-8000-000000000002", "019aa7c2-4901-7000-8000-000000000000",
    "019aa7f9-3380-7000-8000-000000000000", "019c0000-0000-7000-8000-000000000000",
    "e677d21f-dbff-7fff-bfff-ffffffffffff", "a4afe877-1111-4222-8333-444455556600",
    "e677d21f-dc00-7000-8000-000000000000", "04afe877-1111-4222-8333-44445555660a",
    "14afe877-1111-4222-8333-44445555660a", "04afe877-1111-4222-8333-4444555566ff",
};

/* Out of order. */
static void put_listed(void)
{
    for (size_t i = 0; i < COUNT_OF(listed); i++)
        stored_put(store, listed[i * 5 % COUNT_OF(listed)], "x");
}

/* Things an operator, an editor or a file system leaves behind. */
static void put_strangers(void)
{
    static const char *const directories[] = {
        "lost+found",        "2025-11-21",   "2025-11-21T18.old", "2025-11-21T1x",
        "other/lost",        "other/AB",     "other/abc",         "other/2025-11-21T18",
        "2025-11-21T18/sub", "2025-11-21T20"};
    static const char *const files[] = {
        "notes.txt",
        "019aa7c2-4900-7000-8000-000000000003.bin",
        "2025-11-21T18/.019aa7c2-4900-7000-8000-000000000003.bin.swp",
        "2025-11-21T18/019aa7c2-4900-7000-8000-000000000003",
        "2025-11-21T18/019aa7c2-4900-7000-8000-000000000003.bin~",
        "2025-11-21T18/019AA7C2-4900-7000-8000-000000000003.bin",
        "2025-11-21T18/04afe877-1111-4222-8333-44445555660a.bin",
        "2025-11-21T18/00000000-0000-7000-8000-000000000001.bin",
        "2025-11-21T20/019aa7c2-4900-7000-8000-000000000004.bin",
        "2025-11-21T21",
        "other/0b",
        "other/ff/019aa7c2-4900-7000-8000-0000000000ff.bin",
    };

    for (size_t i = 0; i < COUNT_OF(directories); i++)
        ck_assert_int_eq(mkdirat(scratch.dir_fd, directories[i], 0700), 0);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        put_file(files[i], "stranger");
}

static void assert_pages(size_t limit)
{
    struct uuid ids[COUNT_OF(listed) + 1], after;
    struct error err;
    size_t seen = 0, count;

    for (;;) {
        ck_assert_int_eq(
            store_list(store, seen ? &after : NULL, ids, limit, &count, &err), ST_OK);
        ck_assert_uint_le(count, limit);
        ck_assert_uint_le(seen + count, COUNT_OF(listed));
        for (size_t i = 0; i < count; i++) {
            char text[UUID_TEXT_SIZE];

            ck_assert_str_eq(uuid_format(text, &ids[i]), listed[seen++]);
        }
        if (count < limit)
            break;
        after = ids[count - 1];
    }
    ck_assert_uint_eq(seen, COUNT_OF(listed));
}

START_TEST(pages_of_every_length_show_each_blob_once_in_order)
{
    put_listed();
    for (size_t limit = 1; limit <= COUNT_OF(listed) + 1; limit++)
        assert_pages(limit);
}
END_TEST

START_TEST(strangers_are_neither_listed_nor_in_the_way)
{
    put_listed();
    put_strangers();
    for (size_t limit = 1; limit <= COUNT_OF(listed) + 1; limit++)
        assert_pages(limit);
}
END_TEST

/* A cursor need not be stored any more: the list goes on behind it. */
static const struct {
    const char *after;
    const char *next; /* NULL: the end */
} cursors[] = {
    {"019aa7c2-4900-7000-8000-0000000000ff", "019aa7c2-4901-7000-8000-000000000000"},
    {"01970000-0000-7000-8000-000000000000", "019aa7c2-4900-7000-8000-000000000001"},
    {"019e0000-0000-7000-8000-000000000000", "e677d21f-dbff-7fff-bfff-ffffffffffff"},
    {"14afe877-1111-4222-8333-44445555660c", "04afe877-1111-4222-8333-4444555566ff"},
    {"04afe877-1111-4222-8333-4444555566ff", NULL},
};

START_TEST(a_cursor_need_not_exist)
{
    struct uuid after = stored_id(cursors[_i].after), id;
    char text[UUID_TEXT_SIZE];
    struct error err;
    size_t count = 7;

    put_listed();
    ck_assert_int_eq(store_list(store, &after, &id, 1, &count, &err), ST_OK);
    ck_assert_uint_eq(count, cursors[_i].next ? 1 : 0);
    if (cursors[_i].next)
        ck_assert_str_eq(uuid_format(text, &id), cursors[_i].next);
}
END_TEST

START_TEST(a_busy_hour_is_listed_in_pages_smaller_than_it)
{
    enum { BLOBS = 300, LIMIT = 7 };
    struct uuid ids[LIMIT], after;
    struct error err;
    size_t seen = 0, count;

    ck_assert_int_eq(mkdirat(scratch.dir_fd, "2025-11-21T18", 0700), 0);
    for (unsigned i = 0; i < BLOBS; i++) {
        char path[96];

        snprintf(path, sizeof path, "2025-11-21T18/019aa7c2-4900-7000-8000-%012x.bin",
                 i * 7 % BLOBS);
        put_file(path, "x");
    }
    do {
        ck_assert_int_eq(
            store_list(store, seen ? &after : NULL, ids, LIMIT, &count, &err), ST_OK);
        for (size_t i = 0; i < count; i++, seen++)
            ck_assert_uint_eq(ids[i].bytes[14] * 256u + ids[i].bytes[15], seen);
        if (count > 0)
            after = ids[count - 1];
    } while (count > 0);
    ck_assert_uint_eq(seen, BLOBS);
}
END_TEST

START_TEST(an_empty_store_lists_nothing)
{
    ck_assert_uint_eq(stored_count(store), 0);
}
END_TEST

/* ---- syncing ---- */

START_TEST(a_shard_can_be_synced_again_and_again)
{
    struct error err;

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct uuid id = stored_id(places[i].id);
        struct store_shard shard = store_shard_of(&id);

        stored_put(store, places[i].id, "x");
        ck_assert_int_eq(store_sync_shard(store, &shard, &err), ST_OK);
        ck_assert_int_eq(store_sync_shard(store, &shard, &err), ST_OK);
    }
}
END_TEST

static int sync_on_a_bad_disk(void)
{
    const struct store_shard shard = {"2025-11-21T18"}, missing = {"2025-11-21T19"};
    struct error err;

    if (store_sync_shard(store, &shard, &err) != ST_SYSTEM || err.sys != EIO ||
        !strstr(err.text, "shard '2025-11-21T18'"))
        return 1;
    if (store_sync_shard(store, &missing, &err) != ST_SYSTEM || err.sys != ENOENT)
        return 2;
    return 0;
}

START_TEST(a_failed_sync_names_the_shard)
{
    const struct syscall_fault fault = {.number = SYS_fsync, .sys = EIO};

    stored_put(store, ID, "x");
    syscall_fault_run(&fault, sync_on_a_bad_disk);
}
END_TEST

/* ---- opening ---- */

START_TEST(what_a_crash_left_is_swept_and_counted)
{
    struct uuid id = stored_id(ID);
    struct error err;
    unsigned swept = 7;

    stored_put(store, ID, "x");
    put_file(".incoming-1", "half");
    put_file(".incoming-2", "");
    store_close(&store);

    ck_assert_int_eq(store_open(&store, scratch.path, &swept, &err), ST_OK);
    ck_assert_uint_eq(swept, 2);
    ck_assert(!exists(".incoming-1") && !exists(".incoming-2"));
    ck_assert(stored_has(store, &id, "x"));
    store_close(&store);
    ck_assert_int_eq(store_open(&store, scratch.path, &swept, &err), ST_OK);
    ck_assert_uint_eq(swept, 0);
}
END_TEST

START_TEST(a_directory_has_one_store)
{
    struct store *second = NULL;
    struct error err;
    unsigned swept = 7;

    put_file(".incoming-1", "the first one's");
    ck_assert_int_eq(store_open(&second, scratch.path, &swept, &err), ST_REFUSED);
    ck_assert_ptr_nonnull(strstr(err.text, scratch.path));
    ck_assert_ptr_nonnull(strstr(err.text, "another receiver"));
    ck_assert_ptr_null(second);
    ck_assert_uint_eq(swept, 7);
    ck_assert(exists(".incoming-1"));

    store_close(&store);
    store_close(&store);
    ck_assert_int_eq(store_open(&second, scratch.path, &swept, &err), ST_OK);
    store_close(&second);
}
END_TEST

static const char *const fresh[] = {"new", "new/", "./new", "new//"};

START_TEST(a_missing_directory_is_made)
{
    struct store *made = NULL;
    struct error err = {.text = ""};
    unsigned swept;
    char path[512];

    snprintf(path, sizeof path, "%s/%s", scratch.path, fresh[_i]);
    ck_assert_msg(store_open(&made, path, &swept, &err) == ST_OK, "%s", err.text);
    ck_assert(exists("new/other"));
    store_close(&made);
}
END_TEST

START_TEST(a_relative_directory_will_do)
{
    struct store *made = NULL;
    struct error err;
    unsigned swept;

    ck_assert_int_eq(fchdir(scratch.dir_fd), 0);
    ck_assert_int_eq(store_open(&made, "new", &swept, &err), ST_OK);
    ck_assert(exists("new/other"));
    store_close(&made);
}
END_TEST

static const struct {
    const char *name;
    int sys;
} unusable[] = {
    {"no/such/parent", ENOENT},
    {"file", ENOTDIR},
    {"file/new", ENOTDIR},
};

START_TEST(an_unusable_directory_is_named)
{
    struct store *made = NULL;
    struct error err;
    unsigned swept;
    char path[512];

    put_file("file", "");
    snprintf(path, sizeof path, "%s/%s", scratch.path, unusable[_i].name);
    ck_assert_int_eq(store_open(&made, path, &swept, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, unusable[_i].sys);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_null(made);
}
END_TEST

static int open_new(enum status expected, int sys)
{
    struct store *made = NULL;
    struct error err = {.sys = 0};
    unsigned swept;
    char path[512];

    snprintf(path, sizeof path, "%s/new", scratch.path);
    if (store_open(&made, path, &swept, &err) != expected || err.sys != sys)
        return 1;
    return strstr(err.text, path) && !made ? 0 : 2;
}

static int open_without_attributes(void)
{
    return open_new(ST_REFUSED, 0);
}

static int open_on_a_bad_disk(void)
{
    return open_new(ST_SYSTEM, EIO);
}

START_TEST(a_file_system_without_attributes_is_refused)
{
    const struct syscall_fault fault = {.number = SYS_fsetxattr, .sys = ENOTSUP};

    syscall_fault_run(&fault, open_without_attributes);
}
END_TEST

START_TEST(a_directory_that_cannot_be_synced_is_refused)
{
    const struct syscall_fault fault = {.number = SYS_fsync, .sys = EIO};

    syscall_fault_run(&fault, open_on_a_bad_disk);
}
END_TEST

static TCase *blob_cases(void)
{
    TCase *cases = tcase_create("blobs");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, a_blob_lives_in_the_hour_of_its_id, 0, COUNT_OF(places));
    tcase_add_test(cases, an_id_is_given_once);
    tcase_add_test(cases, what_is_found_has_its_description);
    tcase_add_test(cases, a_file_that_was_not_published_leaves_nothing);
    tcase_add_test(cases, a_withdrawn_blob_is_gone);
    tcase_add_test(cases, what_is_not_a_blob_is_not_found);
    tcase_add_test(cases, a_blob_copied_in_by_hand_is_found_without_a_digest);
    tcase_add_test(cases, a_shard_can_be_synced_again_and_again);
    tcase_add_test(cases, a_failed_sync_names_the_shard);
    return cases;
}

static TCase *list_cases(void)
{
    TCase *cases = tcase_create("list");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, pages_of_every_length_show_each_blob_once_in_order);
    tcase_add_test(cases, strangers_are_neither_listed_nor_in_the_way);
    tcase_add_loop_test(cases, a_cursor_need_not_exist, 0, COUNT_OF(cursors));
    tcase_add_test(cases, a_busy_hour_is_listed_in_pages_smaller_than_it);
    tcase_add_test(cases, an_empty_store_lists_nothing);
    return cases;
}

static TCase *open_cases(void)
{
    TCase *cases = tcase_create("open");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, what_a_crash_left_is_swept_and_counted);
    tcase_add_test(cases, a_directory_has_one_store);
    tcase_add_loop_test(cases, a_missing_directory_is_made, 0, COUNT_OF(fresh));
    tcase_add_test(cases, a_relative_directory_will_do);
    tcase_add_loop_test(cases, an_unusable_directory_is_named, 0, COUNT_OF(unusable));
    tcase_add_test(cases, a_file_system_without_attributes_is_refused);
    tcase_add_test(cases, a_directory_that_cannot_be_synced_is_refused);
    return cases;
}

int main(void)
{
    Suite *suite = suite_create("store");

    suite_add_tcase(suite, blob_cases());
    suite_add_tcase(suite, list_cases());
    suite_add_tcase(suite, open_cases());
    return unit_run(suite);
}
