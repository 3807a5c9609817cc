/* SPDX-License-Identifier: MIT */
/*
 * server -- HTTP, spoken by libmicrohttpd, for the service.
 *
 * Connections are accepted elsewhere (listener.h) and adopted here; they are spread
 * evenly over a pool of event loops. A request is answered on its loop; while the
 * service works for it, it is suspended and its loop serves others.
 *
 * Errors:  start fails with ST_SYSTEM.
 * Threads: start, drain and stop from main; adopt from any thread.
 * Source:  libmicrohttpd 0.9.75; its traps are named where they are avoided.
 */
#ifndef RECEIVER_SERVER_H
#define RECEIVER_SERVER_H

#include "receiver/census.h"
#include "receiver/service.h"
#include "receiver/tls.h"

#include <sys/socket.h>

struct server;

struct server_config {
    struct metrics *metrics;     /* must outlive the server */
    struct tls *tls;             /* NULL: plain HTTP; must outlive the server */
    unsigned threads;            /* event loops */
    struct census_config census; /* beyond it a connection is answered with 503 */
    unsigned idle_timeout_s;     /* without a byte in either direction */
    uint64_t min_rate;           /* pace.h's; 0: nobody is too slow */
    uint64_t rate_window_ms;
    size_t max_header_bytes; /* of a request's head */
};

enum status server_start(struct server **out, struct service *service,
                         const struct server_config *config,
                         struct error *err) MUST_CHECK;

/* Takes a connected socket. */
void server_adopt(struct server *server, int fd, const struct sockaddr *peer,
                  socklen_t length);

/* Takes a socket of pulse.h's: a loop opens it like a connection, and closes it once
 * its other end has been closed. It counts nowhere. */
void server_probe(struct server *server, int fd);

/* Waits until no request is under way, for deadline_ms at most. The service should be
 * draining and nobody adopt any more. Returns how many are left. */
unsigned server_drain(struct server *server, uint64_t deadline_ms);

/* Cuts what is left, waits for work under way, joins and frees. */
void server_stop(struct server **server);

#endif
