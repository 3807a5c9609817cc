/* SPDX-License-Identifier: MIT */
#include "receiver/inherited.h"

#include "common/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 3 };

static bool is_number(int fd, int option, int expected)
{
    int value = 0;
    socklen_t length = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 &&
           value == expected;
}

static enum status prepare(int fd, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (!is_number(fd, SO_TYPE, SOCK_STREAM) || !is_number(fd, SO_ACCEPTCONN, 1))
        return error_set(err, ST_INVALID,
                         "descriptor %d, passed by LISTEN_FDS, is not a listening "
                         "stream socket",
                         fd);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return error_sys(err, errno, "prepare descriptor %d", fd);
    return ST_OK;
}

static enum status take(int *sockets, unsigned max, unsigned *count, struct error *err)
{
    const char *pid_text = getenv("LISTEN_PID"), *n_text = getenv("LISTEN_FDS");
    uint64_t pid, n;

    if (!pid_text || !n_text || !units_parse_count(pid_text, &pid) ||
        pid != (uint64_t)getpid())
        return ST_OK;
    if (!units_parse_count(n_text, &n) || n > max)
        return error_set(err, ST_INVALID,
                         "LISTEN_FDS: '%.20s' is not a number of sockets up to %u",
                         n_text, max);
    for (unsigned i = 0; i < n; i++) {
        enum status st = prepare(FIRST + (int)i, err);

        if (st != ST_OK)
            return st;
        sockets[i] = FIRST + (int)i;
    }
    *count = (unsigned)n;
    return ST_OK;
}

enum status inherited_sockets(int *sockets, unsigned max, unsigned *count,
                              struct error *err)
{
    enum status st;

    *count = 0;
    st = take(sockets, max, count, err);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return st;
}
