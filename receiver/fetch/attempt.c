/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/progress.h"
#include "receiver/fetch/job_private.h"

enum { TICK_MS = 100, SAVE_MS = 1000, SYNC_MS = 5000 };

static uint64_t ms_since(uint64_t start_ns)
{
    return (clock_monotonic_ns() - start_ns) / 1000000;
}

/* What to hash is settled with the plan: a sidecar, which may say better, brings no
 * other digest than a SHA-256. */
static enum status choose_offer(struct run *run, struct error *err)
{
    const struct job *job = run->job;
    const struct validators *known = &run->state->validators; /* the earlier run's */
    struct offer *offer = &run->result->offer;

    *offer = *transfer_offer(run->transfer);
    if (run->resume && offer->kind != OFFER_SHA256 && known->has_digest)
        *offer = (struct offer){
            .kind = OFFER_SHA256, .source = "Repr-Digest", .sha256 = known->digest};
    if (job->config->wanted.kind != OFFER_NONE)
        *offer = job->config->wanted;
    else if (offer->kind != OFFER_SHA256 && job->config->sidecar)
        return sidecar_start(&run->sidecar, job->config, job->url, job->name, err);
    return ST_OK;
}

static enum status follow_plan(struct run *run, struct error *err)
{
    struct hasher_config config = {.part = &run->part,
                                   .pieces = transfer_pieces(run->transfer),
                                   .write_back = run_is_durable(run)};
    enum status st = choose_offer(run, err);

    if (st != ST_OK)
        return st;
    config.want_md5 = run->result->offer.kind == OFFER_MD5;
    run->followed = true;
    return hasher_start(&run->hasher, &config, err);
}

static void show(const struct run *run)
{
    const struct fetch_config *config = run->job->config;
    struct pieces *pieces = transfer_pieces(run->transfer);
    uint64_t end = pieces_end(pieces), here = pieces_written_bytes(pieces);

    if (config->quiet || config->json)
        return;
    progress_show(&(struct progress){
        .done = here,
        .total = end == PIECES_UNKNOWN_END ? 0 : end - run->result->resumed,
        .note = run->result->resumed > 0 ? "resumed" : NULL,
        .elapsed_ms = run_elapsed_ms(run),
    });
}

static enum status record(struct run *run, struct error *err)
{
    struct checkpoint *checkpoint = transfer_checkpoint(run->transfer);

    if (checkpoint == NULL)
        return ST_OK;
    if (run_is_durable(run) && ms_since(run->synced_ns) >= SYNC_MS) {
        enum status st = checkpoint_sync(checkpoint, err);

        run->synced_ns = run->saved_ns = clock_monotonic_ns();
        return st;
    }
    if (ms_since(run->saved_ns) < SAVE_MS)
        return ST_OK;
    run->saved_ns = clock_monotonic_ns();
    return checkpoint_save(checkpoint, err);
}

static enum status tick(struct run *run, struct error *err)
{
    enum status st = ST_OK;

    if (run_is_interrupted(run))
        return error_set(err, ST_CLOSED, "interrupted");
    if (!transfer_planned(run->transfer))
        return ST_OK;
    if (!run->followed)
        st = follow_plan(run, err);
    if (st == ST_OK)
        st = record(run, err);
    if (st == ST_OK)
        show(run);
    return st;
}

static void configure(struct run *run, struct transfer_config *out)
{
    const struct fetch_config *config = run->job->config;

    *out = (struct transfer_config){
        .url = run->job->url,
        .headers = config->request_headers,
        .header_count = config->request_header_count,
        .netrc = config->netrc,
        .ca_file = config->ca_file,
        .count = (unsigned)config->count,
        .max_tries = (unsigned)config->max_tries,
        .least_bytes = config->least_bytes,
        .connect_timeout_ms = config->connect_timeout_ms,
        .stall_ms = config->stall_ms,
        .ranged = run->ranged,
        .digest_known = config->wanted.kind != OFFER_NONE,
        .resume = run->resume,
        .part = &run->part,
        .state = run->state,
        .limiter = run->job->limiter,
    };
}

enum transfer_end attempt_run(struct run *run, struct error *err)
{
    struct transfer_config config;
    enum transfer_end end = TRANSFER_RUNNING;
    struct error ours = {.status = ST_OK}, theirs = {.status = ST_OK};

    configure(run, &config);
    run->followed = false;
    if (transfer_start(&run->transfer, &config, err) != ST_OK)
        return TRANSFER_FAILED;
    run->saved_ns = run->synced_ns = clock_monotonic_ns();
    while (ours.status == ST_OK && end == TRANSFER_RUNNING) {
        end = transfer_wait(run->transfer, TICK_MS, !run->followed);
        if (tick(run, &ours) != ST_OK)
            break;
    }
    transfer_stop(run->transfer, &end, &theirs);
    run->result->facts = transfer_facts(run->transfer);
    if (ours.status != ST_OK)
        end = TRANSFER_FAILED;
    if (end != TRANSFER_DONE)
        *err = ours.status != ST_OK ? ours : theirs;
    return end;
}

void attempt_stop_hashing(struct run *run)
{
    struct hashes unused;
    struct error err;

    if (run->hasher == NULL)
        return;
    pieces_abandon(transfer_pieces(run->transfer));
    (void)!hasher_stop(&run->hasher, &unused, &err);
}

void attempt_release(struct run *run)
{
    struct offer unused;
    struct error err;

    attempt_stop_hashing(run);
    if (run->sidecar != NULL)
        (void)!sidecar_stop(&run->sidecar, &unused, &err);
    transfer_destroy(&run->transfer);
}
