/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/log.h"
#include "receiver/log_limit.h"
#include "scratch.h"
#include "unit.h"

#include <poll.h>
#include <string.h>

enum { PER_S = 3, TRIES = 100, OUTPUT_SIZE = 1 << 16 };

static struct scratch scratch;
static char path[300], output[OUTPUT_SIZE];

static void set_up(void)
{
    const struct log_config config = {.program = "receiver",
                                      .file = path,
                                      .level = LOG_WARN,
                                      .format = LOG_FORMAT_JSON};
    struct error err;

    scratch_create(&scratch);
    snprintf(path, sizeof path, "%s/log", scratch.path);
    ck_assert_int_eq(log_open(&config, &err), ST_OK);
}

static void tear_down(void)
{
    log_close();
    scratch_remove(&scratch);
}

static unsigned allowed(struct log_limit *limit, unsigned tries)
{
    unsigned n = 0;

    for (unsigned i = 0; i < tries; i++)
        n += log_limit_allows(limit);
    return n;
}

static const char *logged(void)
{
    FILE *file = fopen(path, "r");
    size_t n;

    ck_assert_ptr_nonnull(file);
    n = fread(output, 1, sizeof output - 1, file);
    fclose(file);
    output[n] = '\0';
    return output;
}

START_TEST(a_flood_is_cut_to_a_few_lines_a_second)
{
    struct log_limit limit = {.event = "flood", .per_s = PER_S};
    unsigned n = allowed(&limit, TRIES);

    ck_assert_uint_ge(n, PER_S);
    ck_assert_uint_le(n, 2 * PER_S); /* a second may have begun meanwhile */
}
END_TEST

START_TEST(what_was_left_out_is_counted_in_a_later_second)
{
    struct log_limit limit = {.event = "flood", .per_s = PER_S};
    char counted[64];
    unsigned n;

    poll(NULL, 0, 1000 - (int)(clock_monotonic_ns() / 1000000 % 1000)); /* its start */
    n = allowed(&limit, TRIES);
    ck_assert_str_eq(logged(), "");
    poll(NULL, 0, 1100);

    ck_assert(log_limit_allows(&limit));
    snprintf(counted, sizeof counted, "\"of\":\"flood\",\"count\":%u,", TRIES - n);
    ck_assert_msg(strstr(logged(), counted) != NULL, "%s is not in %s", counted,
                  output);
}
END_TEST

START_TEST(without_a_flood_nothing_is_left_out)
{
    struct log_limit limit = {.event = "flood", .per_s = PER_S};

    ck_assert_uint_eq(allowed(&limit, PER_S), PER_S);
    poll(NULL, 0, 1100);
    ck_assert_uint_eq(allowed(&limit, PER_S), PER_S);
    ck_assert_str_eq(logged(), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_limit");
    TCase *tests = tcase_create("log_limit");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_flood_is_cut_to_a_few_lines_a_second);
    tcase_add_test(tests, what_was_left_out_is_counted_in_a_later_second);
    tcase_add_test(tests, without_a_flood_nothing_is_left_out);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
