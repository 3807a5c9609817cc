/* SPDX-License-Identifier: MIT */
#include "sender/upload/multipart.h"

#include "common/clock.h"
#include "sender/upload/attempts.h"
#include "sender/upload/counterpart.h"
#include "sender/upload/part_size.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_SIZE = OBJECT_PLACE_SIZE + OBJECT_KEY_SIZE };

/* ---- sizes ---- */

size_t multipart_memory_max(const struct object_limits *limits)
{
    const struct multipart *m = NULL;

    return sizeof *m + part_size_count_max(limits) *
                           (sizeof *m->sums + sizeof *m->parts + sizeof *m->todo);
}

static uint64_t size_of_part(const struct multipart *multipart, unsigned index)
{
    uint64_t start = index * multipart->part_bytes;
    uint64_t rest = multipart->description.size - start;

    return rest < multipart->part_bytes ? rest : multipart->part_bytes;
}

/* ---- life ---- */

static enum status allocate(struct multipart *multipart, struct error *err)
{
    unsigned count = multipart->count;

    multipart->sums = calloc(count, sizeof *multipart->sums);
    multipart->parts = calloc(count, sizeof *multipart->parts);
    multipart->todo = calloc(count, sizeof *multipart->todo);
    if (!multipart->sums || !multipart->parts || !multipart->todo)
        return error_sys(err, ENOMEM, "send in parts");
    return ST_OK;
}

void multipart_destroy(struct multipart **multipart)
{
    struct multipart *m = *multipart;

    if (!m)
        return;
    walk_entry_release(&m->job.entry);
    source_file_close(&m->file);
    resume_close(&m->slot);
    pthread_mutex_destroy(&m->failure.lock);
    free(m->sums);
    free(m->parts);
    free(m->todo);
    free(m);
    *multipart = NULL;
}

/* ---- the first pass ---- */

static enum status hash_part(struct multipart *multipart, struct worker *worker,
                             unsigned index, struct error *err)
{
    uint64_t at = index * multipart->part_bytes;
    uint64_t end = at + size_of_part(multipart, index);

    if (worker->md5)
        md5_start(worker->md5);
    else
        sha256_start(worker->part);
    while (at < end) {
        size_t n = end - at < WORKER_READ_BYTES ? (size_t)(end - at)
                                                : WORKER_READ_BYTES;
        enum status st = latch_is_set(&worker->run->stop)
                             ? error_set(err, ST_CLOSED, "stopped")
                             : source_file_read(&multipart->file, at, worker->buffer, n,
                                                err);

        if (st != ST_OK)
            return st;
        sha256_update(worker->whole, worker->buffer, n);
        if (worker->md5)
            md5_update(worker->md5, worker->buffer, n);
        else
            sha256_update(worker->part, worker->buffer, n);
        at += n;
    }
    if (!worker->md5)
        return sha256_finish(worker->part, &multipart->sums[index].digest, err);
    md5_finish(worker->md5, multipart->sums[index].md5);
    return ST_OK;
}

static enum status hash_file(struct multipart *multipart, struct worker *worker,
                             struct error *err)
{
    enum status st = worker_reserve(worker, WORKER_READ_BYTES, err);

    sha256_start(worker->whole);
    for (unsigned i = 0; st == ST_OK && i < multipart->count; i++)
        st = hash_part(multipart, worker, i, err);
    if (st == ST_OK)
        st = sha256_finish(worker->whole, &multipart->description.digest, err);
    multipart->description.has_digest = st == ST_OK;
    return st == ST_OK ? source_file_settled(&multipart->file, err) : st;
}

/* ---- beginning, or going on ---- */

static void forget_parts(struct multipart *multipart)
{
    for (unsigned i = 0; i < multipart->count; i++)
        multipart->parts[i] = (struct object_part){.number = i + 1};
}

/* With what cannot be read: that will be no better next time. */
static bool was_answered(const struct worker *worker)
{
    return worker->session->answer.http_status / 100 == 2 &&
           !latch_is_set(&worker->run->stop);
}

static enum status take_listed(void *context, const struct object_part *part,
                               struct error *err)
{
    struct multipart *multipart = context;

    (void)err;
    if (part->number >= 1 && part->number <= multipart->count &&
        part->size == size_of_part(multipart, part->number - 1))
        multipart->parts[part->number - 1] = *part;
    return ST_OK;
}

/* Which parts of the recorded upload are there. ST_END: the store has forgotten it, or
 * will never tell. Any other failure may pass, and the upload is there to be taken up.
 */
static enum status take_up(struct multipart *multipart, struct worker *worker,
                           struct error *err)
{
    struct attempts attempts = {.kind = ATTEMPT_LOOK};
    enum status st;

    forget_parts(multipart);
    do
        st = object_parts(worker->session, multipart->job.key, multipart->upload,
                          take_listed, multipart, err);
    while (attempts_again(&attempts, worker->run, worker->session, st, err));
    if (st == ST_AGAIN && was_answered(worker))
        return ST_END;
    return st == ST_OK || st == ST_AGAIN || st == ST_CLOSED || st == ST_SYSTEM ? st
                                                                               : ST_END;
}

static enum status abort_upload(struct multipart *multipart, struct worker *worker)
{
    struct attempts attempts = {.alone = true};
    struct error ignored;
    enum status st;

    do
        st = object_abort(worker->session, multipart->job.key, multipart->upload,
                          &ignored);
    while (attempts_again(&attempts, worker->run, worker->session, st, &ignored));
    return st;
}

static enum status begin(struct multipart *multipart, struct worker *worker,
                         struct error *err)
{
    struct attempts attempts = {.kind = ATTEMPT_BEGIN};
    struct resume_record record = {.part_bytes = multipart->part_bytes};
    enum status st;

    forget_parts(multipart);
    do
        st = object_begin(worker->session, multipart->job.key, &multipart->description,
                          multipart->part_bytes, multipart->upload, err);
    while (attempts_again(&attempts, worker->run, worker->session, st, err));
    if (st != ST_OK)
        return st;
    strcpy(record.upload, multipart->upload);
    if (resume_identity(&record.identity, &multipart->description))
        resume_write(multipart->slot, &record);
    return ST_OK;
}

static bool is_for(const struct resume_record *record,
                   const struct object_description *description)
{
    struct sha256_digest identity;

    return resume_identity(&identity, description) &&
           sha256_equal(&identity, &record->identity);
}

/* record: of an earlier run, NULL: none. */
static enum status begin_or_take_up(struct multipart *multipart, struct worker *worker,
                                    const struct resume_record *record,
                                    struct error *err)
{
    enum status st = ST_END;

    if (record) {
        strcpy(multipart->upload, record->upload);
        if (is_for(record, &multipart->description) &&
            record->part_bytes == multipart->part_bytes)
            st = take_up(multipart, worker, err);
        if (st == ST_END)
            (void)abort_upload(multipart, worker);
    }
    return st == ST_END ? begin(multipart, worker, err) : st;
}

static void plan(struct multipart *multipart, struct tally *tally)
{
    for (unsigned i = 0; i < multipart->count; i++) {
        if (*multipart->parts[i].receipt)
            atomic_fetch_add(&tally->resumed_parts, 1);
        else
            multipart->todo[multipart->todo_count++] = i;
    }
}

static enum status choose_part_bytes(struct multipart *multipart,
                                     const struct worker *worker,
                                     const struct resume_record *record,
                                     struct error *err)
{
    const struct object_limits *limits = &worker->run->store->limits;
    uint64_t size = multipart->description.size;
    uint64_t bytes = worker->run->config->part_bytes;

    if (bytes == 0)
        bytes = record && part_size_fits(size, record->part_bytes, limits)
                    ? record->part_bytes
                    : part_size_choose(size, limits);
    if (!part_size_fits(size, bytes, limits))
        return error_set(err, ST_INVALID, "too big for %u parts of %llu bytes",
                         part_size_count_max(limits), (unsigned long long)bytes);
    multipart->part_bytes = bytes;
    multipart->count = (unsigned)part_size_count(size, bytes);
    return ST_OK;
}

static void open_slot(struct multipart *multipart, const struct worker *worker)
{
    char place[PLACE_SIZE + 2];

    snprintf(place, sizeof place, "%s\n%s", worker->run->store->place,
             multipart->job.key);
    multipart->slot = resume_open(worker->run->resume_dir, place);
}

enum status multipart_start(struct multipart **out, struct worker *worker,
                            struct file_job *job, struct source_file *file,
                            struct error *err)
{
    struct multipart *multipart = calloc(1, sizeof *multipart);
    struct resume_record record;
    bool recorded;
    enum status st;

    if (!multipart)
        return error_sys(err, ENOMEM, "send in parts");
    pthread_mutex_init(&multipart->failure.lock, NULL);
    multipart->job = *job;
    multipart->file = *file;
    worker_describe(worker, file, &multipart->description);
    open_slot(multipart, worker);
    recorded = resume_read(multipart->slot, &record);
    st = choose_part_bytes(multipart, worker, recorded ? &record : NULL, err);
    if (st == ST_OK)
        st = allocate(multipart, err);
    if (st == ST_OK)
        st = hash_file(multipart, worker, err);
    if (st == ST_OK)
        st = begin_or_take_up(multipart, worker, recorded ? &record : NULL, err);
    if (st != ST_OK) {
        multipart->job.entry = NULL; /* these two stay the caller's */
        multipart->file.fd = -1;
        if (!recorded)
            resume_forget(&multipart->slot);
        multipart_destroy(&multipart);
        return st;
    }
    job->entry = NULL;
    file->fd = -1;
    plan(multipart, &worker->run->tally);
    *out = multipart;
    return ST_OK;
}

/* ---- parts ---- */

static void fail(struct multipart *multipart, enum status st, const struct error *err)
{
    pthread_mutex_lock(&multipart->failure.lock);
    if (multipart->failure.status == ST_OK) {
        multipart->failure.status = st;
        multipart->failure.error = *err;
    }
    pthread_mutex_unlock(&multipart->failure.lock);
}

void multipart_send(struct multipart *multipart, struct worker *worker, unsigned ticket)
{
    struct upload_run *run = worker->run;
    unsigned index = multipart->todo[ticket];
    struct attempts attempts = {.kind = ATTEMPT_PUT};
    struct body body;
    struct error err;
    uint64_t start_ns;
    enum status st;

    if (latch_is_set(&run->stop)) {
        st = error_set(&err, ST_CLOSED, "stopped");
        fail(multipart, st, &err);
        dispatch_cancel(run->dispatch, &multipart->batch);
        return;
    }
    body_from_file(&body, run, &multipart->file, index * multipart->part_bytes,
                   size_of_part(multipart, index), &multipart->sums[index]);
    do {
        start_ns = clock_monotonic_ns();
        st = object_put_part(worker->session, multipart->job.key, multipart->upload,
                             &multipart->parts[index], &body.object, &err);
        st = source_file_blame(&multipart->file, st);
        if (st != ST_OK)
            body_failed(&body);
    } while (attempts_again(&attempts, run, worker->session, st, &err));
    if (st != ST_OK) {
        fail(multipart, st, &err);
        dispatch_cancel(run->dispatch, &multipart->batch);
        return;
    }
    histogram_record(&run->tally.latency_us, (clock_monotonic_ns() - start_ns) / 1000);
    atomic_fetch_add(&run->tally.delivered, 1);
}

/* ---- the end ---- */

/* The store no longer has what was sent, as err says: has it been put together by a
 * request whose answer was lost? */
static enum status was_finished(const struct multipart *multipart,
                                struct worker *worker, struct error *err)
{
    struct error why = *err;
    struct object_description found;
    enum status st = counterpart_look(worker, multipart->job.key, &found, err);

    if (st != ST_OK && st != ST_END)
        return st;
    if (st == ST_OK && counterpart_has_content(&multipart->description, &found) &&
        counterpart_has_metadata(&multipart->description, &found))
        return ST_OK;
    return error_set(err, ST_END, "the store has forgotten what was sent: %s",
                     why.text);
}

static enum status put_together(struct multipart *multipart, struct worker *worker,
                                struct error *err)
{
    struct attempts attempts = {.kind = ATTEMPT_FINISH};
    enum status st = source_file_settled(&multipart->file, err);

    if (st != ST_OK)
        return st;
    do {
        st = object_finish(worker->session, multipart->job.key, multipart->upload,
                           &multipart->description, multipart->parts, multipart->count,
                           err);
        if (st == ST_CORRUPT)
            st = ST_AGAIN; /* a list of parts is spoiled on its way only */
    } while (attempts_again(&attempts, worker->run, worker->session, st, err));
    return st == ST_END ? was_finished(multipart, worker, err) : st;
}

enum status multipart_finish(struct multipart *multipart, struct worker *worker,
                             struct error *err)
{
    enum status st = multipart->failure.status;

    if (st == ST_OK)
        st = put_together(multipart, worker, err);
    else
        *err = multipart->failure.error;
    if (st == ST_OK) {
        resume_forget(&multipart->slot);
        worker_succeeded(worker, &multipart->job, &multipart->description);
    } else if (st != ST_AGAIN && st != ST_CLOSED && st != ST_SYSTEM) {
        /* Not for want of time: the next run could do nothing with it either. */
        if (abort_upload(multipart, worker) == ST_OK)
            resume_forget(&multipart->slot);
    }
    return st;
}
