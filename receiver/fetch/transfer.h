/* SPDX-License-Identifier: MIT */
/*
 * transfer -- one attempt to get all that is missing of a file.
 *
 * The first worker's first request is also the probe: its answer says whether ranges
 * work, how long the file is and which version of it this is. Only then do the others
 * begin, each with a connection of its own that it keeps.
 *
 * Shape:   start -> wait (the owner's loop: progress, signals) -> stop.
 * Owner:   everything in the config must outlive the transfer. After stop the pieces
 *          and the hasher's digests are the caller's to ask for.
 * Threads: start, wait and stop from one.
 */
#ifndef RECEIVER_FETCH_TRANSFER_H
#define RECEIVER_FETCH_TRANSFER_H

#include "common/exchange.h"
#include "receiver/fetch/checkpoint.h"
#include "receiver/fetch/limiter.h"
#include "receiver/fetch/offer.h"

enum { TRANSFER_URL_SIZE = 8192, TRANSFER_HEADERS_MAX = 24 };

struct transfer_config {
    const char *url;
    const struct exchange_header *headers; /* go to the URL's own origin only */
    size_t header_count;                   /* up to TRANSFER_HEADERS_MAX */
    bool netrc;
    const char *ca_file;
    unsigned count; /* connections */
    unsigned max_tries;
    uint64_t least_bytes; /* of a piece */
    uint64_t connect_timeout_ms, stall_ms;
    bool ranged;       /* false: one connection, one request, no resuming */
    bool digest_known; /* a digest is at hand that will tell a wrong file */
    bool resume;       /* state says what is missing */
    struct part *part;
    struct state *state; /* the URL, inode and boot filled in; for resume all of it */
    struct limiter *limiter;
};

enum transfer_end {
    TRANSFER_RUNNING,
    TRANSFER_DONE,     /* all bytes are in the part file */
    TRANSFER_CHANGED,  /* another version than the one begun with: start afresh */
    TRANSFER_UNRANGED, /* try again without ranges */
    TRANSFER_CUT,      /* the only stream ended early: start afresh */
    TRANSFER_FAILED,
};

struct transfer;

enum status transfer_start(struct transfer **out, const struct transfer_config *config,
                           struct error *err) MUST_CHECK;

/* Waits up to ms for the end, or for the plan (the probe's outcome) when for_plan. */
enum transfer_end transfer_wait(struct transfer *transfer, uint64_t ms, bool for_plan);

/* What is known once there is a plan. */
bool transfer_planned(struct transfer *transfer);
struct pieces *transfer_pieces(struct transfer *transfer);
struct checkpoint *transfer_checkpoint(struct transfer *transfer); /* NULL: no resume */
const struct offer *transfer_offer(struct transfer *transfer);

struct transfer_facts {
    bool ranged;          /* pieces, not one stream */
    bool length_unproven; /* the end of the stream was the end of the connection */
    unsigned connections; /* most at a time */
    unsigned retries;
    int http_status;    /* of the failure, 0: there was no answer */
    int64_t modified_s; /* -1: not told */
};

struct transfer_facts transfer_facts(struct transfer *transfer);

/* Ends all connections within a second, joins the workers and saves nothing more.
 * *end and *err say how it went; ST_CLOSED in err: stopped by the caller. */
void transfer_stop(struct transfer *transfer, enum transfer_end *end,
                   struct error *err);
void transfer_destroy(struct transfer **transfer);

#endif
