/* SPDX-License-Identifier: MIT */
#include "common/http_date.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text;
    int64_t seconds;
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Tue, 29 Feb 2028 23:59:59 GMT", 1835481599},
};

START_TEST(all_three_forms_are_read)
{
    int64_t seconds = -1;

    ck_assert(http_date_parse(dates[_i].text, &seconds));
    ck_assert_int_eq(seconds, dates[_i].seconds);
}
END_TEST

static const char *const no_dates[] = {
    "",
    "0",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    "Sun, 06 Nov 1994 08:49:37 CET",
    "Sun, 06 Nov 1994 25:49:37 GMT",
    "1994-11-06T08:49:37Z",
};

START_TEST(what_is_no_date_is_refused)
{
    int64_t seconds = -1;

    ck_assert(!http_date_parse(no_dates[_i], &seconds));
    ck_assert_int_eq(seconds, -1);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    char text[HTTP_DATE_SIZE];
    int64_t seconds = -1;

    ck_assert_str_eq(http_date_format(text, 784111777), dates[0].text);
    ck_assert(http_date_parse(text, &seconds));
    ck_assert_int_eq(seconds, 784111777);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_date");
    TCase *cases = tcase_create("http_date");

    tcase_add_loop_test(cases, all_three_forms_are_read, 0, COUNT_OF(dates));
    tcase_add_loop_test(cases, what_is_no_date_is_refused, 0, COUNT_OF(no_dates));
    tcase_add_test(cases, what_is_written_is_read_back);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
