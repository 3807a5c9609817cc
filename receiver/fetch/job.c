/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/log.h"
#include "common/progress.h"
#include "common/retry.h"
#include "common/signals.h"
#include "receiver/fetch/job_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TICK_MS = 100 };

static const struct retry_policy between_streams = {
    .base_ms = 250, .cap_ms = 30 * 1000, .max_attempts = 1};

bool run_is_durable(const struct run *run)
{
    return run->job->config->durability == FETCH_STRICT;
}

uint64_t run_elapsed_ms(const struct run *run)
{
    return (clock_monotonic_ns() - run->start_ns) / 1000000;
}

bool run_is_interrupted(const struct run *run)
{
    if (signals_take(run->job->signal_fd) == 0)
        return false;
    signals_surrender(SIGNALS_ECHO_MS);
    return true;
}

static uint64_t extents_bytes(const struct extents *extents)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < extents->count; i++)
        bytes += extents->of[i].end - extents->of[i].first;
    return bytes;
}

/* Whether what an earlier run left is ours to go on with; then state is all it said. */
static bool can_resume(struct run *run, struct state *earlier, struct error *why)
{
    struct state *now = run->state;
    enum status st = state_load(run->part.dir_fd, run->part.name, earlier, why);
    uint64_t size;

    if (st != ST_OK)
        return false;
    if (earlier->inode == run->part.inode)
        run->part.ours = true;
    st = part_size(&run->part, &size, why);
    if (st != ST_OK)
        return false;
    if (!state_same_source(earlier, now)) {
        error_set(why, ST_REFUSED, "what is there is of another URL");
        return false;
    }
    if (!validators_are_strong(&earlier->validators) &&
        run->job->config->wanted.kind == OFFER_NONE) {
        error_set(why, ST_REFUSED, "the server says too little to tell versions apart");
        return false;
    }
    if (earlier->inode != run->part.inode || earlier->total != size) {
        error_set(why, ST_REFUSED, "the part file is not the one it was");
        return false;
    }
    now->validators = earlier->validators;
    now->total = earlier->total;
    now->written = *state_missing(earlier, now->boot);
    now->synced = earlier->synced;
    return true;
}

/* Somebody's own file, for all we know. */
static enum status refuse_strange_part(struct run *run, struct error *err)
{
    part_close(&run->part);
    return error_set(err, ST_REFUSED,
                     "'%.160s' is there and not known to be a fetch's: delete it, or "
                     "choose another --output",
                     run->part.part_name);
}

static enum status look_for_earlier(struct run *run, struct error *err)
{
    struct state *earlier = calloc(1, sizeof *earlier);
    struct error why = {.status = ST_OK};

    if (earlier == NULL)
        return error_sys(err, ENOMEM, "look for an earlier run");
    run->resume = can_resume(run, earlier, &why);
    free(earlier);
    if (!run->resume && !run->part.ours)
        return refuse_strange_part(run, err);
    if (run->resume) {
        run->result->resumed = run->state->total - extents_bytes(&run->state->written);
        log_event(LOG_INFO, "resuming",
                  LOG_FIELDS(log_text("file", run->job->name),
                             log_number("bytes", run->result->resumed)),
                  "%s: going on with the %" PRIu64 " bytes of an earlier run",
                  run->job->name, run->result->resumed);
    } else if (why.status != ST_END) {
        log_event(
            LOG_WARN, "restarting",
            LOG_FIELDS(log_text("file", run->job->name), log_text("why", why.text)),
            "%s: starting afresh: %s", run->job->name, why.text);
    }
    return ST_OK;
}

/* Forgets whatever is there. */
static enum status start_afresh(struct run *run, struct error *err)
{
    run->resume = false;
    run->result->resumed = 0;
    state_remove(run->part.dir_fd, run->part.name);
    return part_truncate(&run->part, 0, err);
}

static enum status prepare(struct run *run, struct error *err)
{
    const struct job *job = run->job;
    enum status st = part_open(&run->part, job->dir_fd, job->name, err);

    if (st != ST_OK)
        return st;
    run->state = calloc(1, sizeof *run->state);
    if (run->state == NULL)
        return error_sys(err, ENOMEM, "fetch '%.100s'", job->name);
    st = state_set_url(run->state, job->url, err);
    if (st != ST_OK)
        return st;
    state_set_boot(run->state);
    run->state->inode = run->part.inode;
    return look_for_earlier(run, err);
}

/* Sleeps, but not through a signal. */
static enum status pause_between(const struct run *run, uint64_t ms, struct error *err)
{
    struct pollfd signal = {.fd = run->job->signal_fd, .events = POLLIN};

    poll(&signal, 1, (int)ms);
    if (run_is_interrupted(run))
        return error_set(err, ST_CLOSED, "interrupted");
    return ST_OK;
}

static enum status after_change(struct run *run, unsigned changes, struct error *err)
{
    if (changes > 1)
        return error_prefix(err, "gave up, the second time");
    log_event(LOG_WARN, "changed",
              LOG_FIELDS(log_text("file", run->job->name), log_text("why", err->text)),
              "%s: %s; starting afresh", run->job->name, err->text);
    return start_afresh(run, err);
}

static enum status after_cut(struct run *run, unsigned cuts, struct error *err)
{
    uint64_t delay_ms = retry_delay_ms(&between_streams, cuts, 0);

    if (cuts >= run->job->config->max_tries)
        return error_prefix(err, "gave up after %u tries", cuts);
    log_event(LOG_WARN, "retrying",
              LOG_FIELDS(log_text("file", run->job->name), log_text("why", err->text),
                         log_number("delay_ms", delay_ms)),
              "%s: %s; from the beginning in %" PRIu64 " ms", run->job->name, err->text,
              delay_ms);
    if (pause_between(run, delay_ms, err) != ST_OK)
        return err->status;
    return start_afresh(run, err);
}

static enum status after_unranged(struct run *run, struct error *err)
{
    if (!run->ranged)
        return error_set(err, ST_CORRUPT, "the server contradicts itself about ranges");
    if (run->resume)
        log_event(LOG_WARN, "restarting", LOG_FIELDS(log_text("file", run->job->name)),
                  "%s: starting afresh: the server gives no ranges any more",
                  run->job->name);
    run->ranged = false;
    return start_afresh(run, err);
}

/* Until all bytes are there, or something is final. */
static enum status get_all(struct run *run, struct error *err)
{
    unsigned changes = 0, cuts = 0;
    enum status st = ST_OK;

    if (!run->resume)
        st = start_afresh(run, err);
    while (st == ST_OK) {
        switch (attempt_run(run, err)) {
        case TRANSFER_DONE:
            return ST_OK;
        case TRANSFER_CHANGED:
            attempt_release(run);
            changes += run->resume ? 0 : 1; /* since an earlier run: no wonder */
            st = after_change(run, changes, err);
            break;
        case TRANSFER_UNRANGED:
            attempt_release(run);
            st = after_unranged(run, err);
            break;
        case TRANSFER_CUT:
            attempt_release(run);
            st = after_cut(run, ++cuts, err);
            break;
        case TRANSFER_RUNNING:
        case TRANSFER_FAILED:
            return err->status;
        }
    }
    return st;
}

static enum status verify(struct run *run, const struct hashes *hashes,
                          struct error *err)
{
    const struct offer *offer = &run->result->offer;

    switch (offer->kind) {
    case OFFER_NONE:
        return ST_OK;
    case OFFER_SHA256:
        if (sha256_equal(&offer->sha256, &hashes->sha256))
            return ST_OK;
        break;
    case OFFER_MD5:
        if (memcmp(offer->md5, hashes->md5, MD5_BYTES) == 0)
            return ST_OK;
        break;
    }
    return error_set(err, ST_CORRUPT, "the bytes do not match the digest of %s",
                     offer->source);
}

/* The state goes first: what stands under its name once the part file is published may
 * be the next run's. A crash in between costs a fetch, and where there are no extended
 * attributes somebody has to delete the part file. */
static enum status publish(struct run *run, struct error *err)
{
    const struct fetch_config *config = run->job->config;
    struct checkpoint *checkpoint = transfer_checkpoint(run->transfer);
    unsigned flags = (config->no_clobber ? PART_KEEP_EXISTING : 0) |
                     (run_is_durable(run) ? PART_DURABLE : 0);
    enum status st = ST_OK;

    if (config->remote_time && run->result->facts.modified_s >= 0)
        st = part_set_time(&run->part, run->result->facts.modified_s, err);
    if (st == ST_OK && run_is_durable(run))
        st = part_sync(&run->part, err);
    if (st != ST_OK)
        return st;
    if (checkpoint != NULL)
        checkpoint_remove(checkpoint);
    return part_publish(&run->part, flags, err);
}

/* What the sidecar says, if it was asked, is the digest to verify against. */
static enum status hear_sidecar(struct run *run, struct error *err)
{
    struct error why;

    if (run->sidecar == NULL)
        return ST_OK;
    while (!sidecar_wait(run->sidecar, TICK_MS))
        if (run_is_interrupted(run))
            return error_set(err, ST_CLOSED, "interrupted");
    if (sidecar_stop(&run->sidecar, &run->result->offer, &why) != ST_OK)
        log_event(
            LOG_ERROR, "no_sidecar",
            LOG_FIELDS(log_text("file", run->job->name), log_text("why", why.text)),
            "%s: %s", run->job->name, why.text);
    return ST_OK;
}

static enum status verify_and_publish(struct run *run, struct error *err)
{
    struct hashes hashes;
    enum status st;

    while (!hasher_wait(run->hasher, TICK_MS)) /* a resumed file is read again */
        if (run_is_interrupted(run))
            return error_set(err, ST_CLOSED, "interrupted");
    st = hasher_stop(&run->hasher, &hashes, err);
    if (st == ST_OK)
        st = hear_sidecar(run, err);
    if (st != ST_OK)
        return st;
    run->result->bytes = pieces_end(transfer_pieces(run->transfer));
    run->result->sha256 = hashes.sha256;
    st = verify(run, &hashes, err);
    return st == ST_OK ? publish(run, err) : st;
}

static void keep_bad(struct run *run)
{
    char name[PART_NAME_SIZE];
    struct error err;

    if (part_keep_bad(&run->part, name, &err) == ST_OK)
        log_event(LOG_WARN, "kept_bad",
                  LOG_FIELDS(log_text("file", run->job->name), log_text("as", name)),
                  "%s: kept as '%s'", run->job->name, name);
    else
        log_event(
            LOG_ERROR, "not_kept",
            LOG_FIELDS(log_text("file", run->job->name), log_text("why", err.text)),
            "%s: not kept: %s", run->job->name, err.text);
}

/* Whether the next run can go on with what has arrived: where no new state can be
 * saved, the one before tells of most of it. */
static bool save_for_next_run(struct run *run)
{
    struct part *part = &run->part;
    struct checkpoint *checkpoint = NULL;
    struct error err;
    enum status st = ST_OK;

    if (run->transfer != NULL && !part->sync_failed)
        checkpoint = transfer_checkpoint(run->transfer);
    if (checkpoint != NULL)
        st = run_is_durable(run) ? checkpoint_sync(checkpoint, &err)
                                 : checkpoint_save(checkpoint, &err);
    if (part->sync_failed || !state_exists(part->dir_fd, part->name))
        return false;
    if (st != ST_OK)
        log_event(LOG_WARN, "kept",
                  LOG_FIELDS(log_text("file", part->name), log_text("why", err.text)),
                  "%s: kept as it was when its state was last saved: %s", part->name,
                  err.text);
    return true;
}

/* What a failed run leaves: all that the next one can go on with, and nothing else. */
static void leave(struct run *run, const struct error *why)
{
    struct part *part = &run->part;
    bool bad = why->status == ST_CORRUPT;

    if (part->fd < 0 || !part->ours)
        return;
    if (!bad && why->sys != EEXIST && save_for_next_run(run))
        return;
    state_remove(part->dir_fd, part->name);
    if (bad && run->result->bytes > 0 && run->job->config->keep_bad)
        keep_bad(run);
    part_discard(part);
}

static enum status look_at_target(const struct job *job, struct job_result *result,
                                  struct error *err)
{
    struct stat about;

    if (fstatat(job->dir_fd, job->name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return ST_OK;
    if (S_ISDIR(about.st_mode))
        return error_set(err, ST_INVALID, "'%.160s' is a directory", job->name);
    result->skipped = job->config->no_clobber;
    return ST_OK;
}

enum status job_run(const struct job *job, struct job_result *result, struct error *err)
{
    struct run run = {.job = job,
                      .result = result,
                      .part = {.fd = -1},
                      .start_ns = clock_monotonic_ns(),
                      .ranged = true};
    enum status st;

    *result = (struct job_result){.facts.modified_s = -1};
    st = look_at_target(job, result, err);
    if (st != ST_OK || result->skipped)
        return st;
    st = prepare(&run, err);
    if (st == ST_OK)
        st = get_all(&run, err);
    if (st == ST_OK)
        st = verify_and_publish(&run, err);
    progress_hide();
    attempt_stop_hashing(&run);
    if (st != ST_OK)
        leave(&run, err);
    attempt_release(&run);
    part_close(&run.part);
    free(run.state);
    result->elapsed_ms = run_elapsed_ms(&run);
    return st;
}
