/* SPDX-License-Identifier: MIT */
#include "common/object/metadata.h"
#include "unit.h"

#include <sys/stat.h>

static const struct {
    struct timespec time;
    const char *text, *date;
} times[] = {
    {{1577934245, 123456789}, "1577934245.123456789", "2020-01-02T03:04:05.123456789Z"},
    {{1577934245, 5}, "1577934245.000000005", "2020-01-02T03:04:05.000000005Z"},
    {{0, 0}, "0.000000000", "1970-01-01T00:00:00.000000000Z"},
    {{-2, 500000000}, "-1.500000000", "1969-12-31T23:59:58.500000000Z"},
    {{-1, 0}, "-1.000000000", "1969-12-31T23:59:59.000000000Z"},
    {{-1, 500000000}, "-0.500000000", "1969-12-31T23:59:59.500000000Z"},
    {{9300000000, 1}, "9300000000.000000001", "2264-09-14T21:20:00.000000001Z"},
    {{-9300000000, 1}, "-9299999999.999999999", "1675-04-18T02:40:00.000000001Z"},
};

START_TEST(times_go_out_with_nine_digits_and_come_back)
{
    char out[METADATA_TIME_SIZE];
    struct timespec back;

    ck_assert_str_eq(metadata_format_time(out, times[_i].time), times[_i].text);
    ck_assert(metadata_parse_time(out, &back));
    ck_assert_int_eq(back.tv_sec, times[_i].time.tv_sec);
    ck_assert_int_eq(back.tv_nsec, times[_i].time.tv_nsec);

    ck_assert_str_eq(metadata_format_date(out, times[_i].time), times[_i].date);
    ck_assert(metadata_parse_date(out, &back));
    ck_assert_int_eq(back.tv_sec, times[_i].time.tv_sec);
    ck_assert_int_eq(back.tv_nsec, times[_i].time.tv_nsec);
}
END_TEST

static const struct {
    struct timespec time;
    const char *text;
} endless[] = {
    {{INT64_MAX, 999999999}, "9223372036854775807.999999999"},
    {{INT64_MIN, 0}, "-9223372036854775808.000000000"},
    {{INT64_MIN, 1}, "-9223372036854775807.999999999"},
};

START_TEST(a_time_beyond_every_calendar_is_spelled_as_seconds)
{
    char out[METADATA_TIME_SIZE];

    ck_assert_str_eq(metadata_format_time(out, endless[_i].time), endless[_i].text);
    ck_assert_str_eq(metadata_format_date(out, endless[_i].time), endless[_i].text);
}
END_TEST

static const struct {
    const char *text;
    time_t seconds;
    long nanoseconds;
} foreign_times[] = {
    {"1577934245", 1577934245, 0},
    {"1577934245.5", 1577934245, 500000000},
    {"1577934245.123456", 1577934245, 123456000},
};

START_TEST(fewer_digits_are_padded)
{
    struct timespec time;

    ck_assert(metadata_parse_time(foreign_times[_i].text, &time));
    ck_assert_int_eq(time.tv_sec, foreign_times[_i].seconds);
    ck_assert_int_eq(time.tv_nsec, foreign_times[_i].nanoseconds);
}
END_TEST

static const char *const bad_times[] = {
    "",   "-",  ".5",           "1.", "1.5x",         "1e9",
    " 1", "1 ", "1.0123456789", "+1", "9999999999999"};

START_TEST(other_times_are_refused)
{
    struct timespec time;

    ck_assert(!metadata_parse_time(bad_times[_i], &time));
}
END_TEST

static const char *const bad_dates[] = {"", "2020-01-02", "2020-01-02T03:04:05",
                                        "2020-01-02T03:04:05.Z",
                                        "2020-01-02T03:04:05+01:00"};

START_TEST(other_dates_are_refused)
{
    struct timespec time;

    ck_assert(!metadata_parse_date(bad_dates[_i], &time));
}
END_TEST

START_TEST(a_mode_is_octal_with_a_leading_zero)
{
    char out[METADATA_MODE_SIZE];

    ck_assert_str_eq(metadata_format_mode(out, S_IFREG | 0640), "0100640");
}
END_TEST

static const struct {
    const char *text;
    uint32_t mode;
} modes[] = {
    {"0100644", 0100644}, {"100644", 0100644}, {"33188", 0100644},
    {"0644", 0644},       {"644", 0644},       {"0", 0},
};

START_TEST(modes_of_rclone_and_s3fs_are_understood)
{
    uint32_t mode = 1;

    ck_assert(metadata_parse_mode(modes[_i].text, &mode));
    ck_assert_uint_eq(mode, modes[_i].mode);
}
END_TEST

static const char *const bad_modes[] = {"", "-1", "rw", "0x1", "99999999", "0100644 "};

START_TEST(other_modes_are_refused)
{
    uint32_t mode;

    ck_assert(!metadata_parse_mode(bad_modes[_i], &mode));
}
END_TEST

START_TEST(an_owner_is_a_number_of_32_bits)
{
    uint32_t id = 0;

    ck_assert(metadata_parse_id("4294967295", &id));
    ck_assert_uint_eq(id, UINT32_MAX);
    ck_assert(!metadata_parse_id("4294967296", &id));
    ck_assert(!metadata_parse_id("-1", &id));
    ck_assert(!metadata_parse_id("", &id));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metadata");
    TCase *tcase = tcase_create("metadata");

    tcase_add_loop_test(tcase, times_go_out_with_nine_digits_and_come_back, 0,
                        COUNT_OF(times));
    tcase_add_loop_test(tcase, a_time_beyond_every_calendar_is_spelled_as_seconds, 0,
                        COUNT_OF(endless));
    tcase_add_loop_test(tcase, fewer_digits_are_padded, 0, COUNT_OF(foreign_times));
    tcase_add_loop_test(tcase, other_times_are_refused, 0, COUNT_OF(bad_times));
    tcase_add_loop_test(tcase, other_dates_are_refused, 0, COUNT_OF(bad_dates));
    tcase_add_test(tcase, a_mode_is_octal_with_a_leading_zero);
    tcase_add_loop_test(tcase, modes_of_rclone_and_s3fs_are_understood, 0,
                        COUNT_OF(modes));
    tcase_add_test(tcase, an_owner_is_a_number_of_32_bits);
    tcase_add_loop_test(tcase, other_modes_are_refused, 0, COUNT_OF(bad_modes));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
