/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/transfer_private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    RETRY_BASE_MS = 250,
    RETRY_CAP_MS = 30 * 1000,
    RETRY_AFTER_CAP_MS = 5 * 60 * 1000, /* who asks for more is not waited for */
    CONNECTION_BYTES_PER_S = 64 * 1024,
};

void transfer_wait_locked(struct transfer *t, uint64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&t->shared.changed, &t->shared.lock, &until);
}

void transfer_finish(struct transfer *t, enum transfer_end end, const struct error *err,
                     int http_status)
{
    pthread_mutex_lock(&t->shared.lock);
    if (t->shared.end == TRANSFER_RUNNING) {
        t->shared.end = end;
        t->shared.http_status = http_status;
        if (err != NULL)
            t->shared.err = *err;
        pthread_cond_broadcast(&t->shared.changed);
    }
    pthread_mutex_unlock(&t->shared.lock);
    latch_set(&t->stop);
}

static void init_shared(struct transfer *t)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&t->shared.lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&t->shared.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    t->shared.use_if_range = t->shared.use_source = true;
    t->shared.allowed = t->shared.most_allowed = t->parallel;
}

static enum status resume_pieces(struct transfer *t, struct error *err)
{
    const struct state *state = t->config.state;
    const struct pieces_config config = {.end = state->total,
                                         .least_bytes = t->config.least_bytes,
                                         .parallel = t->parallel};

    return pieces_create(&t->pieces, &config, state->written.of, state->written.count,
                         err);
}

/* Under a limit of rate not so many that each of them seems to stall. */
static unsigned workers_for(const struct transfer_config *config)
{
    uint64_t limit = config->limiter->bytes_per_s;
    uint64_t sensible = limit / CONNECTION_BYTES_PER_S;

    if (!config->ranged || (limit > 0 && sensible <= 1))
        return 1;
    return limit > 0 && sensible < config->count ? (unsigned)sensible : config->count;
}

enum status transfer_start(struct transfer **out, const struct transfer_config *config,
                           struct error *err)
{
    struct transfer *t = calloc(1, sizeof *t);
    enum status st = ST_OK;

    if (t == NULL)
        return error_sys(err, ENOMEM, "start fetching");
    t->config = *config;
    t->parallel = workers_for(config);
    t->facts.modified_s = -1;
    t->policy = (struct retry_policy){.base_ms = RETRY_BASE_MS,
                                      .cap_ms = RETRY_CAP_MS,
                                      .retry_after_cap_ms = RETRY_AFTER_CAP_MS,
                                      .max_attempts = config->max_tries};
    latch_init(&t->stop);
    init_shared(t);
    if (config->resume)
        st = resume_pieces(t, err);
    if (st == ST_OK)
        st = crew_start(&t->crew, "fetch", t->parallel, turns_work, t, err);
    if (st != ST_OK)
        transfer_destroy(&t);
    else
        *out = t;
    return st;
}

enum transfer_end transfer_wait(struct transfer *t, uint64_t ms, bool for_plan)
{
    enum transfer_end end;

    pthread_mutex_lock(&t->shared.lock);
    if (t->shared.end == TRANSFER_RUNNING && !(for_plan && t->shared.planned))
        transfer_wait_locked(t, ms);
    end = t->shared.end;
    pthread_mutex_unlock(&t->shared.lock);
    return end;
}

bool transfer_planned(struct transfer *t)
{
    bool planned;

    pthread_mutex_lock(&t->shared.lock);
    planned = t->shared.planned;
    pthread_mutex_unlock(&t->shared.lock);
    return planned;
}

struct pieces *transfer_pieces(struct transfer *t)
{
    return t->pieces;
}

struct checkpoint *transfer_checkpoint(struct transfer *t)
{
    return t->checkpointed ? &t->checkpoint : NULL;
}

const struct offer *transfer_offer(struct transfer *t)
{
    return &t->offer;
}

struct transfer_facts transfer_facts(struct transfer *t)
{
    struct transfer_facts facts = t->facts;

    pthread_mutex_lock(&t->shared.lock);
    facts.connections = t->shared.most_active;
    facts.retries = t->shared.retries;
    facts.http_status = t->shared.http_status;
    pthread_mutex_unlock(&t->shared.lock);
    return facts;
}

void transfer_stop(struct transfer *t, enum transfer_end *end, struct error *err)
{
    struct error stopped;

    error_set(&stopped, ST_CLOSED, "interrupted");
    transfer_finish(t, TRANSFER_FAILED, &stopped, 0);
    crew_join(&t->crew);
    *end = t->shared.end;
    if (t->shared.end != TRANSFER_DONE)
        *err = t->shared.err;
}

void transfer_destroy(struct transfer **transfer)
{
    struct transfer *t = *transfer;

    if (t == NULL)
        return;
    if (t->checkpointed)
        checkpoint_release(&t->checkpoint);
    pieces_destroy(&t->pieces);
    pthread_cond_destroy(&t->shared.changed);
    pthread_mutex_destroy(&t->shared.lock);
    latch_release(&t->stop);
    free(t);
    *transfer = NULL;
}
