/* SPDX-License-Identifier: MIT */
#include "scratch.h"
#include "sender/upload/source_file.h"
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct scratch scratch;
static struct walk_entry *entry;
static struct source_file file;
static struct error err;

static enum status keep(void *context, struct walk_entry **found, struct error *e)
{
    (void)context;
    (void)e;
    entry = *found;
    *found = NULL;
    return ST_OK;
}

static void no_trouble(void *context, const char *path, const struct error *e)
{
    (void)context;
    (void)path;
    (void)e;
}

static void write_file(const char *text, int flags)
{
    int fd = openat(scratch.dir_fd, "f", O_WRONLY | O_CREAT | flags, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* Until the last change cannot be mistaken for one that is going on. */
static void let_it_settle(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 40 * 1000 * 1000}, NULL);
}

static void set_up(void)
{
    struct walk_counts counts = {.files = 0};
    struct latch stop;
    const struct walk_config config = {
        .root = scratch.path, .stop = &stop, .file = keep, .trouble = no_trouble};

    scratch_create(&scratch);
    write_file("0123456789", 0);
    latch_init(&stop);
    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);
    latch_release(&stop);
    file.fd = -1;
}

static void tear_down(void)
{
    source_file_close(&file);
    walk_entry_release(&entry);
    scratch_remove(&scratch);
}

START_TEST(a_file_at_rest_is_settled)
{
    char bytes[4];

    let_it_settle();
    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_OK);
    ck_assert_uint_eq(source_file_size(&file), 10);
    ck_assert_int_eq(source_file_read(&file, 3, bytes, 4, &err), ST_OK);

    ck_assert_mem_eq(bytes, "3456", 4);
    ck_assert_int_eq(source_file_settled(&file, &err), ST_OK);
}
END_TEST

START_TEST(a_file_written_this_very_moment_is_not)
{
    write_file("x", 0);
    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_OK);

    ck_assert_int_eq(source_file_settled(&file, &err), ST_CORRUPT);
}
END_TEST

START_TEST(a_change_of_the_same_size_is_noticed)
{
    let_it_settle();
    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_OK);
    write_file("9", 0);
    let_it_settle();

    ck_assert_int_eq(source_file_settled(&file, &err), ST_CORRUPT);
}
END_TEST

static const struct timespec far_times[] = {
    {9300000000, 1},  /* 2264: past 2^63 nanoseconds */
    {-9300000000, 1}, /* 1675 */
    {-1, 999999999},
};

START_TEST(a_file_of_another_age_is_settled_and_its_change_noticed)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, far_times[_i]};

    ck_assert_int_eq(utimensat(scratch.dir_fd, "f", times, 0), 0);
    let_it_settle();
    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_OK);
    ck_assert_int_eq(source_file_settled(&file, &err), ST_OK);
    write_file("9", 0);
    let_it_settle();

    ck_assert_int_eq(source_file_settled(&file, &err), ST_CORRUPT);
}
END_TEST

START_TEST(growth_is_noticed)
{
    let_it_settle();
    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_OK);
    write_file("more", O_APPEND);
    let_it_settle();

    ck_assert_int_eq(source_file_settled(&file, &err), ST_CORRUPT);
}
END_TEST

START_TEST(a_file_that_became_shorter_cannot_be_read)
{
    char bytes[10];

    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_OK);
    write_file("", O_TRUNC);

    ck_assert_int_eq(source_file_read(&file, 0, bytes, 10, &err), ST_CORRUPT);
}
END_TEST

START_TEST(what_became_a_link_is_not_opened)
{
    ck_assert_int_eq(unlinkat(scratch.dir_fd, "f", 0), 0);
    ck_assert_int_eq(symlinkat("/etc/passwd", scratch.dir_fd, "f"), 0);

    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_REFUSED);
}
END_TEST

START_TEST(what_became_a_pipe_does_not_block)
{
    ck_assert_int_eq(unlinkat(scratch.dir_fd, "f", 0), 0);
    ck_assert_int_eq(mkfifoat(scratch.dir_fd, "f", 0600), 0);

    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_REFUSED);
}
END_TEST

START_TEST(what_is_gone_says_so)
{
    ck_assert_int_eq(unlinkat(scratch.dir_fd, "f", 0), 0);

    ck_assert_int_eq(source_file_open(&file, entry, false, &err), ST_SYSTEM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source_file");
    TCase *tcase = tcase_create("source_file");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_file_at_rest_is_settled);
    tcase_add_test(tcase, a_file_written_this_very_moment_is_not);
    tcase_add_test(tcase, a_change_of_the_same_size_is_noticed);
    tcase_add_loop_test(tcase, a_file_of_another_age_is_settled_and_its_change_noticed,
                        0, COUNT_OF(far_times));
    tcase_add_test(tcase, growth_is_noticed);
    tcase_add_test(tcase, a_file_that_became_shorter_cannot_be_read);
    tcase_add_test(tcase, what_became_a_link_is_not_opened);
    tcase_add_test(tcase, what_became_a_pipe_does_not_block);
    tcase_add_test(tcase, what_is_gone_says_so);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
