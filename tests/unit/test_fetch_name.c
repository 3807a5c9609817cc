/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/name.h"
#include "tests/unit/unit.h"

#include <string.h>

static const struct {
    const char *url, *name;
} good[] = {
    {"http://h/a.bin", "a.bin"},       {"http://h/dir/a.bin?x=/b/c#d/e", "a.bin"},
    {"https://u:p@h:1/a%20b", "a b"},  {"http://h/x/%2e%2e%2fetc%2fpasswd", "passwd"},
    {"http://h/..%2f..%2fa", "a"},     {"http://h/100%", "100%"},
    {"http://h/a%zz", "a%zz"},         {"http://h/%E2%82%AC", "\xE2\x82\xAC"},
    {"http://h/a..b", "a..b"},         {"h/a", "a"},
    {"http://h/%e9t%e9", "\xE9t\xE9"}, {"http://h/%c2%a0", "\xC2\xA0"},
};

START_TEST(last_segment_of_the_decoded_path_is_the_name)
{
    char name[NAME_SIZE];
    struct error err;

    ck_assert_int_eq(name_from_url(name, good[_i].url, &err), ST_OK);
    ck_assert_str_eq(name, good[_i].name);
}
END_TEST

static const char *const bad[] = {
    "http://h",
    "http://h/",
    "http://h/dir/",
    "http://h?x",
    "http://h/..",
    "http://h/.",
    "http://h/%2e%2e",
    "http://h/a%2f",
    "http://h/.bashrc",
    "http://h/%2ebashrc",
    "http://h/a%0ab",
    "http://h/a%00",
    "http://h/a%1b%5b2J",
    "http://h/a%7f",
    "http://h/x/..%2f",
    "http://h/a%00b/c",
    "http://h/a%c2%9b2J",
    "http://h/a%e2%80%ae",
    "http://h/%e2%81%a6a",
};

START_TEST(name_that_could_do_harm_is_refused)
{
    char name[NAME_SIZE] = "untouched";
    struct error err;

    ck_assert_int_eq(name_from_url(name, bad[_i], &err), ST_INVALID);
    ck_assert_str_eq(name, "untouched");
}
END_TEST

START_TEST(name_leaves_room_for_what_is_appended)
{
    char url[600], name[NAME_SIZE];
    struct error err;

    memset(url, 'a', sizeof url);
    memcpy(url, "http://h/", 9);
    url[9 + NAME_SIZE - 1] = '\0';
    ck_assert_int_eq(name_from_url(name, url, &err), ST_OK);
    ck_assert_uint_eq(strlen(name) + strlen(".part.state.new"), 255);
    url[9 + NAME_SIZE - 1] = 'a';
    url[9 + NAME_SIZE] = '\0';
    ck_assert_int_eq(name_from_url(name, url, &err), ST_INVALID);
    url[9 + NAME_SIZE] = '/'; /* too long, but not the last */
    memcpy(url + 9 + NAME_SIZE + 1, "b", 2);
    ck_assert_int_eq(name_from_url(name, url, &err), ST_OK);
    ck_assert_str_eq(name, "b");
}
END_TEST

START_TEST(redacted_url_has_no_secrets)
{
    char out[64];

    ck_assert_str_eq(name_redact_url(out, sizeof out, "https://u:p@h/a?sig=1#f"),
                     "https://h/a");
    ck_assert_str_eq(name_redact_url(out, sizeof out, "http://h/a@b"), "http://h/a@b");
    ck_assert_str_eq(name_redact_url(out, sizeof out, "http://u:p@x@h:8/"),
                     "http://h:8/");
    ck_assert_str_eq(name_redact_url(out, 9, "http://host/"), "http://h");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_name");
    TCase *tcase = tcase_create("fetch_name");

    tcase_add_loop_test(tcase, last_segment_of_the_decoded_path_is_the_name, 0,
                        COUNT_OF(good));
    tcase_add_loop_test(tcase, name_that_could_do_harm_is_refused, 0, COUNT_OF(bad));
    tcase_add_test(tcase, name_leaves_room_for_what_is_appended);
    tcase_add_test(tcase, redacted_url_has_no_secrets);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
