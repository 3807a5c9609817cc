/* SPDX-License-Identifier: MIT */
#include "common/crew.h"
#include "common/histogram.h"
#include "unit.h"

START_TEST(an_empty_histogram_answers_zero)
{
    struct histogram histogram = {0};

    ck_assert_uint_eq(histogram_quantile(&histogram, 0), 0);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), 0);
}
END_TEST

START_TEST(small_values_are_exact)
{
    struct histogram histogram = {0};

    for (uint64_t value = 1; value <= 10; value++)
        histogram_record(&histogram, value);

    ck_assert_uint_eq(histogram_quantile(&histogram, 0), 1);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 5);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.95), 10);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), 10);
    ck_assert_uint_eq(histogram.count, 10);
    ck_assert_uint_eq(histogram.sum, 55);
}
END_TEST

static const uint64_t samples[] = {0,          15,         16,
                                   17,         31,         32,
                                   33,         1000,       65535,
                                   65536,      123456789,  (1ULL << 40) - 1,
                                   1ULL << 40, 1ULL << 62, INT64_MAX - 1,
                                   INT64_MAX};

START_TEST(any_value_comes_back_within_a_sixteenth)
{
    struct histogram histogram = {0};
    uint64_t value = samples[_i], answer;

    histogram_record(&histogram, value);
    answer = histogram_quantile(&histogram, 0.5);

    ck_assert_uint_ge(answer, value);
    ck_assert_uint_le(answer - value, value / 16);
}
END_TEST

START_TEST(values_past_the_range_count_as_the_largest)
{
    struct histogram histogram = {0};

    histogram_record(&histogram, UINT64_MAX);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), INT64_MAX);
}
END_TEST

START_TEST(quantiles_of_a_spread_are_close)
{
    struct histogram histogram = {0};

    for (uint64_t value = 1; value <= 100000; value++)
        histogram_record(&histogram, value);

    for (unsigned percent = 1; percent <= 100; percent++) {
        uint64_t truth = 1000U * percent;
        uint64_t answer = histogram_quantile(&histogram, percent / 100.0);

        ck_assert_uint_ge(answer + 1, truth);
        ck_assert_uint_le(answer, truth + truth / 16 + 1);
    }
}
END_TEST

START_TEST(counts_below_a_power_of_two_are_exact)
{
    struct histogram histogram = {0};

    for (uint64_t value = 1; value <= 4096; value++)
        histogram_record(&histogram, value);
    histogram_record(&histogram, UINT64_MAX);
    for (uint64_t bound = 1; bound <= 4096; bound *= 2)
        ck_assert_uint_eq(histogram_count_below(&histogram, bound), bound - 1);
    ck_assert_uint_eq(histogram_count_below(&histogram, UINT64_MAX), 4097);
}
END_TEST

enum { THREADS = 4, RECORDS = 20000 };

static void record_many(void *context, unsigned index)
{
    for (uint64_t i = 0; i < RECORDS; i++)
        histogram_record(context, index * 1000 + i % 7);
    (void)histogram_quantile(context, 0.5);
}

START_TEST(threads_lose_no_record)
{
    struct histogram histogram = {0};
    struct crew *crew = NULL;
    struct error err;

    ck_assert_int_eq(
        crew_start(&crew, "record", THREADS, record_many, &histogram, &err), ST_OK);
    crew_join(&crew);

    ck_assert_uint_eq(histogram.count, THREADS * RECORDS);
    ck_assert_uint_le(histogram_quantile(&histogram, 0.25), 6);
    ck_assert_uint_ge(histogram_quantile(&histogram, 0.26), 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *cases = tcase_create("quantiles");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, an_empty_histogram_answers_zero);
    tcase_add_test(cases, small_values_are_exact);
    tcase_add_loop_test(cases, any_value_comes_back_within_a_sixteenth, 0,
                        COUNT_OF(samples));
    tcase_add_test(cases, values_past_the_range_count_as_the_largest);
    tcase_add_test(cases, quantiles_of_a_spread_are_close);
    tcase_add_test(cases, counts_below_a_power_of_two_are_exact);
    tcase_add_test(cases, threads_lose_no_record);
    return unit_run(suite);
}
