/* SPDX-License-Identifier: MIT */
/*
 * notify -- tells the service manager how we are.
 *
 * Datagrams to the socket that $NOTIFY_SOCKET names; without one nothing is sent.
 * Errors:  none: a manager that does not listen is no reason to do anything else.
 * Threads: open from main before threads start, since it takes its variables out of the
 *          environment; the rest from one thread at a time.
 * Source:  sd_notify(3), sd_watchdog_enabled(3).
 */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include "common/status.h"

#include <stdint.h>

struct notify {
    int fd; /* -1: there is nobody to tell */
    /* How often to call notify_alive: half of what the manager's patience is; 0: it
     * does not ask. */
    uint64_t watchdog_ms;
};

void notify_open(struct notify *out);
void notify_close(struct notify *notify);

/* Started, or reloaded; status: a sentence for people. */
void notify_ready(const struct notify *notify, const char *status, ...)
    PRINTF_LIKE(2, 3);

void notify_reloading(const struct notify *notify); /* notify_ready ends it */
void notify_stopping(const struct notify *notify, const char *status, ...)
    PRINTF_LIKE(2, 3);

/* Call it only after having made sure that the work itself goes on: what is said here
 * keeps a hanging program from being restarted. */
void notify_alive(const struct notify *notify);

#endif
