/* SPDX-License-Identifier: MIT */
#include "sender/upload/tally.h"

#include "common/json.h"
#include "common/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_SIZE = 20 * 1024 }; /* a path and a reason, each byte as \xNN */

void tally_init(struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    pthread_mutex_init(&tally->lock, NULL);
}

void tally_release(struct tally *tally)
{
    for (size_t i = 0; i < tally->name_count; i++)
        free(tally->names[i]);
    pthread_mutex_destroy(&tally->lock);
}

void tally_fail(struct tally *tally, const char *path, const char *why)
{
    char *line = NULL;

    atomic_fetch_add(&tally->failed, 1);
    pthread_mutex_lock(&tally->lock);
    if (tally->name_count < TALLY_NAMES_MAX &&
        asprintf(&line, "%s: %s", path, why) >= 0)
        tally->names[tally->name_count++] = line;
    pthread_mutex_unlock(&tally->lock);
}

void tally_exclude(struct tally *tally)
{
    atomic_fetch_sub(&tally->walk.files, 1);
    atomic_fetch_add(&tally->walk.excluded, 1);
}

/* Trouble of the walk is counted as failed, but is not always a file. */
uint64_t tally_left(const struct tally *tally)
{
    uint64_t found = tally->walk.files + tally->walk.troubles;
    uint64_t ended = tally->uploaded + tally->skipped + tally->failed;

    return found > ended ? found - ended : 0;
}

static double seconds(const struct tally *tally)
{
    return (double)(tally->end_ns - tally->start_ns) / 1e9;
}

static double megabytes_per_s(const struct tally *tally)
{
    double s = seconds(tally);

    return s > 0 ? (double)tally->bytes / 1e6 / s : 0;
}

static double quantile_ms(const struct tally *tally, double q)
{
    return (double)histogram_quantile(&tally->latency_us, q) / 1000;
}

static void print_name(FILE *to, const char *name)
{
    char shown[SHOWN_SIZE];

    utf8_show(shown, sizeof shown, name);
    fprintf(to, "failed: %s\n", shown);
}

char *tally_text(const struct tally *tally)
{
    const struct {
        const char *name;
        uint64_t value;
        bool always;
    } rows[] = {
        {"uploaded:", tally->uploaded, true},
        {"skipped:", tally->skipped, true},
        {"failed:", tally->failed, true},
        {"changed while read:", tally->changed, false},
        {"not come to:", tally_left(tally), false},
        {"links not followed:", tally->walk.links, false},
        {"special files skipped:", tally->walk.special, false},
        {"excluded:", tally->walk.excluded, false},
        {"directories:", tally->walk.directories, true},
        {"bytes:", tally->bytes, true},
        {"parts resumed:", tally->resumed_parts, false},
        {"requests:", tally->requests, true},
        {"retries:", tally->retries, true},
        {"throttled:", tally->throttled, false},
    };
    char *out = NULL;
    size_t size;
    FILE *to = open_memstream(&out, &size);

    if (!to)
        return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].always || rows[i].value > 0)
            fprintf(to, "%-22s %" PRIu64 "\n", rows[i].name, rows[i].value);
    fprintf(to, "%-22s %u, %s\n", "jobs:", tally->jobs, tally->jobs_reason);
    fprintf(to, "%-22s %.3f\n", "seconds:", seconds(tally));
    fprintf(to, "%-22s %.1f MB/s, %.0f files/s\n", "rate:", megabytes_per_s(tally),
            seconds(tally) > 0 ? (double)tally->uploaded / seconds(tally) : 0);
    fprintf(to, "%-22s p50 %.1f ms, p95 %.1f ms, p99 %.1f ms\n",
            "latency:", quantile_ms(tally, 0.5), quantile_ms(tally, 0.95),
            quantile_ms(tally, 0.99));
    for (size_t i = 0; i < tally->name_count; i++)
        print_name(to, tally->names[i]);
    if (tally->failed > tally->name_count)
        fprintf(to, "failed: and %" PRIu64 " more, see the log\n",
                (uint64_t)tally->failed - tally->name_count);
    fclose(to);
    return out;
}

enum { JSON_BASE_SIZE = 2048, JSON_GROWTH = 6 };

static void write_json(const struct tally *tally, struct json *json)
{
    json_open(json, NULL, '{');
    json_string(json, "event", "summary");
    json_number(json, "uploaded", (int64_t)tally->uploaded);
    json_number(json, "skipped", (int64_t)tally->skipped);
    json_number(json, "failed", (int64_t)tally->failed);
    json_number(json, "changed", (int64_t)tally->changed);
    json_number(json, "left", (int64_t)tally_left(tally));
    json_number(json, "links", (int64_t)tally->walk.links);
    json_number(json, "special", (int64_t)tally->walk.special);
    json_number(json, "excluded", (int64_t)tally->walk.excluded);
    json_number(json, "directories", (int64_t)tally->walk.directories);
    json_number(json, "bytes", (int64_t)tally->bytes);
    json_number(json, "resumed_parts", (int64_t)tally->resumed_parts);
    json_number(json, "requests", (int64_t)tally->requests);
    json_number(json, "retries", (int64_t)tally->retries);
    json_number(json, "throttled", (int64_t)tally->throttled);
    json_number(json, "jobs", tally->jobs);
    json_string(json, "jobs_reason", tally->jobs_reason);
    json_number(json, "duration_ms",
                (int64_t)((tally->end_ns - tally->start_ns) / 1000000));
    json_open(json, "latency_us", '{');
    json_number(json, "p50", (int64_t)histogram_quantile(&tally->latency_us, 0.5));
    json_number(json, "p95", (int64_t)histogram_quantile(&tally->latency_us, 0.95));
    json_number(json, "p99", (int64_t)histogram_quantile(&tally->latency_us, 0.99));
    json_close(json, '}');
    json_open(json, "failures", '[');
    for (size_t i = 0; i < tally->name_count; i++)
        json_string(json, NULL, tally->names[i]);
    json_close(json, ']');
    json_close(json, '}');
}

char *tally_json(const struct tally *tally)
{
    size_t size = JSON_BASE_SIZE;
    struct json json;
    char *out;

    for (size_t i = 0; i < tally->name_count; i++)
        size += JSON_GROWTH * strlen(tally->names[i]) + 4;
    out = malloc(size + 1);
    if (!out)
        return NULL;
    json_init(&json, out, size);
    write_json(tally, &json);
    strcpy(out + json.length, "\n");
    return out;
}
