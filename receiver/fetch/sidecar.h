/* SPDX-License-Identifier: MIT */
/*
 * sidecar -- fetches <url>.sha256, the digest that stands beside a file.
 *
 * Threads: any; blocks for as long as the request takes.
 */
#ifndef RECEIVER_FETCH_SIDECAR_H
#define RECEIVER_FETCH_SIDECAR_H

#include "receiver/fetch/config.h"

/* name: of the file as the sidecar may list it. A failure says why there is none. */
enum status sidecar_fetch(struct offer *out, const struct fetch_config *config,
                          const char *url, const char *name,
                          struct error *err) MUST_CHECK;

#endif
