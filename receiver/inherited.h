/* SPDX-License-Identifier: MIT */
/*
 * inherited -- listening sockets that the service manager opened for us.
 *
 * Errors:  ST_INVALID: what was passed is not a listening stream socket.
 * Owner:   the caller closes its descriptors. The sockets themselves stay the
 *          manager's: never shut one down, never remove the name it is bound to.
 * Threads: main, before threads start: it takes its variables out of the environment.
 * Source:  sd_listen_fds(3).
 */
#ifndef RECEIVER_INHERITED_H
#define RECEIVER_INHERITED_H

#include "common/status.h"

/* Up to max descriptors, not blocking; *count 0: none were passed. */
enum status inherited_sockets(int *sockets, unsigned max, unsigned *count,
                              struct error *err) MUST_CHECK;

#endif
