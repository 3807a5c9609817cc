/* SPDX-License-Identifier: MIT */
#include "sender/upload/filter.h"
#include "unit.h"

static const char *const includes[] = {"*.wav", "a/*.txt"};
static const char *const excludes[] = {"*.tmp", "/b/c", "cache/", "p/q*/", "/top/"};

static const struct {
    const char *path;
    bool is_directory, wanted;
} paths[] = {
    {"x.wav", false, true},      {"deep/x.wav", false, true}, {"x.txt", false, false},
    {"a/x.txt", false, true},    {"a/b/x.txt", false, false}, {"x.tmp", false, false},
    {"deep/x.tmp", true, false}, {"b/c", true, false},        {"d/b/c", true, true},
    {"deep", true, true},        {"cache", true, false},      {"a/cache", true, false},
    {"cache", false, false},     {"cache.wav", false, true},  {"cached", true, true},
    {"p/q1", true, false},       {"x/p/q1", true, true},      {"p/q1/r", true, true},
    {"top", true, false},        {"a/top", true, true},
};

START_TEST(includes_choose_files_and_excludes_win)
{
    const struct filter filter = {.includes = includes,
                                  .include_count = COUNT_OF(includes),
                                  .excludes = excludes,
                                  .exclude_count = COUNT_OF(excludes)};

    ck_assert_int_eq(!filter_excludes(&filter, paths[_i].path) &&
                         filter_wants(&filter, paths[_i].path, paths[_i].is_directory),
                     paths[_i].wanted);
}
END_TEST

START_TEST(a_slash_at_the_end_leaves_files_alone)
{
    const struct filter filter = {.excludes = excludes,
                                  .exclude_count = COUNT_OF(excludes)};

    ck_assert(!filter_excludes(&filter, "a/cache"));
    ck_assert(filter_wants(&filter, "a/cache", false));
}
END_TEST

START_TEST(no_patterns_want_everything)
{
    const struct filter filter = {.include_count = 0};

    ck_assert(!filter_excludes(&filter, "a/b"));
    ck_assert(filter_wants(&filter, "a/b", false));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("filter");
    TCase *tcase = tcase_create("filter");

    tcase_add_loop_test(tcase, includes_choose_files_and_excludes_win, 0,
                        COUNT_OF(paths));
    tcase_add_test(tcase, a_slash_at_the_end_leaves_files_alone);
    tcase_add_test(tcase, no_patterns_want_everything);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
