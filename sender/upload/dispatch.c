/* SPDX-License-Identifier: MIT */
#include "sender/upload/dispatch.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct dispatch {
    size_t capacity; /* set once: read freely */
    struct {
        pthread_mutex_t lock; /* guards everything in here, and every batch's fields */
        pthread_cond_t work, room;
        size_t head, length;
        struct dispatch_batch *batches; /* those with tickets left, oldest first */
        unsigned limit, running, waiting;
        bool closed, stopped;
        bool walk_waits;
    } shared;
    struct walk_entry *slot[]; /* contents: shared.lock too */
};

enum status dispatch_create(struct dispatch **out, size_t capacity, unsigned limit,
                            struct error *err)
{
    struct dispatch *dispatch = calloc(1, sizeof *dispatch +
                                              capacity * sizeof(struct walk_entry *));

    if (!dispatch)
        return error_sys(err, ENOMEM, "queue files");
    dispatch->capacity = capacity;
    dispatch->shared.limit = limit;
    pthread_mutex_init(&dispatch->shared.lock, NULL);
    pthread_cond_init(&dispatch->shared.work, NULL);
    pthread_cond_init(&dispatch->shared.room, NULL);
    *out = dispatch;
    return ST_OK;
}

void dispatch_destroy(struct dispatch **dispatch)
{
    struct dispatch *d = *dispatch;

    if (!d)
        return;
    for (size_t i = 0; i < d->shared.length; i++)
        walk_entry_release(&d->slot[(d->shared.head + i) % d->capacity]);
    pthread_cond_destroy(&d->shared.work);
    pthread_cond_destroy(&d->shared.room);
    pthread_mutex_destroy(&d->shared.lock);
    free(d);
    *dispatch = NULL;
}

static void lock(struct dispatch *dispatch)
{
    pthread_mutex_lock(&dispatch->shared.lock);
}

static void unlock(struct dispatch *dispatch)
{
    pthread_mutex_unlock(&dispatch->shared.lock);
}

static bool may_run_locked(const struct dispatch *dispatch)
{
    return dispatch->shared.running < dispatch->shared.limit;
}

static void wake_one_locked(struct dispatch *dispatch)
{
    if (dispatch->shared.waiting > 0 && may_run_locked(dispatch))
        pthread_cond_signal(&dispatch->shared.work);
}

enum status dispatch_push(struct dispatch *dispatch, struct walk_entry **entry)
{
    enum status st = ST_CLOSED;

    lock(dispatch);
    while (dispatch->shared.length == dispatch->capacity && !dispatch->shared.stopped) {
        dispatch->shared.walk_waits = true;
        pthread_cond_wait(&dispatch->shared.room, &dispatch->shared.lock);
    }
    if (!dispatch->shared.stopped) {
        size_t tail = (dispatch->shared.head + dispatch->shared.length) %
                      dispatch->capacity;

        assert(!dispatch->shared.closed);
        dispatch->slot[tail] = *entry;
        *entry = NULL;
        dispatch->shared.length++;
        wake_one_locked(dispatch);
        st = ST_OK;
    }
    unlock(dispatch);
    return st;
}

void dispatch_close(struct dispatch *dispatch)
{
    lock(dispatch);
    dispatch->shared.closed = true;
    pthread_cond_broadcast(&dispatch->shared.work);
    unlock(dispatch);
}

void dispatch_stop(struct dispatch *dispatch)
{
    lock(dispatch);
    dispatch->shared.stopped = true;
    pthread_cond_broadcast(&dispatch->shared.work);
    pthread_cond_broadcast(&dispatch->shared.room);
    unlock(dispatch);
}

static void take_part_locked(struct dispatch *dispatch, struct dispatch_task *task)
{
    struct dispatch_batch *batch = dispatch->shared.batches;

    *task = (struct dispatch_task){.batch = batch, .ticket = batch->next++};
    batch->running++;
    if (batch->next == batch->count)
        dispatch->shared.batches = batch->link;
}

static void take_file_locked(struct dispatch *dispatch, struct dispatch_task *task)
{
    *task = (struct dispatch_task){.entry = dispatch->slot[dispatch->shared.head]};
    dispatch->shared.head = (dispatch->shared.head + 1) % dispatch->capacity;
    dispatch->shared.length--;
    /* Not at every file: the walk and the workers would wake each other in turns. */
    if (dispatch->shared.walk_waits &&
        dispatch->shared.length <= dispatch->capacity / 2) {
        dispatch->shared.walk_waits = false;
        pthread_cond_signal(&dispatch->shared.room);
    }
}

static bool is_over_locked(const struct dispatch *dispatch)
{
    if (dispatch->shared.batches) /* somebody must tell its owner that it is over */
        return false;
    return dispatch->shared.stopped ||
           (dispatch->shared.closed && dispatch->shared.length == 0 &&
            dispatch->shared.running == 0);
}

enum status dispatch_take(struct dispatch *dispatch, struct dispatch_task *task)
{
    bool taken = false;

    lock(dispatch);
    while (!taken && !is_over_locked(dispatch)) {
        if (may_run_locked(dispatch) && dispatch->shared.batches) {
            take_part_locked(dispatch, task);
            taken = true;
        } else if (may_run_locked(dispatch) && dispatch->shared.length > 0 &&
                   !dispatch->shared.stopped) {
            take_file_locked(dispatch, task);
            taken = true;
        } else {
            dispatch->shared.waiting++;
            pthread_cond_wait(&dispatch->shared.work, &dispatch->shared.lock);
            dispatch->shared.waiting--;
        }
    }
    if (taken)
        dispatch->shared.running++;
    unlock(dispatch);
    return taken ? ST_OK : ST_CLOSED;
}

void dispatch_done(struct dispatch *dispatch)
{
    lock(dispatch);
    assert(dispatch->shared.running > 0);
    dispatch->shared.running--;
    /* Whoever is done asks for more itself; others are woken only for the end. */
    if (is_over_locked(dispatch))
        pthread_cond_broadcast(&dispatch->shared.work);
    unlock(dispatch);
}

void dispatch_add(struct dispatch *dispatch, struct dispatch_batch *batch,
                  unsigned count)
{
    struct dispatch_batch **last = &dispatch->shared.batches;

    assert(count > 0);
    *batch = (struct dispatch_batch){.count = count};
    lock(dispatch);
    while (*last)
        last = &(*last)->link;
    *last = batch;
    pthread_cond_broadcast(&dispatch->shared.work);
    unlock(dispatch);
}

static void unlink_locked(struct dispatch *dispatch, struct dispatch_batch *batch)
{
    struct dispatch_batch **at = &dispatch->shared.batches;

    while (*at && *at != batch)
        at = &(*at)->link;
    if (*at)
        *at = batch->link;
}

void dispatch_cancel(struct dispatch *dispatch, struct dispatch_batch *batch)
{
    lock(dispatch);
    unlink_locked(dispatch, batch);
    batch->cancelled = true;
    unlock(dispatch);
}

bool dispatch_part_done(struct dispatch *dispatch, struct dispatch_batch *batch)
{
    bool last;

    lock(dispatch);
    batch->running--;
    last = batch->running == 0 && (batch->cancelled || batch->next == batch->count);
    unlock(dispatch);
    return last;
}

void dispatch_set_limit(struct dispatch *dispatch, unsigned limit)
{
    lock(dispatch);
    if (limit > dispatch->shared.limit)
        pthread_cond_broadcast(&dispatch->shared.work);
    dispatch->shared.limit = limit;
    unlock(dispatch);
}

unsigned dispatch_running(struct dispatch *dispatch)
{
    unsigned running;

    lock(dispatch);
    running = dispatch->shared.running;
    unlock(dispatch);
    return running;
}
