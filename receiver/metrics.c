/* SPDX-License-Identifier: MIT */
#include "receiver/metrics.h"

#include "common/prometheus.h"
#include "common/sha256.h"
#include "version.h"

#include <stdio.h>
#include <string.h>

/* Titles of problems that an upload can end with. The last label is everybody else's.
 */
static const struct {
    const char *title, *label;
} reasons[] = {
    {"Digest mismatch", "digest_mismatch"},
    {"Invalid digest", "digest_invalid"},
    {"Malformed digest field", "digest_malformed"},
    {"Unsupported digest algorithm", "digest_unsupported"},
    {"Digest required", "digest_required"},
    {"Malformed request", "malformed_request"},
    {"Expectation failed", "expectation_failed"},
    {"Invalid id", "invalid_id"},
    {"Odd length", "odd_length"},
    {"No such resource", "no_such_resource"},
    {"Method not allowed", "method_not_allowed"},
    {"URI too long", "uri_too_long"},
    {"Too many headers", "too_many_headers"},
    {"Headers too large", "headers_too_large"},
    {"Blob too large", "blob_too_large"},
    {"Length required", "length_required"},
    {"Content-Encoding not supported", "content_encoding"},
    {"Content-Type too long", "content_type_too_long"},
    {"Content-Type not ASCII", "content_type_not_ascii"},
    {"Invalid Idempotency-Key", "idempotency_key_invalid"},
    {"Id taken", "id_taken"},
    {"Blob exists", "blob_exists"},
    {"Token required", "token_required"},
    {"Invalid token", "token_invalid"},
    {"Insufficient scope", "insufficient_scope"},
    {"Client certificate required", "certificate_required"},
    {"Client certificate expired", "certificate_expired"},
    {"Client certificate not yet valid", "certificate_not_yet_valid"},
    {"Client certificate of an unknown authority", "certificate_unknown_authority"},
    {"Client certificate refused", "certificate_refused"},
    {"Forbidden", "forbidden"},
    {"Insufficient storage", "insufficient_storage"},
    {"Storage failed", "storage_failed"},
    {"Storage busy", "storage_busy"},
    {"Not ready", "not_ready"},
    {NULL, "other"},
};

enum { REASONS = sizeof(reasons) / sizeof(reasons[0]) };

_Static_assert((int)REASONS <= (int)METRICS_REASONS_MAX, "counters are too few");

static size_t find_reason(const char *title)
{
    size_t i = 0;

    while (reasons[i].title && (!title || strcmp(reasons[i].title, title) != 0))
        i++;
    return i;
}

const char *metrics_reason(const char *title)
{
    return reasons[find_reason(title)].label;
}

void metrics_answered(struct metrics *metrics, const struct reply *reply, bool upload,
                      uint64_t took_us)
{
    if (reply->status >= 0 && reply->status < METRICS_STATUSES)
        metrics_add(&metrics->answered[reply->status], 1);
    if (took_us > 0)
        histogram_record(&metrics->request_us, took_us);
    if (!upload)
        return;
    if (reply->status == 201)
        metrics_add(&metrics->stored, 1);
    else if (reply->status < 400)
        metrics_add(&metrics->replayed, 1);
    else
        metrics_add(&metrics->rejected[find_reason(reply->reason)], 1);
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void write_blobs(struct prometheus *out, const struct metrics *metrics)
{
    prometheus_counter(out, "blob_receiver_blobs_stored_total", "Blobs stored.",
                       load(&metrics->stored));
    prometheus_counter(out, "blob_receiver_blobs_replayed_total",
                       "Uploads of blobs that were stored before.",
                       load(&metrics->replayed));
    prometheus_family(out, "blob_receiver_blobs_rejected_total", PROMETHEUS_COUNTER,
                      "Uploads answered with an error.");
    for (size_t i = 0; i < REASONS; i++)
        prometheus_integer(out, PROMETHEUS_LABELS({"reason", reasons[i].label}),
                           load(&metrics->rejected[i]));
    prometheus_counter(out, "blob_receiver_blobs_abandoned_total",
                       "Uploads whose sender went away, or was cut off.",
                       load(&metrics->abandoned));
    prometheus_counter(out, "blob_receiver_bytes_received_total",
                       "Bytes of blobs that arrived, kept or not.",
                       load(&metrics->bytes_received));
}

static void write_requests(struct prometheus *out, const struct metrics *metrics)
{
    prometheus_family(out, "blob_receiver_requests_total", PROMETHEUS_COUNTER,
                      "Requests answered, by status code.");
    for (int i = 100; i < METRICS_STATUSES; i++) {
        uint64_t count = load(&metrics->answered[i]);
        char code[12];

        snprintf(code, sizeof(code), "%d", i);
        if (count > 0)
            prometheus_integer(out, PROMETHEUS_LABELS({"code", code}), count);
    }
    prometheus_durations(out, "blob_receiver_request_duration_seconds",
                         "From a request's head to its answer.", &metrics->request_us);
    prometheus_durations(out, "blob_receiver_commit_duration_seconds",
                         "From a verified blob to a durable one.", &metrics->commit_us);
}

static void write_gauges(struct prometheus *out, const struct metrics_gauges *now)
{
    prometheus_gauge(out, "blob_receiver_connections", "Open connections.",
                     (double)now->connections);
    prometheus_counter(out, "blob_receiver_connections_refused_total",
                       "Connections turned away because there were too many.",
                       now->connections_refused);
    prometheus_counter(out, "blob_receiver_connections_cut_total",
                       "Connections cut because they were too slow.",
                       now->connections_cut);
    prometheus_gauge(out, "blob_receiver_requests_in_flight",
                     "Requests begun and not yet answered.", (double)now->requests);
    prometheus_gauge(out, "blob_receiver_inflight_bytes",
                     "Bytes that uploads under way have announced or sent.",
                     (double)now->inflight_bytes);
    prometheus_gauge(out, "blob_receiver_filesystem_free_bytes",
                     "Bytes that can still be stored.", (double)now->free_bytes);
    prometheus_counter(out, "blob_receiver_fsync_failures_total",
                       "Syncs to disk that failed.", now->fsync_failures);
    prometheus_gauge(out, "blob_receiver_ready", "1 while uploads are welcome.",
                     now->ready);
}

static void write_build(struct prometheus *out)
{
    prometheus_family(out, "blob_receiver_build_info", PROMETHEUS_GAUGE,
                      "Always 1; the labels say what is running.");
    prometheus_integer(out,
                       PROMETHEUS_LABELS({"version", BLOBSTREAM_VERSION},
                                         {"sha256", sha256_implementation}),
                       1);
}

void metrics_reply(struct metrics *metrics, struct metrics_gauges *now,
                   struct reply *reply)
{
    struct prometheus out;

    if (metrics->look)
        metrics->look(metrics->server, now);
    prometheus_begin(&out);
    write_blobs(&out, metrics);
    write_requests(&out, metrics);
    write_gauges(&out, now);
    write_build(&out);
    prometheus_process(&out);
    reply->text = prometheus_finish(&out, &reply->length);
    if (!reply->text) {
        reply_problem(reply, 503, "Not ready", "out of memory");
        return;
    }
    reply->status = 200;
    reply_header(reply, "Content-Type", "%s", PROMETHEUS_CONTENT_TYPE);
    reply_header(reply, "Cache-Control", "no-store");
}
