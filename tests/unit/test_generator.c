/* SPDX-License-Identifier: MIT */
#include "sender/generator.h"
#include "unit.h"

#include <sodium.h>
#include <string.h>

static struct generator_config config_of(const char *seed)
{
    struct generator_config config = {
        .min_bytes = 1023, .max_bytes = 4097, .min_gap_ms = 5, .max_gap_ms = 9};

    generator_key(config.key, seed);
    return config;
}

START_TEST(same_seed_and_index_give_the_same_blob_in_any_order)
{
    struct generator_config a = config_of("seed"), b = config_of("seed");
    struct generator_blob late, early, again;
    uint8_t one[256], two[256];

    generator_describe(&a, 7, &late);
    generator_describe(&b, 0, &early);
    generator_describe(&b, 7, &again);

    ck_assert_uint_eq(late.bytes, again.bytes);
    ck_assert_uint_eq(late.gap_ms, again.gap_ms);
    generator_fill(&late, 0, one, sizeof one);
    generator_fill(&again, 0, two, sizeof two);
    ck_assert_mem_eq(one, two, sizeof one);
    generator_fill(&early, 0, two, sizeof two);
    ck_assert_mem_ne(one, two, sizeof one);
}
END_TEST

START_TEST(other_seed_gives_other_contents)
{
    struct generator_config a = config_of("seed"), b = config_of("Seed");
    struct generator_blob one, two;

    generator_describe(&a, 0, &one);
    generator_describe(&b, 0, &two);
    ck_assert_mem_ne(one.key, two.key, sizeof one.key);
}
END_TEST

START_TEST(contents_do_not_depend_on_how_they_are_cut)
{
    struct generator_config config = config_of("seed");
    struct generator_blob blob;
    uint8_t whole[1000], pieces[1000];

    generator_describe(&config, 3, &blob);
    generator_fill(&blob, 0, whole, sizeof whole);
    generator_fill(&blob, 640, pieces + 640, 360);
    generator_fill(&blob, 0, pieces, 64);
    generator_fill(&blob, 64, pieces + 64, 576);
    ck_assert_mem_eq(whole, pieces, sizeof whole);
}
END_TEST

START_TEST(sizes_are_even_and_sizes_and_gaps_fill_their_bounds)
{
    struct generator_config config = config_of("seed");
    uint64_t least = UINT64_MAX, most = 0, gaps_seen = 0;

    config.min_bytes = 1;
    config.max_bytes = 9;
    for (uint64_t i = 0; i < 1000; i++) {
        struct generator_blob blob;

        generator_describe(&config, i, &blob);
        ck_assert_uint_eq(blob.bytes % 2, 0);
        least = blob.bytes < least ? blob.bytes : least;
        most = blob.bytes > most ? blob.bytes : most;
        ck_assert(blob.gap_ms >= 5 && blob.gap_ms <= 9);
        gaps_seen |= UINT64_C(1) << blob.gap_ms;
    }
    ck_assert_uint_eq(least, 2);
    ck_assert_uint_eq(most, 8);
    ck_assert_uint_eq(gaps_seen, 0x3e0);
}
END_TEST

START_TEST(even_sizes_are_found_where_there_are_any)
{
    ck_assert(generator_has_even_size(2, 2));
    ck_assert(generator_has_even_size(3, 4));
    ck_assert(!generator_has_even_size(3, 3));
    ck_assert(!generator_has_even_size(4, 2));
}
END_TEST

static Suite *generator_suite(void)
{
    Suite *suite = suite_create("generator");
    TCase *tcase = tcase_create("generator");

    tcase_add_test(tcase, same_seed_and_index_give_the_same_blob_in_any_order);
    tcase_add_test(tcase, other_seed_gives_other_contents);
    tcase_add_test(tcase, contents_do_not_depend_on_how_they_are_cut);
    tcase_add_test(tcase, sizes_are_even_and_sizes_and_gaps_fill_their_bounds);
    tcase_add_test(tcase, even_sizes_are_found_where_there_are_any);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return sodium_init() < 0 ? EXIT_FAILURE : unit_run(generator_suite());
}
