/* SPDX-License-Identifier: MIT */
#include "sender/stream.h"

#include "common/clock.h"
#include "common/crew.h"
#include "common/latch.h"
#include "common/log.h"
#include "common/queue.h"
#include "sender/delivery.h"
#include "sender/generator.h"
#include "sender/identity.h"
#include "sender/reach.h"
#include "sender/spool.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    JOBS_PER_WORKER = 2, /* in the queue: enough that no worker waits for the disk */
    RETRY_BASE_MS = 100,
    RETRY_CAP_MS = 10 * 1000,
    RETRY_AFTER_CAP_MS = 60 * 1000,
};

/* Keeps what was recovered apart from what is generated. */
#define RECOVERED_ORDINAL (UINT64_C(1) << 63)

struct stream {
    const struct stream_config *config;
    struct report *report;
    struct generator_config generator;
    struct retry_policy retry;
    struct identity identity;
    struct exchange_config connection;
    struct spool *spool;
    struct queue *queue;
    struct delivery *delivery;
    struct crew *workers, *producer;
    struct latch closing, abandoned;
    int finished_fd;
    struct uuid *recovered; /* the producer's, once it runs */
    size_t recovered_count;
    atomic_uint working;      /* workers that are not done */
    atomic_bool gave_up;      /* the producer, because of an error */
    atomic_bool all_taken_on; /* the producer is done */
};

static void leave(struct stream *stream, uint64_t count)
{
    atomic_fetch_add(&stream->report->left, count);
}

static void give_up(struct stream *stream, const struct error *err)
{
    atomic_store(&stream->gave_up, true);
    log_event(LOG_ERROR, "generator_failed", LOG_FIELDS(log_text("reason", err->text)),
              "Generator gives up: %s", err->text);
}

/* Queues a spooled blob. When that fails it is counted as left in the spool. */
static bool enqueue(struct stream *stream, const struct uuid *id, uint64_t ordinal)
{
    struct delivery_job *job = malloc(sizeof *job);
    void *cargo = job;
    struct error err;

    if (!job) {
        error_sys(&err, ENOMEM, "queue a blob");
        give_up(stream, &err);
        leave(stream, 1);
        return false;
    }
    *job = (struct delivery_job){.id = *id, .ordinal = ordinal};
    if (queue_push(stream->queue, &cargo) == ST_OK)
        return true;
    free(cargo);
    leave(stream, 1);
    return false;
}

static void resend_recovered(struct stream *stream)
{
    size_t i = 0;

    while (i < stream->recovered_count) {
        bool queued = enqueue(stream, &stream->recovered[i], RECOVERED_ORDINAL | i);

        i++;
        if (!queued)
            break;
    }
    leave(stream, stream->recovered_count - i);
}

static void fill(void *context, uint64_t offset, void *into, size_t n)
{
    generator_fill(context, offset, into, n);
}

static void log_generated(const char *id, const struct generator_blob *blob, bool last)
{
    char next[48] = "";

    if (!last)
        snprintf(next, sizeof next, ", next in %llu ms",
                 (unsigned long long)blob->gap_ms);
    log_event(LOG_INFO, "generated",
              LOG_FIELDS(log_text("blob", id), log_number("bytes", blob->bytes),
                         log_number("gap_ms", blob->gap_ms)),
              "G generated %s %llu bytes%s", id, (unsigned long long)blob->bytes, next);
}

/* Makes, spools and queues blob number `index`. */
static bool produce(struct stream *stream, uint64_t index, struct generator_blob *blob)
{
    const struct uuid id = uuid_generate(clock_wall_ms());
    char text[UUID_TEXT_SIZE];
    struct error err;

    generator_describe(&stream->generator, index, blob);
    if (spool_store(stream->spool, &id, blob->bytes, fill, blob, &err) != ST_OK) {
        give_up(stream, &err);
        return false;
    }
    atomic_fetch_add(&stream->report->generated, 1);
    log_generated(uuid_format(text, &id), blob, index + 1 == stream->config->count);
    return enqueue(stream, &id, index);
}

static void generate(struct stream *stream)
{
    const struct stream_config *config = stream->config;
    uint64_t start_ns = clock_monotonic_ns();
    struct generator_blob blob;

    for (uint64_t i = 0; config->count == 0 || i < config->count; i++) {
        uint64_t elapsed_ms = (clock_monotonic_ns() - start_ns) / 1000000;

        if (latch_is_set(&stream->closing) ||
            (config->max_duration_ms > 0 && elapsed_ms >= config->max_duration_ms))
            return;
        if (!produce(stream, i, &blob) || i + 1 == config->count)
            return;
        elapsed_ms = (clock_monotonic_ns() - start_ns) / 1000000;
        if (config->max_duration_ms > 0 &&
            elapsed_ms + blob.gap_ms > config->max_duration_ms)
            return; /* the next one would come too late */
        latch_wait(&stream->closing, blob.gap_ms);
    }
}

static bool reach_receiver(struct stream *stream)
{
    const struct reach_config reach = {
        .connection = stream->connection,
        .url = stream->config->health_url,
        .timeout_ms = stream->config->timeout_ms,
        .retry = stream->retry,
        .stop = &stream->closing,
    };
    struct error err;
    enum status st = reach_wait(&reach, &err);

    if (st != ST_OK && st != ST_CLOSED)
        give_up(stream, &err);
    return st == ST_OK;
}

static void run_producer(void *context, unsigned index)
{
    struct stream *stream = context;

    (void)index;
    if (reach_receiver(stream)) {
        resend_recovered(stream);
        generate(stream);
    } else {
        leave(stream, stream->recovered_count);
    }
    atomic_store(&stream->all_taken_on, true);
    log_event(LOG_INFO, "generator_done",
              LOG_FIELDS(log_number("generated", stream->report->generated)),
              "Generator done");
    queue_close(stream->queue);
}

static void run_worker(void *context, unsigned index)
{
    struct stream *stream = context;

    delivery_work(stream->delivery, index);
    if (atomic_fetch_sub(&stream->working, 1) == 1)
        eventfd_write(stream->finished_fd, 1);
}

static enum status open_spool(struct stream *stream, struct error *err)
{
    const struct stream_config *config = stream->config;
    const struct spool_config spool_config = {
        .dir = config->spool_dir,
        .strict = config->durability == STREAM_STRICT,
        .keep = config->keep,
    };
    unsigned swept = 0;
    enum status st = spool_open(&stream->spool, &spool_config, &swept, err);

    if (st != ST_OK)
        return st;
    st = spool_list(stream->spool, &stream->recovered, &stream->recovered_count, err);
    if (st != ST_OK)
        return st;
    atomic_store(&stream->report->recovered, stream->recovered_count);
    if (swept > 0)
        log_event(LOG_INFO, "swept", LOG_FIELDS(log_number("count", swept)),
                  "Half-written files of an earlier run removed: %u", swept);
    if (stream->recovered_count > 0)
        log_event(LOG_INFO, "recovered",
                  LOG_FIELDS(log_number("count", stream->recovered_count)),
                  "Undelivered blobs in '%s', to be sent first: %zu", config->spool_dir,
                  stream->recovered_count);
    return ST_OK;
}

static enum status create_delivery(struct stream *stream, struct error *err)
{
    const struct stream_config *config = stream->config;
    struct delivery_config delivery_config = {
        .queue = stream->queue,
        .spool = stream->spool,
        .report = stream->report,
        .abandon = &stream->abandoned,
        .connection = stream->connection,
        .identity = &stream->identity,
        .url = config->blobs_url,
        .timeout_ms = config->timeout_ms,
        .retry = stream->retry,
        .inject = {.percent = (unsigned)config->inject_percent},
    };

    generator_key(delivery_config.inject.key, config->seed);
    return delivery_create(&stream->delivery, &delivery_config,
                           (unsigned)config->workers, err);
}

static enum status start_threads(struct stream *stream, struct error *err)
{
    unsigned workers = (unsigned)stream->config->workers;
    enum status st;

    log_event(LOG_INFO, "started",
              LOG_FIELDS(log_text("url", stream->config->target),
                         log_number("workers", workers),
                         log_text("seed", stream->config->seed)),
              "Sending to %s, workers: %u, seed: %s", stream->config->target, workers,
              stream->config->seed);
    atomic_store(&stream->working, workers);
    st = crew_start(&stream->workers, "worker", workers, run_worker, stream, err);
    if (st == ST_OK)
        st = crew_start(&stream->producer, "generator", 1, run_producer, stream, err);
    return st;
}

static void destroy(struct stream **stream)
{
    struct stream *s = *stream;

    if (s->queue)
        queue_close(s->queue);
    crew_join(&s->producer);
    crew_join(&s->workers);
    delivery_destroy(&s->delivery);
    if (s->queue)
        queue_destroy(&s->queue);
    spool_close(&s->spool);
    if (s->finished_fd >= 0)
        close(s->finished_fd);
    latch_release(&s->closing);
    latch_release(&s->abandoned);
    identity_release(&s->identity);
    free(s->recovered);
    free(s);
    *stream = NULL;
}

enum status stream_start(struct stream **out, const struct stream_config *config,
                         struct report *report, struct error *err)
{
    struct stream *stream = calloc(1, sizeof *stream);
    enum status st;

    if (!stream)
        return error_sys(err, ENOMEM, "start the stream");
    stream->config = config;
    stream->report = report;
    stream->retry = (struct retry_policy){
        .base_ms = RETRY_BASE_MS,
        .cap_ms = RETRY_CAP_MS,
        .retry_after_cap_ms = RETRY_AFTER_CAP_MS,
        .max_attempts = (unsigned)config->max_attempts,
    };
    stream->generator = (struct generator_config){
        .min_bytes = config->min_bytes,
        .max_bytes = config->max_bytes,
        .min_gap_ms = config->min_gap_ms,
        .max_gap_ms = config->max_gap_ms,
    };
    generator_key(stream->generator.key, config->seed);
    latch_init(&stream->closing);
    latch_init(&stream->abandoned);
    stream->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stream->finished_fd < 0) {
        st = error_sys(err, errno, "eventfd");
        goto out;
    }
    st = identity_open(&stream->identity, &config->identity, err);
    if (st != ST_OK)
        goto out;
    stream->connection.unix_socket = config->unix_socket;
    identity_present(&stream->identity, &stream->connection);
    st = open_spool(stream, err);
    if (st != ST_OK)
        goto out;
    st = queue_create(&stream->queue, config->workers * JOBS_PER_WORKER, err);
    if (st != ST_OK)
        goto out;
    st = create_delivery(stream, err);
    if (st != ST_OK)
        goto out;
    st = start_threads(stream, err);
out:
    if (st != ST_OK)
        destroy(&stream);
    else
        *out = stream;
    return st;
}

int stream_finished_fd(const struct stream *stream)
{
    return stream->finished_fd;
}

void stream_reload(struct stream *stream)
{
    struct error err;

    if (!stream->config->identity.token_file)
        return;
    if (identity_reload(&stream->identity, &err) != ST_OK)
        log_event(LOG_ERROR, "reload", LOG_FIELDS(log_text("reason", err.text)),
                  "The old token stays: %s", err.text);
    else
        log_event(LOG_INFO, "reloaded", NULL, "Token reloaded");
}

/* The producer closes the queue, once the blob it is at is in it. */
void stream_close(struct stream *stream)
{
    latch_set(&stream->closing);
}

void stream_abandon(struct stream *stream)
{
    latch_set(&stream->abandoned);
    stream_close(stream);
    queue_close(stream->queue);
}

bool stream_stop(struct stream **stream)
{
    bool complete;

    crew_join(&(*stream)->producer);
    crew_join(&(*stream)->workers);
    complete = !atomic_load(&(*stream)->gave_up);
    destroy(stream);
    return complete;
}

uint64_t stream_total(const struct stream *stream)
{
    uint64_t recovered = stream->report->recovered;

    if (atomic_load(&stream->all_taken_on))
        return recovered + stream->report->generated;
    return stream->config->count > 0 ? recovered + stream->config->count : 0;
}
