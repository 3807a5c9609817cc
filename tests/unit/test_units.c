/* SPDX-License-Identifier: MIT */
#include "common/units.h"
#include "tests/unit/unit.h"

static const uint64_t untouched = 0xA5A5A5A5;

static const struct {
    const char *text;
    bool ok;
    uint64_t value;
} counts[] =
    {
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1k", false, 0},
        {"0x10", false, 0},
        {"1.5", false, 0},
        {"1_000", false, 0},
},
  sizes[] =
      {
          {"0", true, 0},
          {"12", true, 12},
          {"12B", true, 12},
          {"12b", true, 12},
          {"1K", true, 1024},
          {"1kb", true, 1024},
          {"1KiB", true, 1024},
          {"1kIb", true, 1024},
          {"3M", true, 3ULL << 20},
          {"3MB", true, 3ULL << 20},
          {"3MiB", true, 3ULL << 20},
          {"16G", true, 16ULL << 30},
          {"16GB", true, 16ULL << 30},
          {"16GiB", true, 16ULL << 30},
          {"5T", true, 5ULL << 40},
          {"5TB", true, 5ULL << 40},
          {"5TiB", true, 5ULL << 40},
          {"16777215TiB", true, 16777215ULL << 40},
          {"16777216TiB", false, 0},
          {"18446744073709551615", true, UINT64_MAX},
          {"18014398509481984K", false, 0},
          {"", false, 0},
          {"K", false, 0},
          {"1 K", false, 0},
          {"1Ki", false, 0},
          {"1iB", false, 0},
          {"1BB", false, 0},
          {"1KK", false, 0},
          {"1KiBs", false, 0},
          {"1P", false, 0},
          {"1.5M", false, 0},
          {"-1M", false, 0},
          {"+1M", false, 0},
          {"0x1K", false, 0},
},
  durations[] = {
      {"0", true, 0},
      {"0s", true, 0},
      {"1ms", true, 1},
      {"1500ms", true, 1500},
      {"1s", true, 1000},
      {"10m", true, 600000},
      {"24h", true, 86400000},
      {"18446744073709551615ms", true, UINT64_MAX},
      {"18446744073709551s", true, 18446744073709551000U},
      {"18446744073709552s", false, 0},
      {"18446744073709551616ms", false, 0},
      {"", false, 0},
      {"10", false, 0}, /* of what? */
      {"s", false, 0},
      {"1S", false, 0},
      {"1 s", false, 0},
      {" 1s", false, 0},
      {"1s ", false, 0},
      {"1.5s", false, 0},
      {"-1s", false, 0},
      {"1d", false, 0},
      {"1min", false, 0},
      {"1m30s", false, 0},
      {"1sm", false, 0},
};

START_TEST(count_is_read_or_refused)
{
    uint64_t value = untouched;

    ck_assert_int_eq(units_parse_count(counts[_i].text, &value), counts[_i].ok);
    ck_assert_uint_eq(value, counts[_i].ok ? counts[_i].value : untouched);
}
END_TEST

START_TEST(size_is_read_or_refused)
{
    uint64_t value = untouched;

    ck_assert_int_eq(units_parse_size(sizes[_i].text, &value), sizes[_i].ok);
    ck_assert_uint_eq(value, sizes[_i].ok ? sizes[_i].value : untouched);
}
END_TEST

START_TEST(duration_is_read_or_refused)
{
    uint64_t value = untouched;

    ck_assert_int_eq(units_parse_duration(durations[_i].text, &value),
                     durations[_i].ok);
    ck_assert_uint_eq(value, durations[_i].ok ? durations[_i].value : untouched);
}
END_TEST

static const struct {
    uint64_t value;
    const char *text;
} size_texts[] =
    {
        {0, "0 B"},
        {12, "12 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {325222, "317.6 KiB"},
        {1048524, "1023.9 KiB"},
        {1048525, "1.0 MiB"}, /* not 1024.0 KiB */
        {1048576, "1.0 MiB"},
        {16ULL << 30, "16.0 GiB"},
        {5ULL << 40, "5.0 TiB"},
        {(1ULL << 60) - 1, "1.0 EiB"},
        {UINT64_MAX, "16.0 EiB"},
},
  duration_texts[] = {
      {0, "0ms"},         {850, "850ms"},      {999, "999ms"},
      {1000, "1.0s"},     {12345, "12.3s"},    {59999, "59.9s"},
      {60000, "1m00s"},   {245000, "4m05s"},   {3599999, "59m59s"},
      {3600000, "1h00m"}, {10920000, "3h02m"}, {UINT64_MAX, "5124095576030h25m"},
};

START_TEST(size_is_written_for_people)
{
    char text[UNITS_TEXT_SIZE];

    ck_assert_str_eq(units_format_size(text, size_texts[_i].value),
                     size_texts[_i].text);
}
END_TEST

START_TEST(duration_is_written_for_people)
{
    char text[UNITS_TEXT_SIZE];

    ck_assert_str_eq(units_format_duration(text, duration_texts[_i].value),
                     duration_texts[_i].text);
}
END_TEST

START_TEST(time_is_written_as_in_rfc_3339)
{
    char text[UNITS_TEXT_SIZE];

    ck_assert_str_eq(units_format_time(text, 0), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(units_format_time(text, 1795285382), "2026-11-21T18:23:02Z");
    ck_assert_str_eq(units_format_time(text, -1), "1969-12-31T23:59:59Z");
    ck_assert_str_eq(units_format_time(text, INT64_MAX), "?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("units");
    TCase *tcase = tcase_create("units");

    tcase_add_loop_test(tcase, count_is_read_or_refused, 0, COUNT_OF(counts));
    tcase_add_loop_test(tcase, size_is_read_or_refused, 0, COUNT_OF(sizes));
    tcase_add_loop_test(tcase, duration_is_read_or_refused, 0, COUNT_OF(durations));
    tcase_add_loop_test(tcase, size_is_written_for_people, 0, COUNT_OF(size_texts));
    tcase_add_test(tcase, time_is_written_as_in_rfc_3339);
    tcase_add_loop_test(tcase, duration_is_written_for_people, 0,
                        COUNT_OF(duration_texts));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
