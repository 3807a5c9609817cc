/* SPDX-License-Identifier: MIT */
/*
 * dispatch -- what the workers do next, and how many of them at once.
 *
 * Files come from the walk through a bounded queue; parts come from files in pieces
 * (batches), which any worker may help with. Parts go first, so that few batches are
 * open at a time. No more than `limit` tasks run at once, however many workers there
 * are; a worker over the limit waits.
 *
 *     while (dispatch_take(d, &task) == ST_OK) {
 *         ... for a part: last = dispatch_part_done(d, task.batch) ...
 *         dispatch_done(d);
 *     }
 *
 * Errors:  push: ST_CLOSED once stopped. take: ST_CLOSED once nothing is left and
 *          nothing can come. Once stopped the files left are not handed out, but the
 *          parts are, so that every batch comes to its end.
 * Owner:   an entry belongs to the dispatch from push until take; batches are their
 *          owner's, from add until part_done says that it was the last.
 * Threads: any.
 */
#ifndef SENDER_UPLOAD_DISPATCH_H
#define SENDER_UPLOAD_DISPATCH_H

#include "common/status.h"
#include "sender/upload/walk.h"

#include <stdbool.h>
#include <stddef.h>

struct dispatch;

struct dispatch_batch {   /* embedded in what has parts; fields are dispatch.c's */
    unsigned next, count; /* claims: tickets from next to count - 1 */
    unsigned running;
    bool cancelled;
    struct dispatch_batch *link;
};

struct dispatch_task { /* either a file or a part */
    struct walk_entry *entry;
    struct dispatch_batch *batch;
    unsigned ticket; /* which part: 0 to count - 1 */
};

enum status dispatch_create(struct dispatch **out, size_t capacity, unsigned limit,
                            struct error *err) MUST_CHECK;
void dispatch_destroy(struct dispatch **dispatch); /* releases entries still queued */

/* Waits for room; takes and nulls *entry. */
enum status dispatch_push(struct dispatch *dispatch,
                          struct walk_entry **entry) MUST_CHECK;
void dispatch_close(struct dispatch *dispatch); /* no more pushes will come */
void dispatch_stop(struct dispatch *dispatch);  /* no more files either */

enum status dispatch_take(struct dispatch *dispatch,
                          struct dispatch_task *task) MUST_CHECK;
void dispatch_done(struct dispatch *dispatch); /* after each take */

/* Offers the tickets of a batch, count > 0; from within a task. */
void dispatch_add(struct dispatch *dispatch, struct dispatch_batch *batch,
                  unsigned count);

/* No ticket of the batch is handed out any more. */
void dispatch_cancel(struct dispatch *dispatch, struct dispatch_batch *batch);

/* True when no ticket is out and none will be: the batch is its owner's again. */
bool dispatch_part_done(struct dispatch *dispatch,
                        struct dispatch_batch *batch) MUST_CHECK;

void dispatch_set_limit(struct dispatch *dispatch, unsigned limit);
unsigned dispatch_running(struct dispatch *dispatch);

#endif
