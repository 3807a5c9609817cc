/* SPDX-License-Identifier: MIT */
#include "sender/inject.h"
#include "unit.h"

#include <sodium.h>
#include <string.h>

static const struct inject_config half = {.key = {1, 2, 3}, .percent = 50};

START_TEST(decision_depends_on_key_ordinal_and_attempt_alone)
{
    struct inject_config other = half;
    unsigned differ_by_attempt = 0, differ_by_key = 0;

    other.key[0] = 9;
    for (uint64_t i = 0; i < 200; i++) {
        struct injection a = inject_decide(&half, i, 1, 1000);
        struct injection b = inject_decide(&half, i, 1, 1000);
        struct injection c = inject_decide(&half, i, 2, 1000);
        struct injection d = inject_decide(&other, i, 1, 1000);

        ck_assert_int_eq(a.active, b.active);
        ck_assert_uint_eq(a.offset, b.offset);
        ck_assert_uint_eq(a.mask, b.mask);
        differ_by_attempt += a.active != c.active;
        differ_by_key += a.active != d.active;
    }
    ck_assert_uint_gt(differ_by_attempt, 50);
    ck_assert_uint_gt(differ_by_key, 50);
}
END_TEST

START_TEST(share_of_damaged_attempts_is_as_asked)
{
    static const unsigned percents[] = {0, 10, 30, 100};
    enum { ATTEMPTS = 10000 };

    for (size_t p = 0; p < COUNT_OF(percents); p++) {
        struct inject_config config = {.percent = percents[p]};
        unsigned active = 0;

        for (uint64_t i = 0; i < ATTEMPTS; i++)
            active += inject_decide(&config, i, 1, 10).active;
        ck_assert_uint_ge(active + 150, ATTEMPTS / 100 * percents[p]);
        ck_assert_uint_le(active,
                          ATTEMPTS / 100 * percents[p] + (percents[p] == 0 ? 0 : 150));
    }
}
END_TEST

START_TEST(every_injection_changes_exactly_one_byte_within_the_blob)
{
    const struct inject_config always = {.percent = 100};

    for (uint64_t i = 0; i < 500; i++) {
        struct injection injection = inject_decide(&always, i, 1, 7);
        uint8_t bytes[7] = {0};
        unsigned changed = 0;

        ck_assert_uint_lt(injection.offset, sizeof bytes);
        /* in two chunks, as libcurl may ask for them */
        inject_apply(&injection, 0, bytes, 3);
        inject_apply(&injection, 3, bytes + 3, 4);
        for (size_t b = 0; b < sizeof bytes; b++)
            changed += bytes[b] != 0;
        ck_assert_uint_eq(changed, 1);
    }
}
END_TEST

START_TEST(empty_blob_is_left_alone)
{
    const struct inject_config always = {.percent = 100};

    ck_assert(!inject_decide(&always, 0, 1, 0).active);
}
END_TEST

static Suite *inject_suite(void)
{
    Suite *suite = suite_create("inject");
    TCase *tcase = tcase_create("inject");

    tcase_add_test(tcase, decision_depends_on_key_ordinal_and_attempt_alone);
    tcase_add_test(tcase, share_of_damaged_attempts_is_as_asked);
    tcase_add_test(tcase, every_injection_changes_exactly_one_byte_within_the_blob);
    tcase_add_test(tcase, empty_blob_is_left_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return sodium_init() < 0 ? EXIT_FAILURE : unit_run(inject_suite());
}
