/* SPDX-License-Identifier: MIT */
#include "scratch.h"
#include "sender/upload/walk.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOUND_MAX = 64, PATH_SIZE = 512 };

static struct scratch scratch;
static struct latch stop;
static char found[FOUND_MAX][PATH_SIZE];
static size_t found_count;
static char trouble[PATH_SIZE];
static struct walk_counts counts;
static struct walk_config config;
static struct error err;

static enum status take(void *context, struct walk_entry **entry, struct error *e)
{
    (void)context;
    (void)e;
    ck_assert_uint_lt(found_count, FOUND_MAX);
    ck_assert(walk_entry_path(*entry, found[found_count++], PATH_SIZE));
    return ST_OK;
}

static void take_trouble(void *context, const char *path, const struct error *e)
{
    (void)context;
    snprintf(trouble, sizeof trouble, "%s: %s", path, e->text);
}

static void make_file(const char *name)
{
    char path[PATH_SIZE];
    int fd;

    snprintf(path, sizeof path, "%s/%s", scratch.path, name);
    fd = open(path, O_CREAT | O_WRONLY, 0644);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void make_directory(const char *name)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", scratch.path, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void make_link(const char *target, const char *name)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", scratch.path, name);
    ck_assert_int_eq(symlink(target, path), 0);
}

static bool was_found(const char *path)
{
    for (size_t i = 0; i < found_count; i++) {
        if (strcmp(found[i], path) == 0)
            return true;
    }
    return false;
}

static void set_up(void)
{
    scratch_create(&scratch);
    latch_init(&stop);
    found_count = 0;
    trouble[0] = '\0';
    memset(&counts, 0, sizeof counts);
    config = (struct walk_config){
        .root = scratch.path, .stop = &stop, .file = take, .trouble = take_trouble};
    make_file("a");
    make_directory("d");
    make_directory("d/e");
    make_directory("d/empty");
    make_file("d/b");
    make_file("d/e/c");
}

static void tear_down(void)
{
    latch_release(&stop);
    scratch_remove(&scratch);
}

START_TEST(every_file_is_found_once)
{
    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(found_count, 3);
    ck_assert(was_found("a"));
    ck_assert(was_found("d/b"));
    ck_assert(was_found("d/e/c"));
    ck_assert_uint_eq(counts.files, 3);
    ck_assert_uint_eq(counts.directories, 4);
}
END_TEST

START_TEST(links_and_special_files_are_counted_and_passed_over)
{
    char path[PATH_SIZE];

    make_link("a", "link");
    make_link("d", "way");
    snprintf(path, sizeof path, "%s/pipe", scratch.path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(found_count, 3);
    ck_assert_uint_eq(counts.links, 2);
    ck_assert_uint_eq(counts.special, 1);
}
END_TEST

START_TEST(links_are_followed_when_told_to)
{
    make_link("a", "link");
    make_link("d/e", "way");
    config.follow = true;

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(found_count, 5);
    ck_assert(was_found("link"));
    ck_assert(was_found("way/c"));
}
END_TEST

START_TEST(a_link_that_leads_back_is_trouble_and_no_endless_walk)
{
    make_link("..", "d/e/up");
    config.follow = true;

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(found_count, 3);
    ck_assert_uint_eq(counts.troubles, 1);
    ck_assert_ptr_nonnull(strstr(trouble, "d/e/up"));
}
END_TEST

START_TEST(a_dangling_link_is_trouble_when_followed)
{
    make_link("nowhere", "lost");
    config.follow = true;

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(counts.troubles, 1);
    ck_assert_ptr_nonnull(strstr(trouble, "lost"));
}
END_TEST

START_TEST(filters_prune)
{
    static const char *const excludes[] = {"e"};

    config.filter = (struct filter){.excludes = excludes, .exclude_count = 1};

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(found_count, 2);
    ck_assert_uint_eq(counts.excluded, 1);
}
END_TEST

START_TEST(what_is_excluded_is_not_even_looked_at)
{
    static const char *const excludes[] = {"lost", "d/"};

    make_link("nowhere", "lost");
    make_link("d", "way");
    config.follow = true;
    config.filter = (struct filter){.excludes = excludes, .exclude_count = 2};

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(counts.troubles, 0);
    ck_assert_uint_eq(counts.excluded, 2);
    ck_assert(!was_found("d/b"));
    ck_assert(was_found("way/b"));
}
END_TEST

START_TEST(a_directory_of_our_own_is_passed_over)
{
    struct own_files own = {.count = 0};
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/d/e", scratch.path);
    own_files_add(&own, path);
    own_files_add(&own, scratch.path);
    own_files_add(&own, "/nowhere/at/all");
    config.own = &own;

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(own.count, 2);
    ck_assert_uint_eq(found_count, 2);
    ck_assert(!was_found("d/e/c"));
    ck_assert_uint_eq(counts.excluded, 1);
}
END_TEST

START_TEST(names_need_not_be_text)
{
    make_file("\xFF\n");

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert(was_found("\xFF\n"));
}
END_TEST

START_TEST(a_tree_deeper_than_the_limit_is_trouble)
{
    int fd = open(scratch.path, O_RDONLY | O_DIRECTORY);

    for (int i = 0; i < WALK_DEPTH_MAX + 1; i++) {
        int next;

        ck_assert_int_eq(mkdirat(fd, "x", 0755), 0);
        next = openat(fd, "x", O_RDONLY | O_DIRECTORY);
        ck_assert_int_ge(next, 0);
        close(fd);
        fd = next;
    }
    close(fd);

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);

    ck_assert_uint_eq(found_count, 3);
    ck_assert_uint_eq(counts.troubles, 1);
}
END_TEST

START_TEST(a_root_that_is_not_there_fails_the_walk_by_name)
{
    config.root = "/nowhere/at/all";

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_SYSTEM);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
}
END_TEST

START_TEST(a_stopped_walk_ends)
{
    latch_set(&stop);

    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_CLOSED);
    ck_assert_uint_eq(found_count, 0);
}
END_TEST

static struct walk_entry *kept;

static enum status keep(void *context, struct walk_entry **entry, struct error *e)
{
    (void)context;
    (void)e;
    if (!kept && strcmp((*entry)->name, "c") == 0) {
        kept = *entry;
        *entry = NULL;
    }
    return ST_OK;
}

START_TEST(an_entry_keeps_its_directory_open)
{
    char path[PATH_SIZE], moved[PATH_SIZE];
    struct stat st;

    config.file = keep;
    ck_assert_int_eq(walk_tree(&config, &counts, &err), ST_OK);
    ck_assert_ptr_nonnull(kept);
    snprintf(path, sizeof path, "%s/d", scratch.path);
    snprintf(moved, sizeof moved, "%s/moved", scratch.path);
    ck_assert_int_eq(rename(path, moved), 0);

    ck_assert_int_eq(fstatat(walk_entry_directory(kept), kept->name, &st, 0), 0);
    walk_entry_release(&kept);
    ck_assert_ptr_null(kept);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("walk");
    TCase *tcase = tcase_create("walk");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, every_file_is_found_once);
    tcase_add_test(tcase, links_and_special_files_are_counted_and_passed_over);
    tcase_add_test(tcase, links_are_followed_when_told_to);
    tcase_add_test(tcase, a_link_that_leads_back_is_trouble_and_no_endless_walk);
    tcase_add_test(tcase, a_dangling_link_is_trouble_when_followed);
    tcase_add_test(tcase, filters_prune);
    tcase_add_test(tcase, what_is_excluded_is_not_even_looked_at);
    tcase_add_test(tcase, a_directory_of_our_own_is_passed_over);
    tcase_add_test(tcase, names_need_not_be_text);
    tcase_add_test(tcase, a_tree_deeper_than_the_limit_is_trouble);
    tcase_add_test(tcase, a_root_that_is_not_there_fails_the_walk_by_name);
    tcase_add_test(tcase, a_stopped_walk_ends);
    tcase_add_test(tcase, an_entry_keeps_its_directory_open);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
