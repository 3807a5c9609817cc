/* SPDX-License-Identifier: MIT */
#include "common/http_range.h"
#include "tests/unit/unit.h"

#include <string.h>

#define HUGE_TEXT "99999999999999999999999999"

static const struct {
    const char *value;
    uint64_t size, first, last;
} one[] = {
    {"bytes=0-0", 100, 0, 0},
    {"bytes=0-99", 100, 0, 99},
    {"bytes=10-", 100, 10, 99},
    {"bytes=99-", 100, 99, 99},
    {"bytes=50-1000", 100, 50, 99},
    {"bytes=0-" HUGE_TEXT, 100, 0, 99},
    {"bytes=-1", 100, 99, 99},
    {"bytes=-100", 100, 0, 99},
    {"bytes=-101", 100, 0, 99},
    {"bytes=-" HUGE_TEXT, 100, 0, 99},
    {"bytes=007-0008", 100, 7, 8},
    {"BYTES=1-2", 100, 1, 2},
    {"bytes=,1-2", 100, 1, 2},
    {"bytes=1-2,", 100, 1, 2},
    {"bytes= , ,\t1-2 ,", 100, 1, 2},
    {"bytes=0-0", 1, 0, 0},
    {"bytes=18446744073709551614-", UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 1},
    {"bytes=-1", UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 1},
};

START_TEST(satisfiable_range_is_cut_to_the_size)
{
    struct http_range range;

    ck_assert_int_eq(
        http_range_parse(one[_i].value, strlen(one[_i].value), one[_i].size, &range),
        HTTP_RANGE_ONE);
    ck_assert_uint_eq(range.first, one[_i].first);
    ck_assert_uint_eq(range.last, one[_i].last);
}
END_TEST

static const struct {
    const char *value;
    uint64_t size;
    enum http_range_verdict verdict;
} others[] = {
    {"", 100, HTTP_RANGE_WHOLE},
    {"bytes", 100, HTTP_RANGE_WHOLE},
    {"bytes 0-5", 100, HTTP_RANGE_WHOLE},
    {"samples=0-5", 100, HTTP_RANGE_WHOLE},
    {" bytes=0-5", 100, HTTP_RANGE_WHOLE},
    {"bytes=0-1,3-4", 100, HTTP_RANGE_WHOLE},
    {"bytes=0-1, -5", 100, HTTP_RANGE_WHOLE},
    {"bytes=200-,300-", 100, HTTP_RANGE_WHOLE},

    {"bytes=100-", 100, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=100-100", 100, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=0-", 0, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=0-0", 0, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=-0", 100, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=-5", 0, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=" HUGE_TEXT "-", 100, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=" HUGE_TEXT "-" HUGE_TEXT, UINT64_MAX, HTTP_RANGE_UNSATISFIABLE},
    {"bytes=18446744073709551616-", 100, HTTP_RANGE_UNSATISFIABLE},

    {"bytes=", 100, HTTP_RANGE_MALFORMED},
    {"bytes=,", 100, HTTP_RANGE_MALFORMED},
    {"bytes= ", 100, HTTP_RANGE_MALFORMED},
    {"bytes=-", 100, HTTP_RANGE_MALFORMED},
    {"bytes=5", 100, HTTP_RANGE_MALFORMED},
    {"bytes=5-4", 100, HTTP_RANGE_MALFORMED},
    {"bytes=--5", 100, HTTP_RANGE_MALFORMED},
    {"bytes=+1-2", 100, HTTP_RANGE_MALFORMED},
    {"bytes=1--2", 100, HTTP_RANGE_MALFORMED},
    {"bytes=1 -2", 100, HTTP_RANGE_MALFORMED},
    {"bytes=1- 2", 100, HTTP_RANGE_MALFORMED},
    {"bytes=1-2x", 100, HTTP_RANGE_MALFORMED},
    {"bytes=0x1-2", 100, HTTP_RANGE_MALFORMED},
    {"bytes=1-2;3-4", 100, HTTP_RANGE_MALFORMED},
    {"bytes=1-2,x", 100, HTTP_RANGE_MALFORMED},
    {"bytes=a-b", 100, HTTP_RANGE_MALFORMED},
    {"bytes=1-2\n", 100, HTTP_RANGE_MALFORMED},
};

START_TEST(every_other_range_has_its_verdict)
{
    struct http_range range = {7, 8};

    ck_assert_int_eq(http_range_parse(others[_i].value, strlen(others[_i].value),
                                      others[_i].size, &range),
                     others[_i].verdict);
    ck_assert_uint_eq(range.first, 7);
    ck_assert_uint_eq(range.last, 8);
}
END_TEST

static const struct {
    const char *value;
    struct http_content_range parsed;
} content[] = {
    {"bytes 0-0/1", {{0, 0}, 1, true, true}},
    {"bytes 0-99/100", {{0, 99}, 100, true, true}},
    {"Bytes 10-19/100", {{10, 19}, 100, true, true}},
    {"bytes 10-19/*", {{10, 19}, 0, true, false}},
    {"bytes */100", {{0, 0}, 100, false, true}},
    {"bytes */0", {{0, 0}, 0, false, true}},
    {"bytes 18446744073709551613-18446744073709551614/18446744073709551615",
     {{UINT64_MAX - 2, UINT64_MAX - 1}, UINT64_MAX, true, true}},
};

START_TEST(content_range_is_read)
{
    const struct http_content_range *want = &content[_i].parsed;
    struct http_content_range parsed;

    ck_assert(http_content_range_parse(content[_i].value, strlen(content[_i].value),
                                       &parsed));
    ck_assert_int_eq(parsed.satisfied, want->satisfied);
    ck_assert_int_eq(parsed.total_known, want->total_known);
    ck_assert_uint_eq(parsed.range.first, want->range.first);
    ck_assert_uint_eq(parsed.range.last, want->range.last);
    ck_assert_uint_eq(parsed.total, want->total);
}
END_TEST

static const char *const bad_content[] = {
    "",
    "bytes",
    "bytes ",
    "bytes 0-0",
    "bytes 0-0/",
    "bytes 0-/10",
    "bytes -5/10",
    "bytes 5/10",
    "bytes */*",
    "bytes */",
    "bytes *",
    "bytes=0-0/1",
    "samples 0-0/1",
    "bytes  0-0/1",
    "bytes 0 -0/1",
    "bytes 0-0/1 ",
    "bytes 0-0/1x",
    " bytes 0-0/1",
    "bytes 5-4/10",  /* backwards */
    "bytes 0-10/10", /* past the total */
    "bytes 0-0/0",
    "bytes 0-99999999999999999999999999/*",
    "bytes 0-0/99999999999999999999999999",
    "bytes */18446744073709551616",
    "bytes 0-0/-1",
    "bytes +0-0/1",
};

START_TEST(malformed_or_contradictory_content_range_is_refused)
{
    struct http_content_range parsed = {.total = 42};

    ck_assert_msg(
        !http_content_range_parse(bad_content[_i], strlen(bad_content[_i]), &parsed),
        "accepted %s", bad_content[_i]);
    ck_assert_uint_eq(parsed.total, 42);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_range");
    TCase *tcase = tcase_create("http_range");

    tcase_add_loop_test(tcase, satisfiable_range_is_cut_to_the_size, 0, COUNT_OF(one));
    tcase_add_loop_test(tcase, every_other_range_has_its_verdict, 0, COUNT_OF(others));
    tcase_add_loop_test(tcase, content_range_is_read, 0, COUNT_OF(content));
    tcase_add_loop_test(tcase, malformed_or_contradictory_content_range_is_refused, 0,
                        COUNT_OF(bad_content));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
