/* SPDX-License-Identifier: MIT */
/*
 * attempts -- one request, as often as it takes and may take.
 *
 *     struct attempts attempts = {.kind = ATTEMPT_PUT};
 *     do
 *         st = object_put(...);
 *     while (attempts_again(&attempts, run, session, st, err));
 *
 * Another attempt follows ST_AGAIN only, after a pause with full jitter, at most
 * --max-attempts in all, while the budget of the whole run lasts and the run goes on.
 * Counts requests, retries and throttling; ends the run when the store refuses in a way
 * that no other request would change, or when too many requests of one kind fail in a
 * row: a store that answers questions may yet take no content.
 */
#ifndef SENDER_UPLOAD_ATTEMPTS_H
#define SENDER_UPLOAD_ATTEMPTS_H

#include "common/object/object_store.h"
#include "sender/upload/upload_run.h"

struct attempts { /* zero-initialise all but kind */
    enum attempt_kind kind;
    unsigned made;
    bool alone; /* the caller tells the end of it: it is not held against the run */
};

/* err: of the attempt just made. */
bool attempts_again(struct attempts *attempts, struct upload_run *run,
                    const struct object_session *session, enum status st,
                    const struct error *err);

#endif
