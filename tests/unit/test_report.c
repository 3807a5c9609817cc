/* SPDX-License-Identifier: MIT */
#include "sender/report.h"
#include "unit.h"

#include <string.h>

static struct report report;
static char text[2048];

static void start_over(void)
{
    memset((void *)&report, 0, sizeof report);
    report.start_ns = 1000000000;
    report.end_ns = 3500000000;
}

static bool has_line(const char *line)
{
    const char *at = strstr(text, line);

    return at && (at == text || at[-1] == '\n');
}

START_TEST(every_blob_must_end_somewhere)
{
    start_over();
    report.generated = 5;
    report.recovered = 3;
    report.delivered = 4;
    report.dead = 2;
    report.left = 1;
    ck_assert(!report_reconciles(&report));
    report.lost = 1;
    ck_assert(report_reconciles(&report));
    report.delivered = 5;
    ck_assert(!report_reconciles(&report));
}
END_TEST

START_TEST(run_is_complete_only_when_all_were_delivered)
{
    start_over();
    ck_assert(report_is_complete(&report));
    report.generated = 2;
    report.recovered = 1;
    report.delivered = 3;
    ck_assert(report_is_complete(&report));
    report.undetected = 1;
    ck_assert(!report_is_complete(&report));
    report.undetected = 0;
    report.delivered = 2;
    ck_assert(!report_is_complete(&report));
    report.left = 1;
    ck_assert(!report_is_complete(&report));
}
END_TEST

START_TEST(text_has_a_line_for_each_figure)
{
    start_over();
    report.generated = 12;
    report.delivered = 12;
    report.injected = 3;
    report.bytes = 5000000;
    histogram_record(&report.latency_us, 2000);
    report_text(&report, text, sizeof text);

    ck_assert(has_line("generated:             12\n"));
    ck_assert(has_line("recovered:             0\n"));
    ck_assert(has_line("rejected by injection: 3\n"));
    ck_assert(has_line("left in spool:         0\n"));
    ck_assert(has_line("seconds:               2.500\n"));
    ck_assert(has_line("rate:                  2.0 MB/s\n"));
    ck_assert(has_line("latency:               p50 2."));
    ck_assert(!has_line("lost:"));
    ck_assert(!has_line("undetected corruption:"));
}
END_TEST

START_TEST(what_must_not_happen_is_shown_when_it_does)
{
    start_over();
    report.lost = 1;
    report.undetected = 2;
    report_text(&report, text, sizeof text);

    ck_assert(has_line("lost:                  1\n"));
    ck_assert(has_line("undetected corruption: 2\n"));
}
END_TEST

START_TEST(json_is_one_line_with_the_same_figures)
{
    start_over();
    report.generated = 12;
    report.delivered = 11;
    report.left = 1;
    report.bytes = 5000000;
    report_json(&report, text, sizeof text);

    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    ck_assert_ptr_eq(strstr(text, "{\"event\":\"summary\",\"generated\":12,"), text);
    ck_assert_ptr_nonnull(strstr(text, "\"delivered\":11,"));
    ck_assert_ptr_nonnull(strstr(text, "\"left\":1,"));
    ck_assert_ptr_nonnull(strstr(text, "\"seconds\":2.500,\"mb_per_s\":2.000,"));
    ck_assert_ptr_nonnull(
        strstr(text, "\"latency_ms\":{\"p50\":0.000,\"p95\":0.000,\"p99\":0.000}}\n"));
}
END_TEST

START_TEST(small_buffer_is_not_overrun)
{
    char small[16];

    start_over();
    report_text(&report, small, sizeof small);
    ck_assert_uint_lt(strnlen(small, sizeof small), sizeof small);
    report_json(&report, small, sizeof small);
    ck_assert_uint_lt(strnlen(small, sizeof small), sizeof small);
}
END_TEST

static Suite *report_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *tcase = tcase_create("report");

    tcase_add_test(tcase, every_blob_must_end_somewhere);
    tcase_add_test(tcase, run_is_complete_only_when_all_were_delivered);
    tcase_add_test(tcase, text_has_a_line_for_each_figure);
    tcase_add_test(tcase, what_must_not_happen_is_shown_when_it_does);
    tcase_add_test(tcase, json_is_one_line_with_the_same_figures);
    tcase_add_test(tcase, small_buffer_is_not_overrun);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return unit_run(report_suite());
}
