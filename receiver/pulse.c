/* SPDX-License-Identifier: MIT */
#include "receiver/pulse.h"

#include "common/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRIES = 64 };

/* libmicrohttpd chooses the loop by the remainder of the descriptor. Should it ever
 * choose otherwise, some loop is asked twice and another not. Takes fd. */
static int with_remainder(int fd, unsigned remainder, unsigned loops)
{
    unsigned wanted = (unsigned)fd + (remainder + loops - (unsigned)fd % loops) % loops;

    for (unsigned i = 0; i < TRIES && (unsigned)fd % loops != remainder; i++) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, (int)(wanted + i * loops));

        if (copy < 0)
            break;
        close(fd);
        fd = copy;
    }
    return fd;
}

/* Returns the end that will be closed by the other side; -1: no descriptors. */
static int send_probe(struct listener *listener, unsigned loop, unsigned loops)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    shutdown(ends[0], SHUT_WR);
    listener_probe(listener, with_remainder(ends[1], loop, loops));
    return ends[0];
}

static bool closed_in_time(int fd, uint64_t deadline_ns)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / 1000000 : 0;
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, (int)left_ms) == 1;
}

bool pulse_feel(struct listener *listener, unsigned loops, uint64_t deadline_ms)
{
    uint64_t deadline_ns = clock_monotonic_ns() + deadline_ms * 1000000;
    bool beats = true;

    for (unsigned i = 0; i < loops && beats; i++) {
        int fd = send_probe(listener, i, loops);

        if (fd < 0)
            break;
        beats = closed_in_time(fd, deadline_ns);
        close(fd);
    }
    return beats;
}
