/* SPDX-License-Identifier: MIT */
/*
 * pulse -- whether connections are still accepted and served.
 *
 * A probe is a connection that says nothing and ends. It takes the way of any other:
 * the accepting thread hands it to an event loop, and that closes it. A loop that hangs
 * in a request, or a thread that no longer accepts, leaves it open.
 * Threads: main, while the listener runs.
 */
#ifndef RECEIVER_PULSE_H
#define RECEIVER_PULSE_H

#include "receiver/listener.h"

#include <stdbool.h>
#include <stdint.h>

/* One probe for each of the event loops; true when all were closed within the deadline.
 * Also true when there are no descriptors left to ask with: that is another illness,
 * for which a restart is no cure. */
bool pulse_feel(struct listener *listener, unsigned loops, uint64_t deadline_ms);

#endif
