/* SPDX-License-Identifier: MIT */
/*
 * signals -- signals as something main can wait for.
 *
 * Call signals_open before the first thread starts: SIGINT, SIGTERM and SIGHUP are
 * blocked in every thread from then on and SIGPIPE is ignored.
 * Threads: main only.
 * Source:  signalfd(2).
 */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include "common/status.h"

#include <stdbool.h>

/* *fd becomes readable when a signal is pending; the caller closes it. */
enum status signals_open(int *fd, struct error *err) MUST_CHECK;

/* The next pending signal, or 0 when there is none. Does not wait. */
int signals_take(int fd);

/* From here on the next SIGINT or SIGTERM ends the process at once. */
void signals_surrender(void);

#endif
