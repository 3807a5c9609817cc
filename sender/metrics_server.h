/* SPDX-License-Identifier: MIT */
/* metrics_server -- HTTP, spoken by libmicrohttpd; for metrics.c alone. */
#ifndef SENDER_METRICS_SERVER_H
#define SENDER_METRICS_SERVER_H

#include "common/status.h"

#include <stddef.h>

struct metrics_server;

/* Heap text for one scrape; NULL: memory ran out. Called on the server's thread. */
typedef char *metrics_server_write(void *context, size_t *length);

enum status metrics_server_start(struct metrics_server **out, const char *address,
                                 metrics_server_write *write, void *context,
                                 struct error *err) MUST_CHECK;
void metrics_server_stop(struct metrics_server **server);

unsigned metrics_server_port(const struct metrics_server *server);

#endif
