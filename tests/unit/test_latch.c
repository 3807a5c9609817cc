/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/crew.h"
#include "common/latch.h"
#include "unit.h"

START_TEST(a_wait_without_a_set_lasts_its_time)
{
    struct latch latch;
    uint64_t began;

    latch_init(&latch);
    began = clock_monotonic_ns();

    ck_assert(!latch_wait(&latch, 20));
    ck_assert_uint_ge(clock_monotonic_ns() - began, 20000000);
    latch_release(&latch);
}
END_TEST

START_TEST(a_set_latch_stays_set_and_nobody_waits)
{
    struct latch latch;

    latch_init(&latch);
    ck_assert(!latch_is_set(&latch));
    ck_assert(!latch_wait(&latch, 0));
    latch_set(&latch);
    latch_set(&latch);

    ck_assert(latch_is_set(&latch));
    ck_assert(latch_wait(&latch, 0));
    ck_assert(latch_wait(&latch, UINT64_MAX));
    ck_assert(latch_wait(&latch, 3600000));
    latch_release(&latch);
}
END_TEST

struct waiters {
    struct latch latch, ready;
    atomic_uint waiting, woken;
};

enum { WAITERS = 4 };

static void wait_for_ever(void *context, unsigned index)
{
    struct waiters *waiters = context;

    (void)index;
    if (atomic_fetch_add(&waiters->waiting, 1) + 1 == WAITERS)
        latch_set(&waiters->ready);
    if (latch_wait(&waiters->latch, UINT64_MAX))
        atomic_fetch_add(&waiters->woken, 1);
}

START_TEST(a_set_wakes_everyone)
{
    struct waiters waiters = {.waiting = 0};
    struct crew *crew = NULL;
    struct error err;

    latch_init(&waiters.latch);
    latch_init(&waiters.ready);
    ck_assert_int_eq(crew_start(&crew, "wait", WAITERS, wait_for_ever, &waiters, &err),
                     ST_OK);
    ck_assert(latch_wait(&waiters.ready, UINT64_MAX));
    latch_set(&waiters.latch);
    crew_join(&crew);

    ck_assert_uint_eq(waiters.woken, WAITERS);
    latch_release(&waiters.ready);
    latch_release(&waiters.latch);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("latch");
    TCase *cases = tcase_create("waits");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, a_wait_without_a_set_lasts_its_time);
    tcase_add_test(cases, a_set_latch_stays_set_and_nobody_waits);
    tcase_add_test(cases, a_set_wakes_everyone);
    return unit_run(suite);
}
