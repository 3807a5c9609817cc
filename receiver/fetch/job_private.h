/* SPDX-License-Identifier: MIT */
/* job_private -- what job.c (the order of things) and attempt.c (one transfer and what
 * goes on beside it) share. */
#ifndef RECEIVER_FETCH_JOB_PRIVATE_H
#define RECEIVER_FETCH_JOB_PRIVATE_H

#include "receiver/fetch/job.h"
#include "receiver/fetch/sidecar.h"

struct run {
    const struct job *job;
    struct job_result *result;
    struct part part;
    struct state *state;
    struct transfer *transfer;
    struct hasher *hasher;
    struct sidecar *sidecar; /* NULL: not wanted, or asked already */
    uint64_t start_ns, saved_ns, synced_ns;
    bool resume, ranged;
    bool followed; /* what comes with the plan has been done */
};

bool run_is_durable(const struct run *run);
uint64_t run_elapsed_ms(const struct run *run);

/* Whether a signal asks to stop; the next one ends the process. */
bool run_is_interrupted(const struct run *run);

/* One transfer, run to its end. Hasher and sidecar go on after TRANSFER_DONE; all three
 * are the run's until attempt_release. */
enum transfer_end attempt_run(struct run *run, struct error *err);
void attempt_release(struct run *run);

/* Nothing reads the part file after this. */
void attempt_stop_hashing(struct run *run);

#endif
