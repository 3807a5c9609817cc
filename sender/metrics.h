/* SPDX-License-Identifier: MIT */
/*
 * metrics -- tells Prometheus how a run goes.
 *
 * GET /metrics and /healthz on an address of its own, from a thread of its own.
 * Errors:  ST_INVALID: not HOST:PORT, or no such host. ST_SYSTEM, naming the address.
 * Threads: start and stop from main.
 */
#ifndef SENDER_METRICS_H
#define SENDER_METRICS_H

#include "common/status.h"
#include "sender/report.h"

struct metrics;

/* address: "127.0.0.1:9100", "[::1]:0"; port 0: a free one. All three must outlive the
 * metrics; the spool need not be there yet. */
enum status metrics_start(struct metrics **out, const char *address,
                          const struct report *report, const char *spool_dir,
                          struct error *err) MUST_CHECK;
void metrics_stop(struct metrics **metrics); /* NULL inside is fine */

unsigned metrics_port(const struct metrics *metrics);

#endif
