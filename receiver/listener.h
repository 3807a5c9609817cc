/* SPDX-License-Identifier: MIT */
/*
 * listener -- accepts connections and hands them to the server.
 *
 * Our own loop instead of libmicrohttpd's, which wakes every thread for every
 * connection, spreads them unevenly, and shuts a listening socket down that may not be
 * its own.
 *
 * Errors:  start: ST_SYSTEM or ST_INVALID, naming address and port. Later, running out
 * of descriptors only slows accepting down. Threads: start and stop from main.
 */
#ifndef RECEIVER_LISTENER_H
#define RECEIVER_LISTENER_H

#include "receiver/server.h"

#include <stdbool.h>
#include <stdint.h>

struct listener;

/* Binds and listens, but accepts nothing yet. address: a name or number; every address
 * it stands for is bound. port 0: a free one. Or "unix:PATH" (unix_socket.h). Sockets
 * that the service manager passed (inherited.h) are taken instead of any of this. */
enum status listener_open(struct listener **out, const char *address, uint16_t port,
                          struct error *err) MUST_CHECK;

uint16_t listener_port(const struct listener *listener); /* the one bound, or 0 */

/* As it was given, or that of the first socket that was passed. */
const char *listener_address(const struct listener *listener);

/* Whether only this machine can connect. */
bool listener_local(const struct listener *listener);

enum status listener_start(struct listener *listener, struct server *server,
                           struct error *err) MUST_CHECK;

/* For pulse.h: hands a probe to the server, on the accepting thread. Takes fd. */
void listener_probe(struct listener *listener, int fd);

/* Stops accepting, closes the sockets, joins, frees. */
void listener_close(struct listener **listener);

#endif
