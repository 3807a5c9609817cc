/* SPDX-License-Identifier: MIT */
#include "scratch.h"
#include "sender/upload/manifest.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct scratch scratch;
static char path[sizeof scratch.path + 16], partial[sizeof scratch.path + 32];
static struct manifest *manifest;
static struct error err;

static void set_up(void)
{
    scratch_create(&scratch);
    snprintf(path, sizeof path, "%s/list", scratch.path);
    snprintf(partial, sizeof partial, "%s/.list.partial", scratch.path);
}

static void tear_down(void)
{
    manifest_discard(&manifest);
    scratch_remove(&scratch);
}

static const char *content(void)
{
    static char text[4096];
    FILE *file = fopen(path, "r");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void add(const char *name, const char *key)
{
    const struct object_description description = {
        .size = 7,
        .modified = {1577934245, 5},
        .mode = 0100640,
    };

    manifest_add(manifest, name, key, &description);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

START_TEST(each_file_has_a_line_for_people_and_one_for_sha256sum)
{
    ck_assert_int_eq(manifest_create(&manifest, path, &err), ST_OK);
    add("a/b c", "p/a/b c");

    ck_assert_int_eq(manifest_publish(&manifest, &err), ST_OK);

    ck_assert_str_eq(content(),
                     "# 7 1577934245.000000005 0100640 p/a/b c\n" ZEROS "  a/b c\n");
    ck_assert_int_ne(access(partial, F_OK), 0);
}
END_TEST

START_TEST(names_with_line_feeds_are_escaped_as_sha256sum_does)
{
    ck_assert_int_eq(manifest_create(&manifest, path, &err), ST_OK);
    add("a\nb\\", "a\nb\\");

    ck_assert_int_eq(manifest_publish(&manifest, &err), ST_OK);

    ck_assert_str_eq(content(), "# 7 1577934245.000000005 0100640 a\\nb\\\\\n\\" ZEROS
                                "  a\\nb\\\\\n");
}
END_TEST

START_TEST(an_older_manifest_stays_until_publishing)
{
    ck_assert_int_eq(manifest_create(&manifest, path, &err), ST_OK);
    add("old", "old");
    ck_assert_int_eq(manifest_publish(&manifest, &err), ST_OK);

    ck_assert_int_eq(manifest_create(&manifest, path, &err), ST_OK);
    add("new", "new");
    ck_assert_ptr_nonnull(strstr(content(), "old"));
    manifest_discard(&manifest);

    ck_assert_ptr_nonnull(strstr(content(), "old"));
    ck_assert_int_ne(access(partial, F_OK), 0);
}
END_TEST

START_TEST(the_growing_and_the_older_one_are_its_own)
{
    struct own_files own = {.count = 0}, first = {.count = 0};
    struct stat file;

    ck_assert_int_eq(manifest_create(&manifest, path, &err), ST_OK);
    manifest_own_files(manifest, &first);
    ck_assert_int_eq(manifest_publish(&manifest, &err), ST_OK);
    ck_assert_int_eq(manifest_create(&manifest, path, &err), ST_OK);
    manifest_own_files(manifest, &own);

    ck_assert_int_eq(first.count, 1);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert(own_files_have(&own, &file));
    ck_assert_int_eq(stat(partial, &file), 0);
    ck_assert(own_files_have(&own, &file));
    ck_assert_int_eq(stat("/", &file), 0);
    ck_assert(!own_files_have(&own, &file));
    ck_assert(!own_files_have(NULL, &file));
}
END_TEST

START_TEST(a_place_that_cannot_be_written_is_named)
{
    ck_assert_int_eq(manifest_create(&manifest, "/nowhere/at/all", &err), ST_SYSTEM);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("manifest");
    TCase *tcase = tcase_create("manifest");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_file_has_a_line_for_people_and_one_for_sha256sum);
    tcase_add_test(tcase, names_with_line_feeds_are_escaped_as_sha256sum_does);
    tcase_add_test(tcase, an_older_manifest_stays_until_publishing);
    tcase_add_test(tcase, the_growing_and_the_older_one_are_its_own);
    tcase_add_test(tcase, a_place_that_cannot_be_written_is_named);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
