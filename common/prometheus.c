/* SPDX-License-Identifier: MIT */
#include "common/prometheus.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BOUND = 8, LAST_BOUND = 25 }; /* powers of two of a microsecond */

void prometheus_begin(struct prometheus *out)
{
    *out = (struct prometheus){0};
    out->stream = open_memstream(&out->text, &out->length);
}

char *prometheus_finish(struct prometheus *out, size_t *length)
{
    bool failed = !out->stream || ferror(out->stream);

    if (out->stream && fclose(out->stream) != 0)
        failed = true;
    if (failed) {
        free(out->text);
        return NULL;
    }
    *length = out->length;
    return out->text;
}

void prometheus_family(struct prometheus *out, const char *name,
                       enum prometheus_type type, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    out->family = name;
    if (out->stream)
        fprintf(out->stream, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                types[type]);
}

static void put_quoted(FILE *stream, const char *value)
{
    putc('"', stream);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            putc('\\', stream);
        if (*value == '\n')
            fputs("\\n", stream);
        else
            putc(*value, stream);
    }
    putc('"', stream);
}

static void put_labels(FILE *stream, const struct prometheus_label *labels)
{
    char before = '{';

    for (; labels && labels->name; labels++) {
        fprintf(stream, "%c%s=", before, labels->name);
        put_quoted(stream, labels->value);
        before = ',';
    }
    if (before == ',')
        putc('}', stream);
}

void prometheus_integer(struct prometheus *out, const struct prometheus_label *labels,
                        uint64_t value)
{
    if (!out->stream)
        return;
    fputs(out->family, out->stream);
    put_labels(out->stream, labels);
    fprintf(out->stream, " %" PRIu64 "\n", value);
}

void prometheus_number(struct prometheus *out, const struct prometheus_label *labels,
                       double value)
{
    if (!out->stream)
        return;
    fputs(out->family, out->stream);
    put_labels(out->stream, labels);
    fprintf(out->stream, " %.15g\n", value);
}

void prometheus_counter(struct prometheus *out, const char *name, const char *help,
                        uint64_t value)
{
    prometheus_family(out, name, PROMETHEUS_COUNTER, help);
    prometheus_integer(out, NULL, value);
}

void prometheus_gauge(struct prometheus *out, const char *name, const char *help,
                      double value)
{
    prometheus_family(out, name, PROMETHEUS_GAUGE, help);
    prometheus_number(out, NULL, value);
}

void prometheus_durations(struct prometheus *out, const char *name, const char *help,
                          const struct histogram *us)
{
    uint64_t count;

    prometheus_family(out, name, PROMETHEUS_HISTOGRAM, help);
    if (!out->stream)
        return;
    for (unsigned power = FIRST_BOUND; power <= LAST_BOUND; power++) {
        uint64_t bound = UINT64_C(1) << power;

        count = histogram_count_below(us, bound);
        fprintf(out->stream, "%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", name,
                (double)bound / 1e6, count);
    }
    count = histogram_count_below(us, UINT64_MAX);
    fprintf(out->stream, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    fprintf(out->stream, "%s_sum %.15g\n", name,
            (double)atomic_load_explicit(&us->sum, memory_order_relaxed) / 1e6);
    fprintf(out->stream, "%s_count %" PRIu64 "\n", name, count);
}
