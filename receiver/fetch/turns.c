/* SPDX-License-Identifier: MIT */
/*
 * A worker's life: wait for its turn, make one request, settle what came of it.
 *
 * A turn is one of `allowed` places. There are as many as connections were asked for,
 * fewer after the server has shown that it wants fewer, one more again after a quiet
 * while. Failures are counted for all workers together and forgotten with the first
 * request that was answered whole or brought PROGRESS_BYTES, so a server that is gone
 * is given up soon, and one that drops a connection now and then never.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/units.h"
#include "receiver/fetch/transfer_private.h"

#include <inttypes.h>
#include <time.h>

enum {
    PIECE_EVER_MAX = 128 * 1024 * 1024, /* what a crash may cost each connection */
    POLL_MS = 100,
    STREAK_MAX = 3, /* failures of one connection, then there are fewer */
    BUFFERS_BYTES = 4 * 1024 * 1024, /* all connections together */
    BUFFER_BYTES_MAX = 512 * 1024,   /* libcurl's largest */
    PROGRESS_BYTES = 64 * 1024,      /* of a failed request, to be worth one more */
};

static const uint64_t ms_ns = 1000000;
static const uint64_t busy_window_ns = 1000000000; /* refusals together count once */
static const uint64_t recovery_ns = 30000000000;   /* then one connection more */

/* Enough that the wait for an answer to begin is a twentieth of the time it takes. */
static uint64_t wished_bytes(const struct worker *w)
{
    double bytes = 20.0 * (double)w->rate * (double)w->first_byte_ns / 1e9;

    if (bytes < (double)w->transfer->piece_bytes)
        return w->transfer->piece_bytes;
    return bytes < PIECE_EVER_MAX ? (uint64_t)bytes : PIECE_EVER_MAX;
}

static enum status claim(struct worker *w)
{
    const struct pieces_wish wish = {
        .bytes = wished_bytes(w),
        .bytes_per_s = w->rate,
        .now_ns = clock_monotonic_ns(),
    };

    return pieces_claim(w->transfer->pieces, &wish, &w->piece);
}

static void recover_locked(struct transfer *t, uint64_t now_ns)
{
    if (t->shared.allowed >= t->shared.most_allowed ||
        now_ns - t->shared.last_busy_ns < recovery_ns)
        return;
    t->shared.allowed++;
    t->shared.last_busy_ns = now_ns;
}

/* How long to wait before looking again; 0: w has a place, and work. */
static uint64_t try_turn_locked(struct worker *w)
{
    struct transfer *t = w->transfer;
    uint64_t now_ns = clock_monotonic_ns(), until_ns = w->not_before_ns;

    if (until_ns < t->shared.hold_until_ns)
        until_ns = t->shared.hold_until_ns;
    if (now_ns < until_ns)
        return (until_ns - now_ns) / ms_ns + 1;
    if (!t->shared.planned && w->index > 0)
        return TRANSFER_WAIT_MAX_MS;
    if (!t->shared.planned) {
        if (t->pieces != NULL && w->piece == NULL)
            (void)claim(w); /* without one, the probe only asks for the version */
        return 0;
    }
    recover_locked(t, now_ns);
    if (t->shared.active >= t->shared.allowed)
        return POLL_MS;
    if (w->piece == NULL && claim(w) != ST_OK)
        return POLL_MS;
    return 0;
}

static bool take_turn(struct worker *w)
{
    struct transfer *t = w->transfer;
    uint64_t wait_ms;
    bool running;

    pthread_mutex_lock(&t->shared.lock);
    while ((running = t->shared.end == TRANSFER_RUNNING) &&
           (wait_ms = try_turn_locked(w)) > 0)
        transfer_wait_locked(t, wait_ms);
    if (running && ++t->shared.active > t->shared.most_active)
        t->shared.most_active = t->shared.active;
    pthread_mutex_unlock(&t->shared.lock);
    return running;
}

static void leave_turn(struct worker *w)
{
    struct transfer *t = w->transfer;

    pthread_mutex_lock(&t->shared.lock);
    t->shared.active--;
    pthread_mutex_unlock(&t->shared.lock);
}

/* Fewer requests at a time from here on. False: they are few already, or have just
 * been made so. */
static bool lower_locked(struct transfer *t, uint64_t now_ns)
{
    unsigned before = t->shared.allowed;

    if (t->shared.last_busy_ns != 0 && now_ns - t->shared.last_busy_ns < busy_window_ns)
        return false;
    if (t->shared.planned && t->shared.allowed > t->shared.active)
        t->shared.allowed = t->shared.active;
    t->shared.allowed = t->shared.allowed > 1 ? t->shared.allowed / 2 : 1;
    t->shared.last_busy_ns = now_ns;
    return t->shared.allowed < before;
}

/* Failures of connections that ran side by side are one event: only one that began
 * after the last counted failure counts. */
static unsigned count_failure_locked(struct worker *w, uint64_t now_ns)
{
    struct transfer *t = w->transfer;

    t->shared.retries++;
    w->streak++;
    if (w->received >= PROGRESS_BYTES) {
        t->shared.failures = 0;
        w->streak = 0;
    }
    if (w->start_ns >= t->shared.last_failure_ns) {
        t->shared.failures++;
        t->shared.last_failure_ns = now_ns;
    }
    return t->shared.failures > 0 ? t->shared.failures : 1;
}

/* As the server asks for it. */
static uint64_t retry_after_ms(const struct worker *w)
{
    bool failure = w->kind == ANSWER_BUSY || w->kind == ANSWER_AGAIN;

    return w->answered && failure ? w->answer.retry_after_ms : 0;
}

struct setback {
    unsigned failures; /* in a row */
    unsigned allowed;  /* connections from here on; 0: as many as before */
    uint64_t delay_ms;
};

/* Notes the failure and when to try again. */
static struct setback set_back(struct worker *w)
{
    struct transfer *t = w->transfer;
    bool busy = w->answered && w->kind == ANSWER_BUSY;
    uint64_t now_ns = clock_monotonic_ns();
    struct setback setback = {0};

    pthread_mutex_lock(&t->shared.lock);
    setback.failures = count_failure_locked(w, now_ns);
    if (busy || w->streak >= STREAK_MAX) {
        if (lower_locked(t, now_ns))
            setback.allowed = t->shared.allowed;
        w->streak = 0;
    }
    setback.delay_ms = retry_delay_ms(&t->policy, setback.failures, retry_after_ms(w));
    w->not_before_ns = now_ns + setback.delay_ms * ms_ns;
    if (busy && t->shared.hold_until_ns < w->not_before_ns)
        t->shared.hold_until_ns = w->not_before_ns;
    pthread_mutex_unlock(&t->shared.lock);
    return setback;
}

/* Whether there is no use in trying, or in waiting, any longer: then *last says so. */
static bool is_over(const struct worker *w, unsigned failures, struct error *last)
{
    const struct retry_policy *policy = &w->transfer->policy;
    char wait[UNITS_TEXT_SIZE];

    if (retry_after_ms(w) > policy->retry_after_cap_ms) {
        units_format_duration(wait, retry_after_ms(w));
        error_prefix(last, "gave up, being asked to come back in %s", wait);
        return true;
    }
    if (failures >= policy->max_attempts) {
        error_prefix(last, "gave up after %u tries", failures);
        return true;
    }
    return false;
}

static void fail(struct worker *w, const struct error *why)
{
    struct transfer *t = w->transfer;
    struct setback setback = set_back(w);
    struct error last = *why;

    pieces_release(t->pieces, &w->piece);
    if (is_over(w, setback.failures, &last)) {
        transfer_finish(t, TRANSFER_FAILED, &last, w->answered ? w->answer.status : 0);
        return;
    }
    log_event(LOG_WARN, "retrying",
              LOG_FIELDS(log_number("connection", w->index), log_text("why", why->text),
                         log_number("delay_ms", setback.delay_ms)),
              "connection %u: %s; again in %" PRIu64 " ms", w->index, why->text,
              setback.delay_ms);
    if (setback.allowed > 0)
        log_event(LOG_WARN, "fewer_connections",
                  LOG_FIELDS(log_number("connections", setback.allowed)),
                  "going on with %u connection%s", setback.allowed,
                  setback.allowed == 1 ? "" : "s");
}

/* The address that a redirect led to may have expired: ask at the first one again. */
static void refused(struct worker *w)
{
    struct transfer *t = w->transfer;

    pthread_mutex_lock(&t->shared.lock);
    t->shared.use_source = false;
    pthread_mutex_unlock(&t->shared.lock);
    if (w->redirected)
        fail(w, &w->verdict);
    else
        transfer_finish(t, TRANSFER_FAILED, &w->verdict, w->answer.status);
}

/* The server ignored a range, although the version is the one we know. Some do when
 * they are given If-Range. */
static void range_ignored(struct worker *w)
{
    struct transfer *t = w->transfer;
    bool again, planned;

    pthread_mutex_lock(&t->shared.lock);
    again = t->shared.use_if_range;
    planned = t->shared.planned;
    t->shared.use_if_range = false;
    pthread_mutex_unlock(&t->shared.lock);
    if (again)
        return;
    if (planned)
        fail(w, &w->verdict);
    else
        transfer_finish(t, TRANSFER_UNRANGED, &w->verdict, w->answer.status);
}

static void progressed(struct worker *w)
{
    struct transfer *t = w->transfer;
    struct extent left;
    struct error err;

    if (w->received > 0 || pieces_complete(t->pieces)) {
        w->streak = 0;
        pthread_mutex_lock(&t->shared.lock);
        t->shared.failures = 0;
        pthread_mutex_unlock(&t->shared.lock);
    }
    if (w->piece != NULL && !pieces_remaining(t->pieces, w->piece, &left))
        pieces_release(t->pieces, &w->piece);
    if (pieces_complete(t->pieces))
        transfer_finish(t, TRANSFER_DONE, NULL, 0);
    else if (t->checkpointed && checkpoint_save(&t->checkpoint, &err) != ST_OK)
        transfer_finish(t, TRANSFER_FAILED, &err, 0);
}

/* The connection failed when nothing was missing any more: nobody else would notice. */
static bool is_late_failure(const struct worker *w, enum status st)
{
    return st == ST_AGAIN && w->kind == ANSWER_PART &&
           pieces_complete(w->transfer->pieces);
}

/* The body of the right answer has ended, one way or the other. */
static void settle_body(struct worker *w, enum status st, const struct error *err)
{
    struct transfer *t = w->transfer;
    struct error early;

    if (st == ST_OK && w->kind == ANSWER_WHOLE && !w->answer.has_length)
        pieces_finish(t->pieces, w->piece);
    else if (st == ST_OK && !w->discard && w->received < w->expected) {
        error_set(&early, ST_AGAIN, "the answer ended %" PRIu64 " bytes early",
                  w->expected - w->received);
        err = &early;
        st = ST_AGAIN;
    }
    if (st == ST_OK || st == ST_END || is_late_failure(w, st))
        progressed(w);
    else if (st != ST_AGAIN)
        transfer_finish(t, TRANSFER_FAILED, err, 0);
    else if (w->kind == ANSWER_WHOLE)
        transfer_finish(t, TRANSFER_CUT, err, 0);
    else
        fail(w, err);
}

static void settle(struct worker *w, enum status st, const struct error *err)
{
    struct transfer *t = w->transfer;

    if (st != ST_OK && st != ST_END && (st != ST_AGAIN || !w->answered)) {
        if (st == ST_AGAIN)
            fail(w, err);
        else
            transfer_finish(t, TRANSFER_FAILED, err, 0);
        return;
    }
    switch (w->kind) {
    case ANSWER_PART:
    case ANSWER_WHOLE:
        settle_body(w, st, err);
        break;
    case ANSWER_EMPTY:
        progressed(w);
        break;
    case ANSWER_UNRANGED:
        transfer_finish(t, TRANSFER_UNRANGED, &w->verdict, w->answer.status);
        break;
    case ANSWER_UNCHANGED:
        range_ignored(w);
        break;
    case ANSWER_CHANGED:
        transfer_finish(t, TRANSFER_CHANGED, &w->verdict, w->answer.status);
        break;
    case ANSWER_BUSY:
    case ANSWER_AGAIN:
        fail(w, &w->verdict);
        break;
    case ANSWER_REFUSED:
        refused(w);
        break;
    }
}

/* The more at once, the fewer system calls; a limited rate is kept best in small steps.
 */
static size_t buffer_bytes(const struct transfer *t)
{
    size_t share = BUFFERS_BYTES / t->parallel;

    if (t->config.limiter->bytes_per_s > 0)
        return 0;
    return share < BUFFER_BYTES_MAX ? share : BUFFER_BYTES_MAX;
}

static enum status connect_worker(struct worker *w, struct error *err)
{
    const struct transfer_config *config = &w->transfer->config;
    const struct exchange_config exchange = {
        .connect_timeout_ms = config->connect_timeout_ms,
        .ca_file = config->ca_file,
        .receive_buffer_bytes = buffer_bytes(w->transfer),
        .cancel = &w->transfer->stop,
    };

    return w->exchange != NULL ? ST_OK : exchange_create(&w->exchange, &exchange, err);
}

void turns_work(void *context, unsigned index)
{
    struct transfer *t = context;
    struct worker w = {.transfer = t, .index = index};
    struct error err;

    while (take_turn(&w)) {
        enum status st = connect_worker(&w, &err);

        w.answered = false;
        if (st == ST_OK)
            st = worker_request(&w, &err);
        settle(&w, st, &err);
        leave_turn(&w);
    }
    if (t->pieces != NULL)
        pieces_release(t->pieces, &w.piece);
    exchange_destroy(&w.exchange);
}
