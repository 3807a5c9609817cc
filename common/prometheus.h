/* SPDX-License-Identifier: MIT */
/*
 * prometheus -- writes metrics in the text format that Prometheus scrapes.
 *
 *     prometheus_family(&out, "x_total", PROMETHEUS_COUNTER, "How many x.");
 *     prometheus_integer(&out, PROMETHEUS_LABELS({"reason", "late"}), 7);
 *
 * All samples of a family follow it. Names and help are ours and are written as they
 * are; the values of labels are escaped.
 * Errors:  out of memory makes the text unusable: prometheus_finish says so.
 * Owner:   the caller frees what finish hands out.
 * Threads: a writer belongs to one thread.
 * Source:  https://prometheus.io/docs/instrumenting/exposition_formats
 */
#ifndef COMMON_PROMETHEUS_H
#define COMMON_PROMETHEUS_H

#include "common/histogram.h"
#include "common/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct prometheus {
    FILE *stream; /* NULL: memory ran out */
    char *text;
    size_t length;
    const char *family;
};

enum prometheus_type { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

struct prometheus_label {
    const char *name; /* NULL ends the list */
    const char *value;
};

#define PROMETHEUS_LABELS(...)                                                         \
    ((const struct prometheus_label[]){__VA_ARGS__, {.name = NULL}})

void prometheus_begin(struct prometheus *out);

/* Heap text of *length bytes; NULL: memory ran out. Ends the writer. */
char *prometheus_finish(struct prometheus *out, size_t *length) MUST_CHECK;

/* name: static. */
void prometheus_family(struct prometheus *out, const char *name,
                       enum prometheus_type type, const char *help);

/* One sample of the family; labels NULL: none. */
void prometheus_integer(struct prometheus *out, const struct prometheus_label *labels,
                        uint64_t value);
void prometheus_number(struct prometheus *out, const struct prometheus_label *labels,
                       double value);

/* A family of one sample without labels. */
void prometheus_counter(struct prometheus *out, const char *name, const char *help,
                        uint64_t value);
void prometheus_gauge(struct prometheus *out, const char *name, const char *help,
                      double value);

/* A histogram of microseconds, as seconds. Its bounds are powers of two of them, which
 * the buckets of histogram.h keep exactly: 256 us to 33.6 s. */
void prometheus_durations(struct prometheus *out, const char *name, const char *help,
                          const struct histogram *us);

/* process_*: CPU time, memory, descriptors and age of this process. */
void prometheus_process(struct prometheus *out);

#endif
