/* SPDX-License-Identifier: MIT */
#include "sender/metrics.h"

#include "common/clock.h"
#include "common/prometheus.h"
#include "common/sha256.h"
#include "sender/metrics_server.h"
#include "sender/spool.h"
#include "version.h"

#include <errno.h>
#include <stdlib.h>

struct metrics {
    struct metrics_server *server;
    const struct report *report;
    const char *spool_dir;
};

static void write_report(struct prometheus *out, const struct report *report)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"blob_sender_blobs_generated_total", "Blobs generated.", report->generated},
        {"blob_sender_blobs_recovered_total",
         "Blobs found in the spool at the start, undelivered by an earlier run.",
         report->recovered},
        {"blob_sender_blobs_delivered_total",
         "Blobs that the receiver has acknowledged with their digest.",
         report->delivered},
        {"blob_sender_blobs_retried_total", "Attempts after a blob's first.",
         report->retried},
        {"blob_sender_blobs_rejected_total",
         "Attempts that the receiver refused for their digest.", report->rejected},
        {"blob_sender_blobs_dead_total", "Blobs given up.", report->dead},
        {"blob_sender_blobs_lost_total", "Blobs that vanished from the spool.",
         report->lost},
        {"blob_sender_bytes_delivered_total", "Bytes of delivered blobs.",
         report->bytes},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        prometheus_counter(out, rows[i].name, rows[i].help, rows[i].value);
    prometheus_durations(out, "blob_sender_delivery_duration_seconds",
                         "From a blob's first attempt to its acknowledgement.",
                         &report->latency_us);
}

/* Ids are of version 7, but what somebody else put into the spool may not be. */
static double age_of_oldest(const struct uuid *ids, size_t count)
{
    uint64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < count; i++) {
        if (uuid_version(&ids[i]) != 7)
            continue;
        if (uuid_unix_ms(&ids[i]) >= now_ms)
            return 0;
        return (double)(now_ms - uuid_unix_ms(&ids[i])) / 1e3;
    }
    return 0;
}

static void write_pending(struct prometheus *out, struct spool *spool)
{
    struct error err;
    struct uuid *ids;
    size_t count;

    if (spool_list(spool, &ids, &count, &err) != ST_OK)
        return;
    prometheus_gauge(out, "blob_sender_spool_blobs", "Blobs waiting to be delivered.",
                     (double)count);
    prometheus_gauge(out, "blob_sender_oldest_undelivered_seconds",
                     "Age of the oldest of them; 0: there is none.",
                     age_of_oldest(ids, count));
    free(ids);
}

static void write_dead(struct prometheus *out, struct spool *spool)
{
    struct error err;
    struct uuid *ids;
    size_t count;

    if (spool_list_dead(spool, &ids, &count, &err) != ST_OK)
        return;
    prometheus_gauge(out, "blob_sender_spool_dead_blobs",
                     "Dead letters in the spool, of this run and earlier ones.",
                     (double)count);
    free(ids);
}

static void write_spool(struct prometheus *out, const char *dir)
{
    struct spool *spool = NULL;
    struct error err;

    if (spool_open_beside(&spool, dir, &err) != ST_OK)
        return;
    write_pending(out, spool);
    write_dead(out, spool);
    spool_close(&spool);
}

static char *write_all(void *context, size_t *length)
{
    const struct metrics *metrics = context;
    struct prometheus out;

    prometheus_begin(&out);
    write_report(&out, metrics->report);
    write_spool(&out, metrics->spool_dir);
    prometheus_family(&out, "blob_sender_build_info", PROMETHEUS_GAUGE,
                      "Always 1; the labels say what is running.");
    prometheus_integer(&out,
                       PROMETHEUS_LABELS({"version", BLOBSTREAM_VERSION},
                                         {"sha256", sha256_implementation}),
                       1);
    prometheus_process(&out);
    return prometheus_finish(&out, length);
}

enum status metrics_start(struct metrics **out, const char *address,
                          const struct report *report, const char *spool_dir,
                          struct error *err)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    enum status st;

    if (!metrics)
        return error_sys(err, ENOMEM, "serve metrics");
    metrics->report = report;
    metrics->spool_dir = spool_dir;
    st = metrics_server_start(&metrics->server, address, write_all, metrics, err);
    if (st != ST_OK) {
        free(metrics);
        return st;
    }
    *out = metrics;
    return ST_OK;
}

void metrics_stop(struct metrics **metrics)
{
    if (!*metrics)
        return;
    metrics_server_stop(&(*metrics)->server);
    free(*metrics);
    *metrics = NULL;
}

unsigned metrics_port(const struct metrics *metrics)
{
    return metrics_server_port(metrics->server);
}
