/* SPDX-License-Identifier: MIT */
/*
 * job -- one URL: probed, fetched, verified and put in its place, or a clear error.
 *
 * Errors:  ST_AGAIN the network failed, what arrived is kept for the next run;
 *          ST_CLOSED likewise, by a signal; ST_REFUSED the server (http_status), TLS, a
 *          second run or an existing file said no; ST_CORRUPT the bytes are not to be
 *          trusted and are gone; ST_SYSTEM a file cannot be written; ST_INVALID the URL
 *          makes no sense.
 * Threads: one job at a time, from main.
 */
#ifndef RECEIVER_FETCH_JOB_H
#define RECEIVER_FETCH_JOB_H

#include "receiver/fetch/config.h"
#include "receiver/fetch/hasher.h"

struct job {
    const struct fetch_config *config;
    const char *url;
    const char *name; /* of the file, in dir_fd */
    int dir_fd;
    int signal_fd; /* of signals_open */
    struct limiter *limiter;
};

struct job_result {
    bool skipped; /* the file was there, and --no-clobber was given */
    uint64_t bytes, resumed;
    uint64_t elapsed_ms;
    struct transfer_facts facts;
    struct sha256_digest sha256; /* on success */
    struct offer offer;          /* what it was verified against */
};

/* result: filled as far as it went, on failure, too. */
enum status job_run(const struct job *job, struct job_result *result,
                    struct error *err) MUST_CHECK;

#endif
