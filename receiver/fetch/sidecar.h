/* SPDX-License-Identifier: MIT */
/*
 * sidecar -- fetches <url>.sha256, the digest that stands beside a file, while the file
 * itself arrives.
 *
 * Errors:  what stop returns says why there is none; nothing is logged.
 * Owner:   start/stop; what start is given must outlive it.
 * Threads: one.
 */
#ifndef RECEIVER_FETCH_SIDECAR_H
#define RECEIVER_FETCH_SIDECAR_H

#include "receiver/fetch/config.h"

struct sidecar;

/* name: of the file as the sidecar may list it. */
enum status sidecar_start(struct sidecar **out, const struct fetch_config *config,
                          const char *url, const char *name,
                          struct error *err) MUST_CHECK;

/* Waits up to ms; true when there is an outcome. */
bool sidecar_wait(struct sidecar *sidecar, uint64_t ms);

/* Without an outcome yet it is cancelled, within a second. */
enum status sidecar_stop(struct sidecar **sidecar, struct offer *out,
                         struct error *err) MUST_CHECK;

#endif
