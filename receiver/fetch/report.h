/* SPDX-License-Identifier: MIT */
/* report -- what became of a fetch: a line on standard output for people or machines,
 * and the exit status. Threads: one. */
#ifndef RECEIVER_FETCH_REPORT_H
#define RECEIVER_FETCH_REPORT_H

#include "receiver/fetch/job.h"

enum {
    EXIT_NETWORK = 18, /* these three are curl's */
    EXIT_SERVER_REFUSED = 22,
    EXIT_CANNOT_WRITE = 23,
    EXIT_BAD_BYTES = 65, /* EX_DATAERR of sysexits.h */
};

void report_success(const struct job *job, const struct job_result *result);
void report_failure(const struct job *job, const struct job_result *result,
                    const struct error *err);

int report_exit_status(const struct job_result *result, const struct error *err);

#endif
