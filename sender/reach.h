/* SPDX-License-Identifier: MIT */
/*
 * reach -- waits until the receiver says that it lives, before blobs are made for it.
 *
 * A mistyped port is then one clear line, not a dead letter for every blob; a receiver
 * that is about to start is waited for.
 * Errors:  ST_CLOSED when `stop` was set; otherwise what the last attempt ended with.
 * Threads: any.
 */
#ifndef SENDER_REACH_H
#define SENDER_REACH_H

#include "common/exchange.h"
#include "common/latch.h"
#include "common/retry.h"
#include "common/status.h"

#include <stdint.h>

struct reach_config {
    struct exchange_config connection; /* its timeout and cancel are set here */
    const char *url;                   /* of its /healthz */
    uint64_t timeout_ms;
    struct retry_policy retry;
    struct latch *stop;
};

enum status reach_wait(const struct reach_config *config, struct error *err) MUST_CHECK;

#endif
