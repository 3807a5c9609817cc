/* SPDX-License-Identifier: MIT */
#include "common/prometheus.h"
#include "unit.h"

#include <string.h>
#include <time.h>

static struct prometheus out;
static char *text;

static void finish(void)
{
    size_t length = 0;

    text = prometheus_finish(&out, &length);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(strlen(text), length);
}

static void set_up(void)
{
    text = NULL;
    prometheus_begin(&out);
}

static void tear_down(void)
{
    free(text);
}

static double sample(const char *name)
{
    char line[160];
    const char *at;

    snprintf(line, sizeof line, "\n%s ", name);
    at = strstr(text, line);
    ck_assert_msg(at != NULL, "no '%s' in\n%s", name, text);
    return strtod(at + strlen(line), NULL);
}

START_TEST(a_family_is_introduced_and_its_samples_follow)
{
    prometheus_counter(&out, "x_total", "How many x.", UINT64_MAX);
    prometheus_family(&out, "y", PROMETHEUS_GAUGE, "How y it is.");
    prometheus_integer(&out, PROMETHEUS_LABELS({"a", "1"}, {"b", "2"}), 3);
    prometheus_number(&out, NULL, 0.5);
    finish();
    ck_assert_str_eq(text, "# HELP x_total How many x.\n"
                           "# TYPE x_total counter\n"
                           "x_total 18446744073709551615\n"
                           "# HELP y How y it is.\n"
                           "# TYPE y gauge\n"
                           "y{a=\"1\",b=\"2\"} 3\n"
                           "y 0.5\n");
}
END_TEST

START_TEST(values_of_labels_are_escaped)
{
    prometheus_family(&out, "y", PROMETHEUS_GAUGE, "Y.");
    prometheus_integer(&out, PROMETHEUS_LABELS({"a", "q\" b\\ n\n t\t"}), 1);
    finish();
    ck_assert_ptr_nonnull(strstr(text, "y{a=\"q\\\" b\\\\ n\\n t\t\"} 1\n"));
}
END_TEST

START_TEST(large_gauges_keep_their_digits)
{
    prometheus_gauge(&out, "y", "Y.", 123456789012345);
    finish();
    ck_assert_ptr_nonnull(strstr(text, "\ny 123456789012345\n"));
}
END_TEST

START_TEST(durations_are_cumulative_and_in_seconds)
{
    static struct histogram us;

    histogram_record(&us, 255); /* below the first bound */
    histogram_record(&us, 256); /* on it */
    histogram_record(&us, 1000);
    histogram_record(&us, 60000000); /* beyond the last */
    prometheus_durations(&out, "d_seconds", "D.", &us);
    finish();

    ck_assert_ptr_nonnull(strstr(text, "# TYPE d_seconds histogram\n"));
    ck_assert(sample("d_seconds_bucket{le=\"0.000256\"}") == 1);
    ck_assert(sample("d_seconds_bucket{le=\"0.000512\"}") == 2);
    ck_assert(sample("d_seconds_bucket{le=\"0.001024\"}") == 3);
    ck_assert(sample("d_seconds_bucket{le=\"33.554432\"}") == 3);
    ck_assert(sample("d_seconds_bucket{le=\"+Inf\"}") == 4);
    ck_assert(sample("d_seconds_count") == 4);
    ck_assert_double_eq_tol(sample("d_seconds_sum"), 60.001511, 1e-9);
}
END_TEST

START_TEST(the_process_describes_itself)
{
    double now = (double)time(NULL);

    prometheus_process(&out);
    finish();
    ck_assert(sample("process_resident_memory_bytes") > 100000);
    ck_assert(sample("process_open_fds") >= 3);
    ck_assert(sample("process_max_fds") > sample("process_open_fds"));
    ck_assert(sample("process_cpu_seconds_total") >= 0);
    ck_assert_double_eq_tol(sample("process_start_time_seconds"), now, 60);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prometheus");
    TCase *cases = tcase_create("prometheus");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_family_is_introduced_and_its_samples_follow);
    tcase_add_test(cases, values_of_labels_are_escaped);
    tcase_add_test(cases, large_gauges_keep_their_digits);
    tcase_add_test(cases, durations_are_cumulative_and_in_seconds);
    tcase_add_test(cases, the_process_describes_itself);
    return unit_run(suite);
}
