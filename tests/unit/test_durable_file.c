/* SPDX-License-Identifier: MIT */
#include "common/durable_file.h"
#include "scratch.h"
#include "syscall_fault.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>

static struct scratch scratch;

static void set_up(void)
{
    scratch_create(&scratch);
}

static void tear_down(void)
{
    scratch_remove(&scratch);
}

/* Every behaviour holds for both kinds of hidden file. */
typedef enum status creator(struct durable_file **out, int dir_fd, struct error *err);

static creator *const creators[] = {durable_file_create, durable_file_create_named};

static struct durable_file *create(int kind)
{
    struct durable_file *file = NULL;
    struct error err;

    ck_assert_int_eq(creators[kind](&file, scratch.dir_fd, &err), ST_OK);
    return file;
}

static void write_text(struct durable_file *file, const char *text)
{
    struct error err;

    ck_assert_int_eq(durable_file_write(file, text, strlen(text), &err), ST_OK);
}

static void put(const char *name, const char *text)
{
    int fd = openat(scratch.dir_fd, name, O_CREAT | O_EXCL | O_WRONLY, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_content(const char *name, const char *expected)
{
    char text[256];
    int fd = openat(scratch.dir_fd, name, O_RDONLY);
    ssize_t n;

    ck_assert_int_ge(fd, 0);
    n = read(fd, text, sizeof text - 1);
    close(fd);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    ck_assert_str_eq(text, expected);
}

/* Entries of the directory; with a prefix, those that begin with it. */
static unsigned entries(const char *prefix)
{
    DIR *dir = opendir(scratch.path);
    unsigned count = 0;
    struct dirent *entry;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    closedir(dir);
    return count;
}

START_TEST(a_published_file_has_its_bytes_mode_and_attributes)
{
    struct durable_file *file = create(_i);
    struct error err;
    struct stat about;
    char value[8];

    write_text(file, "hello ");
    write_text(file, "world");
    ck_assert_uint_eq(durable_file_size(file), 11);
    ck_assert_int_eq(durable_file_set_attribute(file, "user.x", "abc", 3, &err), ST_OK);
    ck_assert_int_eq(durable_file_sync(file, &err), ST_OK);
    ck_assert_int_eq(durable_file_publish(&file, scratch.dir_fd, "blob", &err), ST_OK);
    ck_assert_int_eq(durable_directory_sync(scratch.dir_fd, &err), ST_OK);

    ck_assert_ptr_null(file);
    assert_content("blob", "hello world");
    ck_assert_uint_eq(entries(""), 1);
    ck_assert_int_eq(fstatat(scratch.dir_fd, "blob", &about, 0), 0);
    ck_assert_uint_eq(about.st_mode & 0137, 0);
    ck_assert_uint_eq(about.st_nlink, 1);
    ck_assert_int_eq(fchdir(scratch.dir_fd), 0);
    ck_assert_int_eq(getxattr("blob", "user.x", value, sizeof value), 3);
    ck_assert_mem_eq(value, "abc", 3);
}
END_TEST

START_TEST(publish_never_replaces)
{
    struct durable_file *file = create(_i);
    struct error err;

    put("blob", "first");
    write_text(file, "second");

    ck_assert_int_eq(durable_file_publish(&file, scratch.dir_fd, "blob", &err),
                     ST_REFUSED);
    ck_assert_int_eq(err.sys, EEXIST);
    ck_assert_str_eq(err.text, "publish 'blob': File exists");
    assert_content("blob", "first");

    ck_assert_int_eq(durable_file_publish(&file, scratch.dir_fd, "other", &err), ST_OK);
    assert_content("other", "second");
    ck_assert_uint_eq(entries(""), 2);
}
END_TEST

START_TEST(publish_reaches_another_directory)
{
    struct durable_file *file = create(_i);
    struct error err;
    int shard;

    ck_assert_int_eq(mkdirat(scratch.dir_fd, "shard", 0750), 0);
    shard = openat(scratch.dir_fd, "shard", O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(shard, 0);
    write_text(file, "x");
    ck_assert_int_eq(durable_file_publish(&file, shard, "blob", &err), ST_OK);
    close(shard);

    assert_content("shard/blob", "x");
    ck_assert_uint_eq(entries(""), 1);
}
END_TEST

START_TEST(a_failed_publish_leaves_the_file_to_its_owner)
{
    struct durable_file *file = create(_i);
    struct error err;

    ck_assert_int_eq(durable_file_publish(&file, scratch.dir_fd, "no/such", &err),
                     ST_SYSTEM);
    ck_assert_int_eq(err.sys, ENOENT);
    ck_assert_ptr_nonnull(file);
    durable_file_discard(&file);
    ck_assert_uint_eq(entries(""), 0);
}
END_TEST

START_TEST(discard_leaves_nothing)
{
    struct durable_file *file = create(_i);

    write_text(file, "gone");
    durable_file_discard(&file);
    ck_assert_ptr_null(file);
    durable_file_discard(&file);

    ck_assert_uint_eq(entries(""), 0);
}
END_TEST

START_TEST(a_full_disk_is_named_and_what_fitted_is_counted)
{
    struct durable_file *file = create(_i);
    struct rlimit before, tight;
    char bytes[3000] = "";
    struct error err;
    enum status st;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 1000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    st = durable_file_write(file, bytes, sizeof bytes, &err);
    setrlimit(RLIMIT_FSIZE, &before);

    ck_assert_int_eq(st, ST_SYSTEM);
    ck_assert_int_eq(err.sys, EFBIG);
    ck_assert_str_eq(err.text, "write: File too large");
    ck_assert_uint_eq(durable_file_size(file), 1000);
    durable_file_discard(&file);
}
END_TEST

START_TEST(an_attribute_the_file_system_refuses_is_named)
{
    struct durable_file *file = create(_i);
    struct error err;

    ck_assert_int_eq(durable_file_set_attribute(file, "nowhere.x", "1", 1, &err),
                     ST_SYSTEM);
    ck_assert_str_eq(err.text, "set attribute 'nowhere.x': Operation not supported");
    durable_file_discard(&file);
}
END_TEST

START_TEST(a_directory_that_is_gone_is_an_error)
{
    struct durable_file *file = NULL;
    struct error err;
    unsigned count = 7;

    ck_assert_int_eq(creators[_i](&file, -1, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, EBADF);
    ck_assert_ptr_null(file);
    ck_assert_int_eq(durable_directory_sync(-1, &err), ST_SYSTEM);
    ck_assert_int_eq(durable_file_sweep(-1, &count, &err), ST_SYSTEM);
    ck_assert_uint_eq(count, 7);
}
END_TEST

static int publish_twice(void)
{
    struct durable_file *first = NULL, *second = NULL;
    struct error err;

    if (durable_file_create(&first, scratch.dir_fd, &err) != ST_OK ||
        durable_file_create_named(&second, scratch.dir_fd, &err) != ST_OK)
        return 1;
    if (durable_file_write(second, "good", 4, &err) != ST_OK)
        return 2;
    if (durable_file_publish(&second, scratch.dir_fd, "blob", &err) != ST_OK)
        return 3;
    if (durable_file_publish(&first, scratch.dir_fd, "blob", &err) != ST_REFUSED)
        return 4;
    durable_file_discard(&first);
    return 0;
}

static const struct syscall_fault lacking[] = {
    {.number = SYS_renameat2, .sys = EINVAL},
    {.number = SYS_renameat2, .sys = ENOSYS},
    {.number = SYS_openat, .argument = 2, .mask = O_TMPFILE, .sys = EOPNOTSUPP},
    {.number = SYS_openat, .argument = 2, .mask = O_TMPFILE, .sys = EISDIR},
};

START_TEST(a_file_system_that_lacks_the_newer_calls_will_do)
{
    syscall_fault_run(&lacking[_i], publish_twice);

    assert_content("blob", "good");
    ck_assert_uint_eq(entries(""), 1);
}
END_TEST

static int fail_to_sync(void)
{
    struct durable_file *file = NULL;
    struct error err;

    if (durable_file_create(&file, scratch.dir_fd, &err) != ST_OK)
        return 1;
    if (durable_file_sync(file, &err) != ST_SYSTEM || err.sys != EIO ||
        strcmp(err.text, "fsync: Input/output error") != 0)
        return 2;
    if (durable_directory_sync(scratch.dir_fd, &err) != ST_SYSTEM || err.sys != EIO)
        return 3;
    durable_file_discard(&file);
    return 0;
}

START_TEST(a_failing_disk_is_reported)
{
    const struct syscall_fault fault = {.number = SYS_fsync, .sys = EIO};

    syscall_fault_run(&fault, fail_to_sync);
}
END_TEST

START_TEST(sweep_removes_hidden_files_and_nothing_else)
{
    struct durable_file *survivor = create(1);
    struct error err;
    unsigned count = 0;

    write_text(survivor, "left by a crash");
    put(".incoming-0123", "x");
    put("incoming-0123", "x");
    put(".incomin", "x");
    put("blob", "x");
    ck_assert_int_eq(mkdirat(scratch.dir_fd, ".incoming-directory", 0700), 0);
    ck_assert_int_eq(symlinkat("blob", scratch.dir_fd, ".incoming-link"), 0);

    ck_assert_int_eq(durable_file_sweep(scratch.dir_fd, &count, &err), ST_OK);

    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(entries(".incoming-"), 2);
    ck_assert_uint_eq(entries(""), 5);
    ck_assert_int_eq(durable_file_sweep(scratch.dir_fd, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 0);
    durable_file_discard(&survivor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("durable_file");
    TCase *cases = tcase_create("files");
    const int kinds = COUNT_OF(creators);

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, a_published_file_has_its_bytes_mode_and_attributes, 0,
                        kinds);
    tcase_add_loop_test(cases, publish_never_replaces, 0, kinds);
    tcase_add_loop_test(cases, publish_reaches_another_directory, 0, kinds);
    tcase_add_loop_test(cases, a_failed_publish_leaves_the_file_to_its_owner, 0, kinds);
    tcase_add_loop_test(cases, discard_leaves_nothing, 0, kinds);
    tcase_add_loop_test(cases, a_full_disk_is_named_and_what_fitted_is_counted, 0,
                        kinds);
    tcase_add_loop_test(cases, an_attribute_the_file_system_refuses_is_named, 0, kinds);
    tcase_add_loop_test(cases, a_directory_that_is_gone_is_an_error, 0, kinds);
    tcase_add_loop_test(cases, a_file_system_that_lacks_the_newer_calls_will_do, 0,
                        COUNT_OF(lacking));
    tcase_add_test(cases, a_failing_disk_is_reported);
    tcase_add_test(cases, sweep_removes_hidden_files_and_nothing_else);
    return unit_run(suite);
}
