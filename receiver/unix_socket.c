/* SPDX-License-Identifier: MIT */
#include "receiver/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MODE = 0660 };

const char *unix_socket_path(const char *address)
{
    static const char prefix[] = "unix:";
    const size_t n = sizeof(prefix) - 1;

    return strncmp(address, prefix, n) == 0 ? address + n : NULL;
}

static int open_socket(struct error *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        (void)error_sys(err, errno, "open a unix socket");
    return fd;
}

/* A socket that nobody listens on any more. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat about;
    struct error err;
    bool refused;
    int fd;

    if (lstat(address->sun_path, &about) != 0 || !S_ISSOCK(about.st_mode))
        return false;
    fd = open_socket(&err);
    if (fd < 0)
        return false;
    refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
              errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_name(int fd, const struct sockaddr_un *address)
{
    const struct sockaddr *name = (const struct sockaddr *)address;

    if (bind(fd, name, sizeof(*address)) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -1;
    if (!is_stale(address)) {
        errno = EADDRINUSE;
        return -1;
    }
    if (unlink(address->sun_path) != 0)
        return -1;
    return bind(fd, name, sizeof(*address));
}

enum status unix_socket_open(struct unix_socket *out, const char *path,
                             struct error *err)
{
    struct unix_socket made = {.address.sun_family = AF_UNIX};
    const char *name = made.address.sun_path;
    bool bound;

    if (*path == '\0' || strlen(path) >= sizeof(made.address.sun_path))
        return error_set(err, ST_INVALID,
                         "a socket's path has 1 to %zu characters, not '%s'",
                         sizeof(made.address.sun_path) - 1, path);
    strcpy(made.address.sun_path, path);
    made.fd = open_socket(err);
    if (made.fd < 0)
        return ST_SYSTEM;
    bound = bind_name(made.fd, &made.address) == 0;
    /* Nobody can connect before listen(), so no moment is more open than the mode. */
    if (!bound || chmod(name, MODE) != 0 || lstat(name, &made.about) != 0 ||
        listen(made.fd, SOMAXCONN) != 0) {
        (void)error_sys(err, errno, "listen on unix socket '%s'", name);
        if (bound)
            unlink(name);
        close(made.fd);
        return ST_SYSTEM;
    }
    *out = made;
    return ST_OK;
}

void unix_socket_remove(const struct unix_socket *socket)
{
    const char *path = socket->address.sun_path;
    struct stat about;

    if (lstat(path, &about) == 0 && about.st_dev == socket->about.st_dev &&
        about.st_ino == socket->about.st_ino)
        unlink(path);
}
