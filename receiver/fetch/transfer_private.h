/* SPDX-License-Identifier: MIT */
/*
 * transfer_private -- what the four files of a transfer share.
 *
 * transfer.c   start, wait, stop
 * turns.c      who may make a request when, and what follows from how it went
 * worker.c     one request and its answer
 * plan.c       what the first answer means
 */
#ifndef RECEIVER_FETCH_TRANSFER_PRIVATE_H
#define RECEIVER_FETCH_TRANSFER_PRIVATE_H

#include "common/crew.h"
#include "common/latch.h"
#include "common/retry.h"
#include "receiver/fetch/transfer.h"

enum {
    TRANSFER_WAIT_MAX_MS = 60 * 1000,
};

struct transfer {
    struct transfer_config config; /* set once: read freely */
    struct retry_policy policy;
    unsigned parallel; /* workers */
    struct latch stop; /* ends every exchange */
    struct crew *crew;

    /* Written by the first worker before `planned`, read by anyone after. */
    struct pieces *pieces; /* to resume: from the start */
    struct checkpoint checkpoint;
    bool checkpointed;
    struct offer offer;
    char source_url[TRANSFER_URL_SIZE]; /* where redirects led; "": too long */
    bool source_trusted;                /* still the origin of the URL given */
    uint64_t piece_bytes;
    struct transfer_facts facts;

    struct {
        pthread_mutex_t lock; /* guards everything in here */
        pthread_cond_t changed;
        bool planned;
        enum transfer_end end;
        struct error err; /* why it ended, when it went wrong */
        int http_status;
        unsigned active, allowed, most_allowed, most_active, retries;
        unsigned failures;        /* in a row, by anyone, without progress */
        uint64_t last_failure_ns; /* the last that counted */
        uint64_t hold_until_ns;   /* nobody makes a request before */
        uint64_t last_busy_ns;
        bool use_if_range, use_source;
    } shared;
};

struct worker {
    struct transfer *transfer;
    unsigned index;
    struct exchange *exchange;
    struct piece *piece;    /* NULL: none */
    uint64_t rate;          /* bytes/s of the last answer */
    uint64_t first_byte_ns; /* how long it took to begin */
    uint64_t not_before_ns;
    unsigned streak; /* own failures in a row */

    /* of the request on the wire */
    struct http_range asked;
    bool ranged, answered, discard;
    bool redirected;       /* straight to where an earlier redirect led */
    enum answer_kind kind; /* when answered */
    struct error verdict;  /* on it */
    struct answer answer;
    uint64_t start_ns, expected, received, discarded;
};

void turns_work(void *transfer, unsigned index);

/* One request for the worker's piece; without a plan, the probe. Fills what is said
 * above of the request on the wire. */
enum status worker_request(struct worker *worker, struct error *err) MUST_CHECK;

/* By the first worker, with the first useful answer, before a byte of it is written.
 * May turn the answer's kind into ANSWER_UNRANGED: then ST_END. */
enum status plan_make(struct worker *worker, struct error *err) MUST_CHECK;

void transfer_finish(struct transfer *transfer, enum transfer_end end,
                     const struct error *err, int http_status);
void transfer_wait_locked(struct transfer *transfer, uint64_t ms);

#endif
