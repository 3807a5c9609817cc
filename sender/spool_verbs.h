/* SPDX-License-Identifier: MIT */
/*
 * spool_verbs -- the verb: blob-sender spool list|requeue|verify DIR.
 *
 * list and verify need no lock: a sender may go on delivering meanwhile. requeue takes
 * it, since a running sender would not notice what comes back.
 */
#ifndef SENDER_SPOOL_VERBS_H
#define SENDER_SPOOL_VERBS_H

#include "common/options.h"
#include "common/status.h"

#include <stdbool.h>

/* argv[0] is "spool". Returns the exit status. */
int spool_main(int argc, char **argv);

/* As options_parse, for sets whose first operand is the spool, with at most
 * operands_max. When this returns false, *code is the exit status. */
bool spool_verbs_parse(const struct option_set *set, int argc, char **argv,
                       void *config, int operands_max, int *operand, int *code);

/* argv[0] is "verify". Returns the exit status. */
int spool_verify_main(int argc, char **argv);

#endif
