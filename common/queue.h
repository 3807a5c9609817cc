/* SPDX-License-Identifier: MIT */
/*
 * queue -- bounded hand-off of jobs between threads.
 *
 * Shape:   up to `capacity` pointers, first in first out.
 * Units:   capacity counts jobs, not bytes.
 * Errors:  ST_CLOSED after queue_close(); pop still drains what remains.
 * Owner:   the queue owns a job from successful push until pop.
 * Threads: any thread, any time; destroy only after all users are joined.
 * Source:  bounded-buffer monitor (Hoare, 1974).
 */
#ifndef COMMON_QUEUE_H
#define COMMON_QUEUE_H

#include "common/status.h"

#include <stddef.h>

struct queue;

enum status queue_create(struct queue **out, size_t capacity,
                         struct error *err) MUST_CHECK;
void queue_destroy(struct queue **queue); /* must be empty: jobs are the caller's */

/* Waits for room. Takes *job and nulls it; on ST_CLOSED *job stays the caller's. */
enum status queue_push(struct queue *queue, void **job) MUST_CHECK;

/* Waits for a job. ST_CLOSED once the queue is closed and drained. */
enum status queue_pop(struct queue *queue, void **job) MUST_CHECK;

/* Takes up to max jobs that are there, waiting only for the first. Returns how many;
 * 0 once the queue is closed and drained. */
size_t queue_pop_many(struct queue *queue, void **jobs, size_t max);

void queue_close(struct queue *queue); /* idempotent */
size_t queue_length(struct queue *queue);

#endif
