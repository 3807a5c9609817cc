/* SPDX-License-Identifier: MIT */
/*
 * unix_socket -- a listening socket that is a name in a directory.
 *
 * Whoever may write to the name may connect: its owner and its group (mode 0660). A
 * name that a crash left behind, where nobody answers, is replaced; one where somebody
 * does, or which is not a socket, never is.
 * Errors:  ST_SYSTEM or ST_INVALID, naming the path.
 * Owner:   the caller closes fd; the name is ours until unix_socket_remove.
 * Threads: one.
 */
#ifndef RECEIVER_UNIX_SOCKET_H
#define RECEIVER_UNIX_SOCKET_H

#include "common/status.h"

#include <sys/stat.h>
#include <sys/un.h>

struct unix_socket {
    struct sockaddr_un address;
    struct stat about; /* of the name, as we made it */
    int fd;
};

/* The path of "unix:PATH"; NULL: another kind of address. */
const char *unix_socket_path(const char *address);

/* Binds and listens; fd is not blocking. */
enum status unix_socket_open(struct unix_socket *out, const char *path,
                             struct error *err) MUST_CHECK;

/* Removes the name, if it still is the one that was made. */
void unix_socket_remove(const struct unix_socket *socket);

#endif
