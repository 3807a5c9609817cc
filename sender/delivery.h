/* SPDX-License-Identifier: MIT */
/*
 * delivery -- takes blobs from the queue to the receiver, each until it has an end.
 *
 * A blob is delivered when the receiver answers 2xx and names the same digest;
 * nothing less counts. Transient failures and digest mismatches are tried again, with
 * full jitter, up to the policy's attempts; what cannot be delivered becomes a dead
 * letter in the spool. When it is us that the receiver does not want (401, 403), or we
 * do not trust it, the blob is not to blame and stays in the spool. The blob's id
 * travels as Idempotency-Key, so that a resend after a lost answer stores nothing
 * twice.
 *
 * Owner:   a job belongs to delivery once popped; it is freed with free().
 * Threads: delivery_work runs in `workers` threads, each with its own index.
 */
#ifndef SENDER_DELIVERY_H
#define SENDER_DELIVERY_H

#include "common/exchange.h"
#include "common/latch.h"
#include "common/queue.h"
#include "common/retry.h"
#include "common/status.h"
#include "sender/identity.h"
#include "sender/inject.h"
#include "sender/report.h"
#include "sender/spool.h"

#include <stdint.h>

struct delivery;

struct delivery_config { /* everything pointed to must outlive the delivery */
    struct queue *queue; /* of struct delivery_job */
    struct spool *spool;
    struct report *report;
    struct latch *abandon; /* once set, what is not delivered is left in the spool */
    struct exchange_config connection; /* its timeout and cancel are set here */
    const char *url;                   /* where blobs are posted: ".../blobs" */
    struct identity *identity;         /* whose token is sent; NULL: none */
    uint64_t timeout_ms;               /* of one attempt */
    struct retry_policy retry;
    struct inject_config inject;
};

struct delivery_job {
    struct uuid id;
    uint64_t ordinal; /* for injection: distinct for each blob of a run */
};

enum status delivery_create(struct delivery **out, const struct delivery_config *config,
                            unsigned workers, struct error *err) MUST_CHECK;
void delivery_destroy(struct delivery **delivery); /* NULL inside is fine */

/* Returns once the queue is closed and drained. */
void delivery_work(struct delivery *delivery, unsigned worker);

#endif
