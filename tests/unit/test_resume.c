/* SPDX-License-Identifier: MIT */
#include "scratch.h"
#include "sender/upload/resume.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct scratch scratch;
static const struct object_description description = {
    .size = 7, .modified = {5, 6}, .mode = 0100644, .has_digest = true};

static void set_up(void)
{
    scratch_create(&scratch);
}

static void tear_down(void)
{
    scratch_remove(&scratch);
}

static void write_record(const char *place, const char *upload)
{
    struct resume_record record = {.part_bytes = 42};
    struct resume_slot *slot = resume_open(scratch.path, place);

    ck_assert_ptr_nonnull(slot);
    strcpy(record.upload, upload);
    ck_assert(resume_identity(&record.identity, &description));
    resume_write(slot, &record);
    resume_close(&slot);
}

START_TEST(what_was_written_is_read_at_the_next_start)
{
    struct resume_record record;
    struct sha256_digest identity;
    struct resume_slot *slot;

    write_record("http://h/b\nk", "2~upload/id");
    slot = resume_open(scratch.path, "http://h/b\nk");

    ck_assert(resume_read(slot, &record));
    ck_assert_str_eq(record.upload, "2~upload/id");
    ck_assert_uint_eq(record.part_bytes, 42);
    ck_assert(resume_identity(&identity, &description));
    ck_assert(sha256_equal(&identity, &record.identity));
    resume_close(&slot);
}
END_TEST

START_TEST(another_place_has_another_slot)
{
    struct resume_record record;
    struct resume_slot *slot;

    write_record("a", "id");
    slot = resume_open(scratch.path, "b");

    ck_assert_ptr_nonnull(slot);
    ck_assert(!resume_read(slot, &record));
    resume_forget(&slot);
}
END_TEST

START_TEST(an_open_slot_is_nobody_else_s)
{
    struct resume_slot *slot = resume_open(scratch.path, "a");
    struct resume_slot *other = resume_open(scratch.path, "a");

    ck_assert_ptr_nonnull(slot);
    ck_assert_ptr_null(other);
    resume_forget(&slot);
}
END_TEST

START_TEST(forgetting_leaves_nothing)
{
    struct resume_slot *slot;

    write_record("a", "id");
    slot = resume_open(scratch.path, "a");
    resume_forget(&slot);

    ck_assert_ptr_null(slot);
    ck_assert_int_eq(rmdir(scratch.path), 0);
    ck_assert_int_eq(mkdir(scratch.path, 0700), 0);
}
END_TEST

static int is_slot(const struct dirent *item)
{
    return item->d_name[0] != '.';
}

static const char *const torn[] = {
    "",
    "1 ",
    "1 00",
    "2 x 1 id\n",
    "garbage\n",
    "1 0000000000000000000000000000000000000000000000000000000000000000 42 id",
    "1 zz00000000000000000000000000000000000000000000000000000000000000 42 id\n",
};

START_TEST(a_torn_record_is_none)
{
    struct resume_record record;
    struct resume_slot *slot = resume_open(scratch.path, "a");
    struct dirent **names;
    int fd;

    resume_close(&slot);
    ck_assert_int_eq(scandir(scratch.path, &names, is_slot, alphasort), 1);
    fd = openat(scratch.dir_fd, names[0]->d_name, O_WRONLY | O_TRUNC);
    free(names[0]);
    free(names);
    ck_assert_int_eq(write(fd, torn[_i], strlen(torn[_i])), strlen(torn[_i]));
    close(fd);

    slot = resume_open(scratch.path, "a");
    ck_assert(!resume_read(slot, &record));
    resume_forget(&slot);
}
END_TEST

START_TEST(any_change_of_the_object_is_another_identity)
{
    struct object_description other = description;
    struct sha256_digest a, b;

    ck_assert(resume_identity(&a, &description));
    other.modified.tv_nsec++;
    ck_assert(resume_identity(&b, &other));
    ck_assert(!sha256_equal(&a, &b));
    other = description;
    other.digest.bytes[0]++;
    ck_assert(resume_identity(&b, &other));
    ck_assert(!sha256_equal(&a, &b));
    other = description;
    other.has_owner = true;
    ck_assert(resume_identity(&b, &other));
    ck_assert(!sha256_equal(&a, &b));
}
END_TEST

static void age(int days)
{
    const time_t then = time(NULL) - (time_t)days * 24 * 60 * 60;
    const struct timespec times[2] = {{.tv_sec = then}, {.tv_sec = then}};
    struct dirent **names;
    int n = scandir(scratch.path, &names, is_slot, alphasort);

    ck_assert_int_ge(n, 1);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(utimensat(scratch.dir_fd, names[i]->d_name, times, 0), 0);
        free(names[i]);
    }
    free(names);
}

START_TEST(what_nobody_has_used_for_long_is_swept_away)
{
    struct resume_record record;
    struct resume_slot *slot, *open;

    write_record("gone", "id");
    write_record("used", "id");
    open = resume_open(scratch.path, "open");
    age(RESUME_DAYS + 1);
    slot = resume_open(scratch.path, "used");
    resume_close(&slot);
    resume_sweep(scratch.path);

    slot = resume_open(scratch.path, "gone");
    ck_assert(!resume_read(slot, &record));
    resume_forget(&slot);
    slot = resume_open(scratch.path, "used");
    ck_assert(resume_read(slot, &record));
    resume_forget(&slot);
    slot = resume_open(scratch.path, "open");
    ck_assert_ptr_null(slot); /* still there, and still locked */
    resume_forget(&open);
}
END_TEST

START_TEST(only_records_are_swept_and_only_old_ones)
{
    struct resume_record record;
    struct resume_slot *slot;
    int fd = openat(scratch.dir_fd, "notes", O_CREAT | O_WRONLY, 0600);

    close(fd);
    write_record("a", "id");
    age(RESUME_DAYS - 1);
    resume_sweep(scratch.path);
    slot = resume_open(scratch.path, "a");
    ck_assert(resume_read(slot, &record));
    resume_forget(&slot);

    age(RESUME_DAYS + 1);
    resume_sweep(scratch.path);
    resume_sweep(NULL);
    ck_assert_int_eq(faccessat(scratch.dir_fd, "notes", F_OK, 0), 0);
}
END_TEST

START_TEST(no_directory_is_no_trouble)
{
    struct resume_record record;
    struct resume_slot *slot = resume_open(NULL, "a");

    ck_assert_ptr_null(slot);
    ck_assert(!resume_read(slot, &record));
    resume_write(slot, &record);
    resume_forget(&slot);
}
END_TEST

START_TEST(the_directory_is_made_below_the_state_home)
{
    char home[sizeof scratch.path + 16], expected[sizeof home + 16];
    char *directory;

    snprintf(home, sizeof home, "%s/a/b", scratch.path);
    snprintf(expected, sizeof expected, "%s/blobstream", home);
    setenv("XDG_STATE_HOME", home, 1);

    directory = resume_directory();

    ck_assert_str_eq(directory, expected);
    ck_assert_int_eq(access(directory, W_OK), 0);
    free(directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume");
    TCase *tcase = tcase_create("resume");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_was_written_is_read_at_the_next_start);
    tcase_add_test(tcase, another_place_has_another_slot);
    tcase_add_test(tcase, an_open_slot_is_nobody_else_s);
    tcase_add_test(tcase, forgetting_leaves_nothing);
    tcase_add_loop_test(tcase, a_torn_record_is_none, 0, COUNT_OF(torn));
    tcase_add_test(tcase, any_change_of_the_object_is_another_identity);
    tcase_add_test(tcase, what_nobody_has_used_for_long_is_swept_away);
    tcase_add_test(tcase, only_records_are_swept_and_only_old_ones);
    tcase_add_test(tcase, no_directory_is_no_trouble);
    tcase_add_test(tcase, the_directory_is_made_below_the_state_home);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
