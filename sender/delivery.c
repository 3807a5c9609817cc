/* SPDX-License-Identifier: MIT */
#include "sender/delivery.h"

#include "common/clock.h"
#include "common/digest_field.h"
#include "common/exchange.h"
#include "common/json.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_MS = 10000,
    FIELD_SIZE = 1024, /* of a Repr-Digest with company */
    DETAIL_SIZE = 160, /* of what the receiver explains */
    QUOTED_ID_SIZE = UUID_TEXT_SIZE + 2,
};

struct delivery {
    struct delivery_config config;
    unsigned workers;
    struct exchange *exchange[]; /* one each */
};

/* One blob on its way. */
struct parcel {
    struct delivery *delivery;
    unsigned worker;
    uint64_t ordinal;
    struct uuid id;
    char id_text[UUID_TEXT_SIZE];
    int fd;
    struct blob_info info;
    uint64_t start_ns;
    unsigned attempt;
    struct injection injection; /* of this attempt */
    bool mismatch;              /* this attempt was refused for its digest */
    bool denied;                /* it was refused for what we are */
    uint64_t retry_after_ms;    /* as this attempt's answer asked */
};

enum status delivery_create(struct delivery **out, const struct delivery_config *config,
                            unsigned workers, struct error *err)
{
    struct exchange_config connection = config->connection;
    struct delivery *delivery = calloc(1, sizeof *delivery +
                                              workers * sizeof delivery->exchange[0]);

    if (!delivery)
        return error_sys(err, ENOMEM, "%u workers", workers);
    connection.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    connection.cancel = config->abandon;
    delivery->config = *config;
    delivery->workers = workers;
    for (unsigned i = 0; i < workers; i++) {
        if (exchange_create(&delivery->exchange[i], &connection, err) != ST_OK) {
            delivery_destroy(&delivery);
            return err->status;
        }
    }
    *out = delivery;
    return ST_OK;
}

void delivery_destroy(struct delivery **delivery)
{
    if (!*delivery)
        return;
    for (unsigned i = 0; i < (*delivery)->workers; i++)
        exchange_destroy(&(*delivery)->exchange[i]);
    free(*delivery);
    *delivery = NULL;
}

static enum status read_parcel(void *context, uint64_t offset, void *into, size_t n,
                               struct error *err)
{
    const struct parcel *parcel = context;

    for (size_t done = 0; done < n;) {
        ssize_t got = pread(parcel->fd, (char *)into + done, n - done,
                            (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_sys(err, errno, "read the spooled file");
        if (got == 0)
            return error_set(err, ST_CORRUPT, "the spooled file has become shorter");
        done += (size_t)got;
    }
    inject_apply(&parcel->injection, offset, into, n);
    return ST_OK;
}

/* The digest the receiver says it has stored. */
static bool acknowledged_digest(struct exchange *exchange, struct sha256_digest *out)
{
    char value[FIELD_SIZE];
    struct digest_field field;
    size_t n;

    if (exchange_response_header(exchange, "Repr-Digest", value, sizeof value)) {
        if (digest_field_parse(value, strlen(value), &field) != DIGEST_FIELD_OK)
            return false;
        *out = field.digest;
        return true;
    }
    if (!exchange_response_header(exchange, "ETag", value, sizeof value))
        return false;
    n = strlen(value);
    return n > 2 && value[0] == '"' && value[n - 1] == '"' &&
           sha256_from_hex(value + 1, n - 2, out);
}

static enum status judge_success(const struct parcel *parcel, struct exchange *exchange,
                                 int status, struct error *err)
{
    struct sha256_digest digest;

    if (!acknowledged_digest(exchange, &digest))
        return error_set(err, ST_AGAIN, "%d without the digest of what was stored",
                         status);
    if (!sha256_equal(&digest, &parcel->info.digest))
        return error_set(err, ST_AGAIN, "%d with the digest of something else", status);
    /* A 200 is about an earlier attempt, whose answer was lost. */
    if (parcel->injection.active && status == 201)
        return error_set(
            err, ST_CORRUPT,
            "UNDETECTED CORRUPTION: the receiver acknowledged a damaged copy");
    return ST_OK;
}

static bool is_digest_mismatch(const struct exchange_response *response)
{
    static const char ending[] = "#digest-mismatched-values";
    char type[FIELD_SIZE];
    size_t n;

    if (response->status != 400 ||
        !json_find_string(response->body, response->body_length, "type", type,
                          sizeof type))
        return false;
    n = strlen(type);
    return n >= sizeof ending - 1 &&
           strcmp(type + n - (sizeof ending - 1), ending) == 0;
}

/* The class says what to do about the answer, err why. */
static enum status judge(struct parcel *parcel, struct exchange *exchange,
                         const struct exchange_response *response, struct error *err)
{
    enum status verdict = exchange_verdict(response->status);
    const char *body = response->body;
    size_t n = response->body_length;
    char why[DETAIL_SIZE];

    if (verdict == ST_OK)
        return judge_success(parcel, exchange, response->status, err);
    parcel->retry_after_ms = response->retry_after_ms;
    parcel->mismatch = is_digest_mismatch(response);
    parcel->denied = response->status == 401 || response->status == 403;
    if (parcel->mismatch)
        verdict = ST_AGAIN;
    if (!json_find_string(body, n, "detail", why, sizeof why) &&
        !json_find_string(body, n, "title", why, sizeof why))
        return error_set(err, verdict, "%d", response->status);
    return error_set(err, verdict, "%d %s", response->status, why);
}

static enum status attempt(struct parcel *parcel, struct error *err)
{
    const struct delivery_config *config = &parcel->delivery->config;
    struct exchange *exchange = parcel->delivery->exchange[parcel->worker];
    char digest[DIGEST_FIELD_TEXT_SIZE], key[QUOTED_ID_SIZE];
    char authorization[IDENTITY_AUTHORIZATION_SIZE];
    bool authorized = config->identity &&
                      identity_authorize(config->identity, authorization);
    const struct exchange_body body = {
        .size = parcel->info.size, .read = read_parcel, .context = parcel};
    const struct exchange_header headers[] = {
        {"Content-Type", parcel->info.type},
        {"Repr-Digest", digest_field_format(digest, &parcel->info.digest)},
        {"Idempotency-Key", key},
        {"Authorization", authorization},
    };
    const size_t header_count = sizeof headers / sizeof headers[0];
    const struct exchange_request request = {
        .method = "POST",
        .url = config->url,
        .headers = headers,
        .header_count = authorized ? header_count : header_count - 1,
        .body = &body,
        .timeout_ms = config->timeout_ms,
    };
    struct exchange_response response;
    enum status st;

    snprintf(key, sizeof key, "\"%s\"", parcel->id_text);
    parcel->injection = inject_decide(&config->inject, parcel->ordinal, parcel->attempt,
                                      parcel->info.size);
    parcel->mismatch = parcel->denied = false;
    parcel->retry_after_ms = 0;
    st = exchange_perform(exchange, &request, &response, err);
    if (st == ST_OK)
        return judge(parcel, exchange, &response, err);
    parcel->denied = st == ST_REFUSED;
    return st;
}

static void leave(struct parcel *parcel)
{
    atomic_fetch_add(&parcel->delivery->config.report->left, 1);
    log_event(LOG_INFO, "left",
              LOG_FIELDS(log_number("worker", parcel->worker),
                         log_text("blob", parcel->id_text)),
              "W%u left %s in the spool", parcel->worker, parcel->id_text);
}

static void stay(struct parcel *parcel, const struct error *why)
{
    atomic_fetch_add(&parcel->delivery->config.report->left, 1);
    log_event(LOG_ERROR, "denied",
              LOG_FIELDS(log_number("worker", parcel->worker),
                         log_text("blob", parcel->id_text),
                         log_text("reason", why->text)),
              "W%u denied %s: %s; it stays in the spool", parcel->worker,
              parcel->id_text, why->text);
}

static void lose(struct parcel *parcel, const struct error *why)
{
    atomic_fetch_add(&parcel->delivery->config.report->lost, 1);
    log_event(LOG_ERROR, "lost",
              LOG_FIELDS(log_number("worker", parcel->worker),
                         log_text("blob", parcel->id_text),
                         log_text("reason", why->text)),
              "W%u lost %s: %s", parcel->worker, parcel->id_text, why->text);
}

static void bury(struct parcel *parcel, const struct error *why)
{
    const struct delivery_config *config = &parcel->delivery->config;
    struct error trouble;

    switch (spool_bury(config->spool, &parcel->id, why->text, &trouble)) {
    case ST_OK:
        break;
    case ST_END:
        lose(parcel, &trouble);
        return;
    case ST_AGAIN:
    case ST_REFUSED:
    case ST_CORRUPT:
    case ST_INVALID:
    case ST_CLOSED:
    case ST_SYSTEM:
        log_event(LOG_ERROR, "spool_failed",
                  LOG_FIELDS(log_text("blob", parcel->id_text),
                             log_text("reason", trouble.text)),
                  "W%u cannot bury %s: %s", parcel->worker, parcel->id_text,
                  trouble.text);
        leave(parcel);
        return;
    }
    atomic_fetch_add(&config->report->dead, 1);
    log_event(LOG_ERROR, "dead",
              LOG_FIELDS(log_number("worker", parcel->worker),
                         log_text("blob", parcel->id_text),
                         log_number("attempts", parcel->attempt),
                         log_text("reason", why->text)),
              "W%u dead %s after %u attempt%s: %s", parcel->worker, parcel->id_text,
              parcel->attempt, parcel->attempt == 1 ? "" : "s", why->text);
}

static void acknowledge(struct parcel *parcel)
{
    const struct delivery_config *config = &parcel->delivery->config;
    uint64_t took_us = (clock_monotonic_ns() - parcel->start_ns) / 1000;
    struct error trouble;

    histogram_record(&config->report->latency_us, took_us);
    atomic_fetch_add(&config->report->bytes, parcel->info.size);
    atomic_fetch_add(&config->report->delivered, 1);
    log_event(LOG_INFO, "delivered",
              LOG_FIELDS(log_number("worker", parcel->worker),
                         log_text("blob", parcel->id_text),
                         log_number("bytes", parcel->info.size),
                         log_number("attempt", parcel->attempt),
                         log_number("ms", took_us / 1000)),
              "W%u delivered %s %llu bytes, attempt %u, %llu ms", parcel->worker,
              parcel->id_text, (unsigned long long)parcel->info.size, parcel->attempt,
              (unsigned long long)(took_us / 1000));
    if (spool_forget(config->spool, &parcel->id, &trouble) != ST_OK)
        log_event(LOG_WARN, "spool_failed",
                  LOG_FIELDS(log_text("blob", parcel->id_text),
                             log_text("reason", trouble.text)),
                  "W%u %s is delivered, but still in the spool: %s", parcel->worker,
                  parcel->id_text, trouble.text);
}

/* Waits before the next attempt. False when the run is being abandoned. */
static bool wait_for_next(struct parcel *parcel, const struct error *why)
{
    const struct delivery_config *config = &parcel->delivery->config;
    uint64_t delay_ms = retry_delay_ms(&config->retry, parcel->attempt,
                                       parcel->retry_after_ms);

    log_event(LOG_WARN, parcel->mismatch ? "rejected" : "failed",
              LOG_FIELDS(log_number("worker", parcel->worker),
                         log_text("blob", parcel->id_text),
                         log_number("attempt", parcel->attempt),
                         log_text("reason", why->text),
                         log_number("injected", parcel->injection.active),
                         log_number("retry_ms", delay_ms)),
              "W%u %s %s attempt %u: %s%s, again in %llu ms", parcel->worker,
              parcel->mismatch ? "rejected" : "failed", parcel->id_text,
              parcel->attempt, why->text, parcel->injection.active ? " (injected)" : "",
              (unsigned long long)delay_ms);
    return !latch_wait(config->abandon, delay_ms);
}

/* A mismatch we did not cause may be ours all the same: the file may have rotted. */
static enum status check_spooled_file(const struct parcel *parcel, struct error *err)
{
    struct sha256_digest digest;
    enum status st = blob_file_digest(parcel->fd, &digest, err);

    if (st != ST_OK)
        return st;
    if (!sha256_equal(&digest, &parcel->info.digest))
        return error_set(
            err, ST_CORRUPT,
            "the spooled file no longer has the digest it was stored with");
    return ST_AGAIN;
}

static enum status attempt_and_count(struct parcel *parcel, struct error *err)
{
    struct report *report = parcel->delivery->config.report;
    struct error rot;
    enum status st;

    if (parcel->attempt > 1)
        atomic_fetch_add(&report->retried, 1);
    st = attempt(parcel, err);
    if (st == ST_CORRUPT && parcel->injection.active)
        atomic_fetch_add(&report->undetected, 1);
    if (parcel->mismatch)
        atomic_fetch_add(&report->rejected, 1);
    if (parcel->mismatch && parcel->injection.active)
        atomic_fetch_add(&report->injected, 1);
    if (!parcel->mismatch || parcel->injection.active)
        return st;
    if (check_spooled_file(parcel, &rot) == ST_AGAIN)
        return st;
    *err = rot;
    return rot.status;
}

static void deliver(struct parcel *parcel)
{
    const struct delivery_config *config = &parcel->delivery->config;
    struct error err;

    for (parcel->attempt = 1;; parcel->attempt++) {
        switch (attempt_and_count(parcel, &err)) {
        case ST_OK:
            acknowledge(parcel);
            return;
        case ST_CLOSED:
            leave(parcel);
            return;
        case ST_AGAIN:
            if (parcel->attempt < config->retry.max_attempts) {
                if (wait_for_next(parcel, &err))
                    continue;
                leave(parcel);
                return;
            }
            bury(parcel, &err);
            return;
        case ST_REFUSED:
            if (parcel->denied)
                stay(parcel, &err);
            else
                bury(parcel, &err);
            return;
        case ST_SYSTEM: /* descriptors or memory are short here */
            stay(parcel, &err);
            return;
        case ST_END:
        case ST_CORRUPT:
        case ST_INVALID:
            bury(parcel, &err);
            return;
        }
    }
}

static void handle(struct delivery *delivery, unsigned worker,
                   const struct delivery_job *job)
{
    struct parcel parcel = {.delivery = delivery,
                            .worker = worker,
                            .ordinal = job->ordinal,
                            .id = job->id,
                            .fd = -1};
    struct error err;
    enum status st;

    uuid_format(parcel.id_text, &parcel.id);
    if (latch_is_set(delivery->config.abandon)) {
        leave(&parcel);
        return;
    }
    st = spool_fetch(delivery->config.spool, &parcel.id, &parcel.fd, &parcel.info,
                     &err);
    if (st == ST_END) {
        lose(&parcel, &err);
    } else if (st == ST_SYSTEM) {
        stay(&parcel, &err);
    } else if (st != ST_OK) {
        bury(&parcel, &err);
    } else {
        parcel.start_ns = clock_monotonic_ns();
        deliver(&parcel);
        close(parcel.fd);
    }
}

void delivery_work(struct delivery *delivery, unsigned worker)
{
    void *job = NULL;

    while (queue_pop(delivery->config.queue, &job) == ST_OK) {
        handle(delivery, worker, job);
        free(job);
    }
    log_event(LOG_INFO, "worker_done", LOG_FIELDS(log_number("worker", worker)),
              "W%u done", worker);
}
