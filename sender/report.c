/* SPDX-License-Identifier: MIT */
#include "sender/report.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t taken_on(const struct report *report)
{
    return report->generated + report->recovered;
}

bool report_reconciles(const struct report *report)
{
    return taken_on(report) ==
           report->delivered + report->dead + report->lost + report->left;
}

bool report_is_complete(const struct report *report)
{
    return taken_on(report) == report->delivered && report->dead == 0 &&
           report->lost == 0 && report->left == 0 && report->undetected == 0;
}

static double seconds(const struct report *report)
{
    return (double)(report->end_ns - report->start_ns) / 1e9;
}

static double megabytes_per_s(const struct report *report)
{
    return seconds(report) > 0 ? (double)report->bytes / 1e6 / seconds(report) : 0;
}

static double quantile_ms(const struct report *report, double q)
{
    return (double)histogram_quantile(&report->latency_us, q) / 1000;
}

static void print_ms(FILE *stream, const char *name, double ms, const char *end)
{
    fprintf(stream, "%s %.*f ms%s", name, ms < 10 ? 2 : 0, ms, end);
}

const char *report_text(const struct report *report, char *out, size_t size)
{
    const struct {
        const char *name;
        uint64_t value;
        bool only_if_any;
    } rows[] = {
        {"generated:", report->generated, false},
        {"recovered:", report->recovered, false},
        {"delivered:", report->delivered, false},
        {"retried:", report->retried, false},
        {"rejected by injection:", report->injected, false},
        {"undetected corruption:", report->undetected, true},
        {"dead:", report->dead, false},
        {"lost:", report->lost, true},
        {"left in spool:", report->left, false},
        {"bytes:", report->bytes, false},
    };
    FILE *stream = fmemopen(out, size, "w");

    out[0] = '\0';
    if (!stream)
        return out;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].value > 0 || !rows[i].only_if_any)
            fprintf(stream, "%-22s %" PRIu64 "\n", rows[i].name, rows[i].value);
    fprintf(stream, "%-22s %.3f\n", "seconds:", seconds(report));
    fprintf(stream, "%-22s %.1f MB/s\n", "rate:", megabytes_per_s(report));
    fprintf(stream, "%-22s ", "latency:");
    print_ms(stream, "p50", quantile_ms(report, 0.50), ", ");
    print_ms(stream, "p95", quantile_ms(report, 0.95), ", ");
    print_ms(stream, "p99", quantile_ms(report, 0.99), "\n");
    fclose(stream);
    return out;
}

const char *report_json(const struct report *report, char *out, size_t size)
{
    snprintf(out, size,
             "{\"event\":\"summary\",\"generated\":%" PRIu64 ",\"recovered\":%" PRIu64
             ",\"delivered\":%" PRIu64 ",\"retried\":%" PRIu64
             ",\"rejected_by_injection\":%" PRIu64 ",\"undetected\":%" PRIu64
             ",\"dead\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"left\":%" PRIu64
             ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f,\"mb_per_s\":%.3f,"
             "\"latency_ms\":{\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f}}\n",
             report->generated, report->recovered, report->delivered, report->retried,
             report->injected, report->undetected, report->dead, report->lost,
             report->left, report->bytes, seconds(report), megabytes_per_s(report),
             quantile_ms(report, 0.50), quantile_ms(report, 0.95),
             quantile_ms(report, 0.99));
    return out;
}
