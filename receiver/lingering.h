/* SPDX-License-Identifier: MIT */
/*
 * lingering -- lets a refused client read why.
 *
 * When a connection is closed while the client still sends, the kernel answers the
 * unread bytes with a reset, which can destroy the reply on its way. So the last
 * descriptor of such a connection goes here: what still comes is read and thrown away
 * until the client closes, for a few seconds at most.
 * Errors:  none: when all places are taken, or memory is out, it is simply closed.
 * Threads: lingering_adopt from any thread; start and stop from one.
 * Source:  RFC 9112, section 9.6.
 */
#ifndef RECEIVER_LINGERING_H
#define RECEIVER_LINGERING_H

#include "common/status.h"

struct lingering;

enum status lingering_start(struct lingering **out, struct error *err) MUST_CHECK;
void lingering_stop(struct lingering **lingering);

/* Duplicates fd, whose owner is about to close it, and shuts its sending side down. */
void lingering_adopt(struct lingering *lingering, int fd);

#endif
