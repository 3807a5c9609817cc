/* SPDX-License-Identifier: MIT */
/*
 * response -- the body of a reply, as libmicrohttpd wants it; status and headers are
 * added by whoever queues it.
 *
 * Errors:  NULL: out of memory.
 * Owner:   the response is the caller's (MHD_destroy_response) and takes the reply's
 *          file or text with it; without one they stay the reply's.
 * Threads: any; a reply is one thread's at a time.
 */
#ifndef RECEIVER_RESPONSE_H
#define RECEIVER_RESPONSE_H

#include "receiver/reply.h"

#include <microhttpd.h>
#include <stdbool.h>

/* encrypted: it will go out over TLS. */
struct MHD_Response *response_create(struct reply *reply, bool encrypted);

#endif
