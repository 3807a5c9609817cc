/* SPDX-License-Identifier: MIT */
/*
 * jobs -- work that may wait for the disk, done beside the event loops.
 *
 * Shape:   an unbounded list of jobs served by a crew. It needs no bound of its own:
 *          each job belongs to one suspended request, and connections are bounded.
 * Owner:   a job's memory is the submitter's, from submit until run returns.
 * Threads: submit from any thread; start and stop from one.
 */
#ifndef RECEIVER_JOBS_H
#define RECEIVER_JOBS_H

#include "common/status.h"

struct jobs;

struct job {
    void (*run)(struct job *job); /* on a crew thread; may free or resubmit the job */
    struct job *next;             /* the list's */
};

enum status jobs_start(struct jobs **out, const char *name, unsigned threads,
                       struct error *err) MUST_CHECK;
void jobs_stop(struct jobs **jobs); /* runs what was submitted, then joins */
void jobs_submit(struct jobs *jobs, struct job *job);

#endif
