/* SPDX-License-Identifier: MIT */
/* transfer_private -- what transfer.c (who may do what when) and worker.c (one request
 * and its answer) share. */
#ifndef RECEIVER_FETCH_TRANSFER_PRIVATE_H
#define RECEIVER_FETCH_TRANSFER_PRIVATE_H

#include "receiver/fetch/transfer.h"

#include "common/crew.h"
#include "common/latch.h"
#include "common/retry.h"

struct transfer {
    struct transfer_config config; /* set once: read freely */
    struct retry_policy policy;
    struct latch stop; /* ends every exchange */
    struct crew *crew;

    /* Written by the first worker before `planned`, read by anyone after. */
    struct pieces *pieces;
    struct checkpoint checkpoint;
    bool checkpointed;
    struct offer offer;
    char source_url[TRANSFER_URL_SIZE]; /* where redirects led */
    bool source_trusted;                /* still the origin of the URL given */
    uint64_t piece_bytes;
    int64_t modified_s;
    bool chunked_or_sized;

    struct {
        pthread_mutex_t lock; /* guards everything in here */
        pthread_cond_t changed;
        bool planned;
        enum transfer_end end;
        struct error err; /* why it ended, when it went wrong */
        int http_status;
        unsigned active, allowed, most_active, retries;
        unsigned failures;        /* in a row, by anyone, without progress */
        uint64_t last_failure_ns; /* the last that counted */
        uint64_t hold_until_ns;   /* nobody sends a request before */
        uint64_t last_busy_ns;
        bool use_if_range, use_source;
    } shared;
};

struct worker {
    struct transfer *transfer;
    unsigned index;
    struct exchange *exchange;
    struct piece *piece; /* NULL: none yet */
    uint64_t rate;       /* bytes/s of the last piece */
    uint64_t first_byte_ns; /* how long the last answer took to begin */
    uint64_t not_before_ns;
    unsigned streak; /* own failures in a row */

    /* of the request on the wire */
    struct http_range asked;
    bool ranged, discard, surplus;
    enum answer_kind kind;
    struct answer answer;
    struct error verdict;
    uint64_t start_ns, expected, received, discarded;
};

/* worker.c: one request for the worker's piece; without a plan, the probe. Fills kind
 * and verdict. */
enum status worker_request(struct worker *worker, struct error *err) MUST_CHECK;

/* transfer.c */

/* By the first worker, with the answer in hand, before a byte of it is written. */
enum status transfer_plan(struct transfer *transfer, struct worker *worker,
                          struct error *err) MUST_CHECK;

void transfer_finish(struct transfer *transfer, enum transfer_end end,
                     const struct error *err, int http_status);

#endif
