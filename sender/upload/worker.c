/* SPDX-License-Identifier: MIT */
#include "sender/upload/worker.h"

#include "common/clock.h"
#include "common/log.h"
#include "sender/upload/attempts.h"
#include "sender/upload/body.h"
#include "sender/upload/counterpart.h"
#include "sender/upload/multipart.h"
#include "sender/upload/naming.h"
#include "sender/upload/part_size.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES_MAX = 4, /* for a file that changes while it is read */
    TRY_AGAIN_MS = 50,
    BUFFER_MIN_BYTES = 64 * 1024,
};

/* ---- what others need ---- */

enum status worker_reserve(struct worker *worker, size_t bytes, struct error *err)
{
    if (worker->buffer_size >= bytes)
        return ST_OK;
    free(worker->buffer);
    worker->buffer_size = 0;
    worker->buffer = malloc(bytes);
    if (!worker->buffer)
        return error_sys(err, ENOMEM, "read");
    worker->buffer_size = bytes;
    return ST_OK;
}

void worker_describe(const struct worker *worker, const struct source_file *file,
                     struct object_description *out)
{
    *out = (struct object_description){
        .size = source_file_size(file),
        .has_modified = true,
        .modified = file->stat.st_mtim,
        .has_mode = true,
        .mode = file->stat.st_mode,
        .has_owner = worker->run->config->owner,
        .uid = file->stat.st_uid,
        .gid = file->stat.st_gid,
    };
}

static void record(struct worker *worker, const struct file_job *job,
                   const struct object_description *description)
{
    if (worker->run->manifest)
        manifest_add(worker->run->manifest, job->path, job->key, description);
}

/* The first object tells what no question before it could. */
static void check_privacy(struct worker *worker, const char *key)
{
    struct upload_run *run = worker->run;
    struct attempts attempts = {.kind = ATTEMPT_LOOK, .alone = true};
    bool is_public = false;
    struct error err;
    enum status st;

    if (run->config->allow_public || atomic_exchange(&run->privacy_asked, true))
        return;
    do
        st = object_is_public(worker->session, key, &is_public, &err);
    while (attempts_again(&attempts, run, worker->session, st, &err));
    if (st == ST_CLOSED || (st == ST_OK && !is_public))
        return;
    if (st == ST_OK)
        error_set(&err, ST_REFUSED,
                  "%s '%s' is open to the public: anyone can read '%.100s'",
                  run->store->ops->title, run->config->where.bucket, key);
    else
        error_prefix(&err, "cannot tell whether %s '%s' is open to the public",
                     run->store->ops->title, run->config->where.bucket);
    upload_give_up(run, err.text);
}

void worker_succeeded(struct worker *worker, const struct file_job *job,
                      const struct object_description *description)
{
    struct tally *tally = &worker->run->tally;
    bool json = worker->run->config->log_format == LOG_FORMAT_JSON;

    atomic_fetch_add(&tally->uploaded, 1);
    atomic_fetch_add(&tally->bytes, description->size);
    record(worker, job, description);
    log_event(json ? LOG_INFO : LOG_DEBUG, "uploaded",
              LOG_FIELDS(log_text("path", job->path), log_text("key", job->key),
                         log_number("bytes", description->size)),
              "uploaded %s, %" PRIu64 " bytes", job->path, description->size);
    check_privacy(worker, job->key);
}

/* ---- reading and sending ---- */

static void hash_bytes(struct worker *worker, struct md5 *md5, size_t n)
{
    sha256_update(worker->whole, worker->buffer, n);
    if (md5)
        md5_update(md5, worker->buffer, n);
}

static enum status hash_in_steps(struct worker *worker, const struct source_file *file,
                                 struct md5 *md5, struct sha256_digest *digest,
                                 struct error *err)
{
    uint64_t size = source_file_size(file);
    enum status st = worker_reserve(worker, WORKER_READ_BYTES, err);

    sha256_start(worker->whole);
    for (uint64_t at = 0; st == ST_OK && at < size; at += WORKER_READ_BYTES) {
        size_t n = size - at < WORKER_READ_BYTES ? (size_t)(size - at)
                                                 : WORKER_READ_BYTES;

        if (latch_is_set(&worker->run->cancel))
            return error_set(err, ST_CLOSED, "stopped");
        st = source_file_read(file, at, worker->buffer, n, err);
        if (st == ST_OK)
            hash_bytes(worker, md5, n);
    }
    if (st == ST_OK)
        st = sha256_finish(worker->whole, digest, err);
    return st;
}

static enum status hash_in_memory(struct worker *worker, const struct source_file *file,
                                  struct md5 *md5, struct sha256_digest *digest,
                                  struct error *err)
{
    size_t n = (size_t)source_file_size(file);
    enum status st = worker_reserve(worker, n > BUFFER_MIN_BYTES ? n : BUFFER_MIN_BYTES,
                                    err);

    if (st == ST_OK)
        st = source_file_read(file, 0, worker->buffer, n, err);
    if (st != ST_OK)
        return st;
    sha256_start(worker->whole);
    hash_bytes(worker, md5, n);
    return sha256_finish(worker->whole, digest, err);
}

static bool is_small(const struct source_file *file)
{
    return source_file_size(file) <= WORKER_SMALL_BYTES;
}

/* sum: for the store; NULL: not to be sent. */
static enum status hash(struct worker *worker, const struct source_file *file,
                        struct sha256_digest *digest, union object_sum *sum,
                        struct error *err)
{
    struct md5 *md5 = sum ? worker->md5 : NULL;
    enum status st;

    if (md5)
        md5_start(md5);
    st = is_small(file) ? hash_in_memory(worker, file, md5, digest, err)
                        : hash_in_steps(worker, file, md5, digest, err);
    if (st != ST_OK)
        return st;
    if (md5)
        md5_finish(md5, sum->md5);
    else if (sum)
        sum->digest = *digest;
    return source_file_settled(file, err);
}

static enum status put(struct worker *worker, const struct file_job *job,
                       const struct source_file *file,
                       const struct object_description *description,
                       const union object_sum *sum, struct error *err)
{
    struct upload_run *run = worker->run;
    struct attempts attempts = {.kind = ATTEMPT_PUT};
    struct body body;
    uint64_t start_ns;
    enum status st;

    if (is_small(file))
        body_from_memory(&body, run, worker->buffer, (size_t)description->size, sum);
    else
        body_from_file(&body, run, file, 0, description->size, sum);
    do {
        start_ns = clock_monotonic_ns();
        st = object_put(worker->session, job->key, description, &body.object, err);
        st = source_file_blame(file, st);
        if (st != ST_OK)
            body_failed(&body);
    } while (attempts_again(&attempts, run, worker->session, st, err));
    if (st != ST_OK)
        return st;
    histogram_record(&run->tally.latency_us, (clock_monotonic_ns() - start_ns) / 1000);
    atomic_fetch_add(&run->tally.delivered, 1);
    return ST_OK;
}

/* ---- files ---- */

static void finish_batch(struct worker *worker, struct multipart *multipart);

static enum status send_in_parts(struct worker *worker, struct file_job *job,
                                 struct source_file *file, struct error *err)
{
    struct multipart *multipart = NULL;
    enum status st = multipart_start(&multipart, worker, job, file, err);

    if (st != ST_OK)
        return st;
    if (multipart->todo_count > 0)
        dispatch_add(worker->run->dispatch, &multipart->batch, multipart->todo_count);
    else
        finish_batch(worker, multipart);
    return ST_OK;
}

static void would_upload(struct worker *worker, const struct file_job *job,
                         const struct object_description *description)
{
    atomic_fetch_add(&worker->run->tally.uploaded, 1);
    atomic_fetch_add(&worker->run->tally.bytes, description->size);
    log_event(LOG_INFO, "would_upload",
              LOG_FIELDS(log_text("path", job->path), log_text("key", job->key),
                         log_number("bytes", description->size)),
              "would upload %s, %" PRIu64 " bytes", job->path, description->size);
}

/* *skip: the store has it. The digest is known afterwards if it had to be. */
static enum status compare(struct worker *worker, const struct file_job *job,
                           const struct source_file *file,
                           struct object_description *ours, bool *skip,
                           struct error *err)
{
    const struct upload_config *config = worker->run->config;
    struct object_description theirs;
    enum status st = counterpart_look(worker, job->key, &theirs, err);

    if (st == ST_END)
        return ST_OK;
    if (st != ST_OK || theirs.size != ours->size)
        return st;
    if (config->sync == SYNC_DIGEST || (worker->run->manifest && !theirs.has_digest)) {
        st = hash(worker, file, &ours->digest, NULL, err);
        ours->has_digest = st == ST_OK;
    }
    if (st != ST_OK)
        return st;
    *skip = config->sync == SYNC_DIGEST ? counterpart_has_content(ours, &theirs)
                                        : counterpart_has_metadata(ours, &theirs);
    if (*skip && !ours->has_digest)
        ours->digest = theirs.digest;
    return ST_OK;
}

static enum status send_opened(struct worker *worker, struct file_job *job,
                               struct source_file *file, struct error *err)
{
    const struct upload_config *config = worker->run->config;
    struct object_description description;
    union object_sum sum;
    bool skip = false;
    enum status st = ST_OK;

    worker_describe(worker, file, &description);
    if (config->sync != SYNC_OFF)
        st = compare(worker, job, file, &description, &skip, err);
    if (st != ST_OK)
        return st;
    if (skip) {
        atomic_fetch_add(&worker->run->tally.skipped, 1);
        record(worker, job, &description);
        return ST_OK;
    }
    if (config->dry_run) {
        would_upload(worker, job, &description);
        return ST_OK;
    }
    if (part_size_needed(description.size, config->multipart_threshold,
                         &worker->run->store->limits))
        return send_in_parts(worker, job, file, err);
    st = hash(worker, file, &description.digest, &sum, err);
    description.has_digest = true;
    if (st == ST_OK)
        st = put(worker, job, file, &description, &sum, err);
    if (st == ST_OK)
        worker_succeeded(worker, job, &description);
    return st;
}

static enum status send_once(struct worker *worker, struct file_job *job,
                             struct error *err)
{
    struct source_file file;
    enum status st = source_file_open(&file, job->entry, worker->run->config->follow,
                                      err);

    if (st != ST_OK)
        return st;
    if (own_files_have(&worker->run->own, &file.stat))
        tally_exclude(&worker->run->tally);
    else
        st = send_opened(worker, job, &file, err);
    source_file_close(&file);
    return st;
}

/* Until the file holds still, or for TRIES_MAX times. */
static void send_file(struct worker *worker, struct file_job *job)
{
    struct upload_run *run = worker->run;
    struct error err;
    enum status st;

    for (;;) {
        st = send_once(worker, job, &err);
        if (st != ST_CORRUPT || job->tries >= TRIES_MAX)
            break;
        latch_wait(&run->stop, (uint64_t)TRY_AGAIN_MS << job->tries);
        job->tries++;
    }
    if (st == ST_OK)
        return;
    if (st == ST_CORRUPT)
        atomic_fetch_add(&run->tally.changed, 1);
    if (st != ST_CLOSED) /* stopped: not come to, rather than failed */
        upload_file_failed(run, job->path, &err);
}

static void take_file(struct worker *worker, struct walk_entry *entry)
{
    struct upload_run *run = worker->run;
    struct file_job job = {.entry = entry, .tries = 1};
    const char *objection;
    struct error err;
    enum status st = ST_OK;

    if (!walk_entry_path(entry, job.path, sizeof job.path))
        st = error_set(&err, ST_INVALID, "its path is longer than %zu bytes",
                       sizeof job.path - 1);
    if (st == ST_OK)
        st = naming_key(job.key, run->store->limits.key_bytes,
                        run->config->where.prefix, job.path, &err);
    if (st == ST_OK &&
        (objection = object_store_objection(run->store, job.key)) != NULL)
        st = error_set(&err, ST_INVALID, "%s", objection);
    if (st == ST_OK)
        send_file(worker, &job);
    else
        upload_file_failed(run, job.path, &err);
    walk_entry_release(&job.entry);
}

/* ---- parts ---- */

static void finish_batch(struct worker *worker, struct multipart *multipart)
{
    struct upload_run *run = worker->run;
    struct file_job job;
    struct error err;
    enum status st = multipart_finish(multipart, worker, &err);

    if ((st == ST_CORRUPT || st == ST_END) && multipart->job.tries < TRIES_MAX) {
        job = multipart->job;
        multipart->job.entry = NULL;
        multipart_destroy(&multipart);
        latch_wait(&run->stop, (uint64_t)TRY_AGAIN_MS << job.tries);
        job.tries++;
        send_file(worker, &job);
        walk_entry_release(&job.entry);
        return;
    }
    if (st == ST_CORRUPT)
        atomic_fetch_add(&run->tally.changed, 1);
    if (st != ST_OK && st != ST_CLOSED)
        upload_file_failed(run, multipart->job.path, &err);
    multipart_destroy(&multipart);
}

static void take_part(struct worker *worker, const struct dispatch_task *task)
{
    struct multipart *multipart = (struct multipart *)task->batch;

    multipart_send(multipart, worker, task->ticket);
    if (dispatch_part_done(worker->run->dispatch, task->batch))
        finish_batch(worker, multipart);
}

/* ---- the loop ---- */

static enum status open_worker(struct worker *worker, struct error *err)
{
    enum status st = sha256_create(&worker->whole, err);

    if (st == ST_OK)
        st = sha256_create(&worker->part, err);
    if (st == ST_OK && worker->run->store->limits.wants_md5)
        st = md5_create(&worker->md5, err);
    if (st == ST_OK)
        st = object_session_open(worker->run->store, &worker->session, err);
    return st;
}

static void work(struct worker *worker)
{
    struct dispatch *dispatch = worker->run->dispatch;
    struct dispatch_task task;

    while (dispatch_take(dispatch, &task) == ST_OK) {
        if (task.batch)
            take_part(worker, &task);
        else
            take_file(worker, task.entry);
        dispatch_done(dispatch);
    }
}

void worker_run(void *context, unsigned index)
{
    struct worker worker = {.run = context};
    struct error err;

    (void)index;
    if (open_worker(&worker, &err) == ST_OK)
        work(&worker);
    else
        upload_give_up(worker.run, err.text);
    object_session_close(&worker.session);
    sha256_destroy(&worker.whole);
    sha256_destroy(&worker.part);
    md5_destroy(&worker.md5);
    free(worker.buffer);
}
