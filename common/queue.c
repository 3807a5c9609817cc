/* SPDX-License-Identifier: MIT */
#include "common/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct queue {
    size_t capacity; /* set once: read freely */
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        pthread_cond_t not_empty, not_full;
        size_t head, length;
        bool closed;
    } shared;
    void *slot[]; /* contents: shared.lock too */
};

enum status queue_create(struct queue **out, size_t capacity, struct error *err)
{
    struct queue *queue = NULL;

    assert(capacity > 0);
    if (capacity <= (SIZE_MAX - sizeof *queue) / sizeof queue->slot[0])
        queue = calloc(1, sizeof *queue + capacity * sizeof queue->slot[0]);
    if (queue == NULL)
        return error_sys(err, ENOMEM, "queue of %zu", capacity);
    queue->capacity = capacity;
    pthread_mutex_init(&queue->shared.lock, NULL);
    pthread_cond_init(&queue->shared.not_empty, NULL);
    pthread_cond_init(&queue->shared.not_full, NULL);
    *out = queue;
    return ST_OK;
}

void queue_destroy(struct queue **queue)
{
    struct queue *q = *queue;

    if (q == NULL)
        return;
    assert(q->shared.length == 0);
    pthread_cond_destroy(&q->shared.not_full);
    pthread_cond_destroy(&q->shared.not_empty);
    pthread_mutex_destroy(&q->shared.lock);
    free(q);
    *queue = NULL;
}

enum status queue_push(struct queue *queue, void **job)
{
    bool closed;

    assert(*job != NULL);
    pthread_mutex_lock(&queue->shared.lock);
    while (queue->shared.length == queue->capacity && !queue->shared.closed)
        pthread_cond_wait(&queue->shared.not_full, &queue->shared.lock);
    closed = queue->shared.closed;
    if (!closed) {
        size_t tail = (queue->shared.head + queue->shared.length) % queue->capacity;

        queue->slot[tail] = *job;
        *job = NULL;
        queue->shared.length++;
        pthread_cond_signal(&queue->shared.not_empty);
    }
    pthread_mutex_unlock(&queue->shared.lock);
    return closed ? ST_CLOSED : ST_OK;
}

static void *take_locked(struct queue *queue)
{
    void *job = queue->slot[queue->shared.head];

    queue->shared.head = (queue->shared.head + 1) % queue->capacity;
    queue->shared.length--;
    return job;
}

size_t queue_pop_many(struct queue *queue, void **jobs, size_t max)
{
    size_t taken = 0;

    pthread_mutex_lock(&queue->shared.lock);
    while (queue->shared.length == 0 && !queue->shared.closed)
        pthread_cond_wait(&queue->shared.not_empty, &queue->shared.lock);
    while (taken < max && queue->shared.length > 0)
        jobs[taken++] = take_locked(queue);
    if (taken > 1)
        pthread_cond_broadcast(&queue->shared.not_full);
    else if (taken == 1)
        pthread_cond_signal(&queue->shared.not_full);
    pthread_mutex_unlock(&queue->shared.lock);
    return taken;
}

enum status queue_pop(struct queue *queue, void **job)
{
    return queue_pop_many(queue, job, 1) == 1 ? ST_OK : ST_CLOSED;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->shared.lock);
    queue->shared.closed = true;
    pthread_cond_broadcast(&queue->shared.not_empty);
    pthread_cond_broadcast(&queue->shared.not_full);
    pthread_mutex_unlock(&queue->shared.lock);
}

size_t queue_length(struct queue *queue)
{
    size_t length;

    pthread_mutex_lock(&queue->shared.lock);
    length = queue->shared.length;
    pthread_mutex_unlock(&queue->shared.lock);
    return length;
}
