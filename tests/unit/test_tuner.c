/* SPDX-License-Identifier: MIT */
#include "sender/upload/tuner.h"
#include "unit.h"

enum { STEP_MS = 100 };

/* A store that serves so many requests a second however many come at once, and each
 * client no faster than one in latency_ms. */
struct store {
    double requests_per_s, latency_ms;
};

struct bench {
    struct tuner tuner;
    struct tuner_sample sample;
    double requests;
    unsigned largest;
};

static void start(struct bench *bench, unsigned max)
{
    *bench = (struct bench){.requests = 0};
    tuner_init(&bench->tuner, 4, max, 0);
}

static void run(struct bench *bench, const struct store *store, unsigned ms)
{
    for (unsigned i = 0; i < ms / STEP_MS; i++) {
        double rate = bench->tuner.jobs * 1000 / store->latency_ms;

        if (rate > store->requests_per_s)
            rate = store->requests_per_s;
        bench->requests += rate * STEP_MS / 1000;
        bench->sample.now_ms += STEP_MS;
        bench->sample.steps = (uint64_t)bench->requests;
        bench->sample.work = bench->requests * 65536;
        tuner_update(&bench->tuner, &bench->sample);
        if (bench->tuner.jobs > bench->largest)
            bench->largest = bench->tuner.jobs;
    }
}

START_TEST(grows_to_the_limit_while_that_pays)
{
    const struct store distant = {1e9, 20};
    struct bench bench;

    start(&bench, 64);
    run(&bench, &distant, 5000);

    ck_assert_uint_eq(bench.tuner.jobs, 64);
    ck_assert_int_eq(bench.tuner.phase, TUNER_SETTLED);
}
END_TEST

START_TEST(outlives_work_that_proves_to_be_in_vain)
{
    const struct store distant = {1e9, 20};
    struct bench bench;

    start(&bench, 64);
    bench.requests = 1000;
    run(&bench, &distant, STEP_MS);
    bench.requests = 10;
    run(&bench, &distant, 2 * STEP_MS);
    ck_assert_uint_le(bench.tuner.jobs, 8);

    run(&bench, &distant, 60000);
    ck_assert_uint_eq(bench.tuner.jobs, 64);
}
END_TEST

START_TEST(settles_where_more_brings_nothing)
{
    const struct store busy = {1000, 10}; /* ten at once are enough */
    struct bench bench;

    start(&bench, 64);
    run(&bench, &busy, 5000);

    ck_assert_uint_ge(bench.tuner.jobs, 8);
    ck_assert_uint_le(bench.tuner.jobs, 20);
    ck_assert_uint_le(bench.largest, 32);
}
END_TEST

START_TEST(one_job_is_enough_for_a_store_that_serves_one)
{
    const struct store single = {100, 10};
    struct bench bench;

    start(&bench, 64);
    run(&bench, &single, 120000);

    ck_assert_uint_le(bench.tuner.jobs, 4);
}
END_TEST

START_TEST(finds_more_when_the_store_gets_faster)
{
    const struct store slow = {400, 10}, fast = {2000, 10};
    struct bench bench;

    start(&bench, 64);
    run(&bench, &slow, 5000);
    ck_assert_uint_le(bench.tuner.jobs, 8);
    run(&bench, &fast, 200000);

    ck_assert_uint_ge(bench.tuner.jobs, 14);
}
END_TEST

START_TEST(halves_when_throttled_and_climbs_again)
{
    const struct store distant = {1e9, 20};
    struct bench bench;

    start(&bench, 64);
    run(&bench, &distant, 5000);
    bench.sample.throttled = 5;
    run(&bench, &distant, STEP_MS);
    ck_assert_uint_eq(bench.tuner.jobs, 32);
    bench.sample.throttled = 9; /* what was under way already: not counted twice */
    run(&bench, &distant, STEP_MS);
    ck_assert_uint_eq(bench.tuner.jobs, 32);

    run(&bench, &distant, 30000);
    ck_assert_uint_ge(bench.tuner.jobs, 48);
}
END_TEST

START_TEST(never_goes_below_one)
{
    const struct store any = {100, 10};
    struct bench bench;

    start(&bench, 64);
    for (unsigned i = 0; i < 20; i++) {
        bench.sample.throttled++;
        run(&bench, &any, 3000);
        ck_assert_uint_ge(bench.tuner.jobs, 1);
    }
}
END_TEST

START_TEST(does_not_grow_when_the_walk_is_the_bottleneck)
{
    const struct store distant = {1e9, 20};
    struct bench bench;

    start(&bench, 64);
    bench.sample.idle = true;
    run(&bench, &distant, 5000);

    ck_assert_uint_eq(bench.tuner.jobs, 4);
}
END_TEST

START_TEST(a_limit_below_the_start_is_kept)
{
    const struct store distant = {1e9, 20};
    struct bench bench;

    start(&bench, 1);
    run(&bench, &distant, 60000);

    ck_assert_uint_eq(bench.largest, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tuner");
    TCase *tcase = tcase_create("tuner");

    tcase_add_test(tcase, grows_to_the_limit_while_that_pays);
    tcase_add_test(tcase, outlives_work_that_proves_to_be_in_vain);
    tcase_add_test(tcase, settles_where_more_brings_nothing);
    tcase_add_test(tcase, one_job_is_enough_for_a_store_that_serves_one);
    tcase_add_test(tcase, finds_more_when_the_store_gets_faster);
    tcase_add_test(tcase, halves_when_throttled_and_climbs_again);
    tcase_add_test(tcase, never_goes_below_one);
    tcase_add_test(tcase, does_not_grow_when_the_walk_is_the_bottleneck);
    tcase_add_test(tcase, a_limit_below_the_start_is_kept);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
