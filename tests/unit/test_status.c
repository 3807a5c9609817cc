/* SPDX-License-Identifier: MIT */
#include "common/status.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

START_TEST(set_fills_class_and_text_and_returns_the_class)
{
    struct error err = {.sys = 7};

    ck_assert_int_eq(error_set(&err, ST_REFUSED, "port %d is taken", 80), ST_REFUSED);

    ck_assert_int_eq(err.status, ST_REFUSED);
    ck_assert_int_eq(err.sys, 0);
    ck_assert_str_eq(err.text, "port 80 is taken");
}
END_TEST

START_TEST(sys_appends_what_errno_means)
{
    struct error err;

    ck_assert_int_eq(error_sys(&err, ENOENT, "open '%s'", "x"), ST_SYSTEM);

    ck_assert_int_eq(err.sys, ENOENT);
    ck_assert_str_eq(err.text, "open 'x': No such file or directory");
}
END_TEST

START_TEST(prefix_keeps_class_and_errno)
{
    struct error err;

    error_sys(&err, ENOSPC, "write");
    err.status = ST_AGAIN;

    ck_assert_int_eq(error_prefix(&err, "blob %d", 3), ST_AGAIN);
    ck_assert_int_eq(err.sys, ENOSPC);
    ck_assert_str_eq(err.text, "blob 3: write: No space left on device");
}
END_TEST

START_TEST(an_error_may_quote_itself)
{
    struct error err;

    error_set(&err, ST_AGAIN, "reset");
    error_set(&err, ST_SYSTEM, "gave up (%s)", err.text);
    ck_assert_str_eq(err.text, "gave up (reset)");
    error_prefix(&err, "after '%s'", err.text);
    ck_assert_str_eq(err.text, "after 'gave up (reset)': gave up (reset)");
}
END_TEST

START_TEST(a_text_that_is_too_long_is_cut)
{
    struct error err;
    char longer[2 * sizeof err.text];

    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    error_sys(&err, ENOENT, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    error_prefix(&err, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *cases = tcase_create("errors");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, set_fills_class_and_text_and_returns_the_class);
    tcase_add_test(cases, sys_appends_what_errno_means);
    tcase_add_test(cases, prefix_keeps_class_and_errno);
    tcase_add_test(cases, an_error_may_quote_itself);
    tcase_add_test(cases, a_text_that_is_too_long_is_cut);
    return unit_run(suite);
}
