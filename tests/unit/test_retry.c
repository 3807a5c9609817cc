/* SPDX-License-Identifier: MIT */
#include "common/retry.h"
#include "unit.h"

static const struct {
    uint64_t base_ms, cap_ms;
    unsigned attempt;
    uint64_t ceiling_ms;
} ceilings[] = {
    {100, 30000, 1, 100},
    {100, 30000, 2, 200},
    {100, 30000, 5, 1600},
    {100, 30000, 9, 25600},
    {100, 30000, 10, 30000},
    {100, 30000, 4000000000U, 30000},
    {100, 50, 1, 50},
    {0, 30000, 7, 0},
    {100, 0, 3, 0},
    {1, UINT64_MAX, 64, 1ULL << 63},
    {1, UINT64_MAX, 65, UINT64_MAX},
    {1, UINT64_MAX, 1000, UINT64_MAX},
};

START_TEST(the_ceiling_doubles_up_to_the_cap)
{
    struct retry_policy policy = {.base_ms = ceilings[_i].base_ms,
                                  .cap_ms = ceilings[_i].cap_ms};

    ck_assert_uint_eq(retry_ceiling_ms(&policy, ceilings[_i].attempt),
                      ceilings[_i].ceiling_ms);
}
END_TEST

START_TEST(the_delay_is_spread_over_the_whole_jitter)
{
    struct retry_policy policy = {.base_ms = 4, .cap_ms = 1000};
    unsigned seen[5] = {0};

    for (int i = 0; i < 1000; i++) {
        uint64_t delay = retry_delay_ms(&policy, 1, 0);

        ck_assert_uint_le(delay, 4);
        seen[delay]++;
    }
    for (unsigned i = 0; i < COUNT_OF(seen); i++)
        ck_assert_uint_gt(seen[i], 0);
}
END_TEST

START_TEST(retry_after_is_a_floor_with_the_jitter_on_top)
{
    struct retry_policy policy = {
        .base_ms = 10, .cap_ms = 10, .retry_after_cap_ms = 5000};

    for (int i = 0; i < 100; i++) {
        uint64_t delay = retry_delay_ms(&policy, 1, 2000);

        ck_assert_uint_ge(delay, 2000);
        ck_assert_uint_le(delay, 2010);
    }
}
END_TEST

START_TEST(a_longer_retry_after_is_cut)
{
    struct retry_policy policy = {.retry_after_cap_ms = 5000};

    ck_assert_uint_eq(retry_delay_ms(&policy, 1, UINT64_MAX), 5000);
}
END_TEST

START_TEST(a_ceiling_beyond_any_sense_still_gives_a_delay)
{
    struct retry_policy policy = {.base_ms = UINT64_MAX, .cap_ms = UINT64_MAX};

    ck_assert_uint_lt(retry_delay_ms(&policy, 1, 0), UINT32_MAX);
}
END_TEST

START_TEST(a_budget_pays_for_so_many_retries)
{
    struct retry_budget budget;

    retry_budget_init(&budget, 2);

    ck_assert(retry_budget_spend(&budget));
    ck_assert(retry_budget_spend(&budget));
    ck_assert(!retry_budget_spend(&budget));
}
END_TEST

START_TEST(ten_successes_earn_one_retry)
{
    struct retry_budget budget;

    retry_budget_init(&budget, 1);
    ck_assert(retry_budget_spend(&budget));
    for (int i = 0; i < 9; i++)
        retry_budget_earn(&budget);
    ck_assert(!retry_budget_spend(&budget));
    retry_budget_earn(&budget);

    ck_assert(retry_budget_spend(&budget));
}
END_TEST

START_TEST(a_full_budget_does_not_grow)
{
    struct retry_budget budget;

    retry_budget_init(&budget, 1);
    for (int i = 0; i < 100; i++)
        retry_budget_earn(&budget);

    ck_assert(retry_budget_spend(&budget));
    ck_assert(!retry_budget_spend(&budget));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry");
    TCase *cases = tcase_create("delays");

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, the_ceiling_doubles_up_to_the_cap, 0,
                        COUNT_OF(ceilings));
    tcase_add_test(cases, the_delay_is_spread_over_the_whole_jitter);
    tcase_add_test(cases, retry_after_is_a_floor_with_the_jitter_on_top);
    tcase_add_test(cases, a_longer_retry_after_is_cut);
    tcase_add_test(cases, a_ceiling_beyond_any_sense_still_gives_a_delay);
    tcase_add_test(cases, a_budget_pays_for_so_many_retries);
    tcase_add_test(cases, ten_successes_earn_one_retry);
    tcase_add_test(cases, a_full_budget_does_not_grow);
    return unit_run(suite);
}
