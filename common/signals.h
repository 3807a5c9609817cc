/* SPDX-License-Identifier: MIT */
/*
 * signals -- signals as something main can wait for.
 *
 * Call signals_open before the first thread starts: SIGINT, SIGTERM and SIGHUP are
 * blocked in every thread from then on, and SIGPIPE and SIGXFSZ are ignored: the calls
 * that would raise them fail instead.
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

enum { SIGNALS_ECHO_MS = 500 };

/* From here on a SIGINT or SIGTERM ends the process at once. Within echo_ms it is still
 * ignored: timeout(1) and some supervisors signal a process and then its group, and
 * mean it once. */
void signals_surrender(unsigned echo_ms);

#endif
