/* SPDX-License-Identifier: MIT */
#include "sender/upload/part_size.h"
#include "unit.h"

#define MIB UINT64_C(1048576)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

static const struct object_limits s3 = {.single_bytes = 5 * GIB,
                                        .part_min_bytes = 5 * MIB,
                                        .part_max_bytes = 5 * GIB,
                                        .parts = 10000};
static const struct object_limits azure = {.single_bytes = 5000 * MIB,
                                           .part_min_bytes = 1,
                                           .part_max_bytes = 4000 * MIB,
                                           .parts = 50000};

static const struct {
    uint64_t size, part_bytes;
} sizes[] = {
    {1, 16 * MIB},
    {16000 * MIB, 16 * MIB},
    {16000 * MIB + 1, 17 * MIB},
    {TIB, 1049 * MIB},
};

START_TEST(parts_grow_so_that_there_are_about_a_thousand)
{
    uint64_t chosen = part_size_choose(sizes[_i].size, &s3);

    ck_assert_uint_eq(chosen, sizes[_i].part_bytes);
    ck_assert_uint_le(part_size_count(sizes[_i].size, chosen), 1000);
    ck_assert(part_size_fits(sizes[_i].size, chosen, &s3));
}
END_TEST

START_TEST(the_biggest_object_there_can_be_still_fits)
{
    ck_assert_uint_eq(part_size_choose(48 * TIB, &s3), 5 * GIB);
    ck_assert(part_size_fits(48 * TIB, 5 * GIB, &s3));
    ck_assert(!part_size_fits(49 * TIB, part_size_choose(49 * TIB, &s3), &s3));
}
END_TEST

START_TEST(there_are_no_more_than_ten_thousand_whatever_the_store_takes)
{
    ck_assert_uint_eq(part_size_count_max(&azure), 10000);
    ck_assert(part_size_fits(10000 * 5 * MIB, 5 * MIB, &azure));
    ck_assert(!part_size_fits(10000 * 5 * MIB + 1, 5 * MIB, &azure));
}
END_TEST

START_TEST(a_size_the_store_does_not_take_does_not_fit)
{
    ck_assert(!part_size_fits(100 * MIB, 0, &azure));
    ck_assert(!part_size_fits(100 * MIB, 5 * MIB - 1, &s3));
    ck_assert(!part_size_fits(100 * GIB, 5 * GIB + 1, &s3));
}
END_TEST

START_TEST(what_is_too_big_for_one_request_goes_in_parts_whatever_the_threshold)
{
    ck_assert(!part_size_needed(64 * MIB, 64 * MIB, &azure));
    ck_assert(part_size_needed(64 * MIB + 1, 64 * MIB, &azure));
    ck_assert(!part_size_needed(5000 * MIB, 5 * GIB, &azure));
    ck_assert(part_size_needed(5000 * MIB + 1, 5 * GIB, &azure));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("part_size");
    TCase *tcase = tcase_create("part_size");

    tcase_add_loop_test(tcase, parts_grow_so_that_there_are_about_a_thousand, 0,
                        COUNT_OF(sizes));
    tcase_add_test(tcase, the_biggest_object_there_can_be_still_fits);
    tcase_add_test(tcase, there_are_no_more_than_ten_thousand_whatever_the_store_takes);
    tcase_add_test(tcase, a_size_the_store_does_not_take_does_not_fit);
    tcase_add_test(
        tcase, what_is_too_big_for_one_request_goes_in_parts_whatever_the_threshold);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
