/* SPDX-License-Identifier: MIT */
/*
 * census -- how many connections there are, and how many of them one peer has.
 *
 * A peer is an IPv4 address, or the /64 of an IPv6 address, since that is what one
 * machine can call its own. A local socket counts in the total only.
 * Threads: any.
 */
#ifndef RECEIVER_CENSUS_H
#define RECEIVER_CENSUS_H

#include "common/status.h"

#include <sys/socket.h>

struct census;

struct census_config {
    unsigned max;          /* connections */
    unsigned max_per_peer; /* 0: no limit of its own */
};

enum census_verdict { CENSUS_WELCOME, CENSUS_FULL, CENSUS_PEER_FULL };

enum status census_create(struct census **out, const struct census_config *config,
                          struct error *err) MUST_CHECK;
void census_destroy(struct census **census); /* NULL inside is fine */

/* Counts a connection when it is welcome. peer NULL: local. */
enum census_verdict census_enter(struct census *census,
                                 const struct sockaddr *peer) MUST_CHECK;

/* Once for each that was welcome, with the same peer. */
void census_leave(struct census *census, const struct sockaddr *peer);

unsigned census_count(const struct census *census);

#endif
