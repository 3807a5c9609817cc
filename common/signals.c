/* SPDX-License-Identifier: MIT */
#include "common/signals.h"

#include "common/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum status signals_open(int *fd, struct error *err)
{
    sigset_t wanted;
    int opened, rc;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    rc = pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    if (rc != 0)
        return error_sys(err, rc, "block signals");
    opened = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (opened < 0)
        return error_sys(err, errno, "open a descriptor for signals");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* write says EFBIG instead */
    *fd = opened;
    return ST_OK;
}

int signals_take(int fd)
{
    struct signalfd_siginfo pending;
    ssize_t n;

    do
        n = read(fd, &pending, sizeof pending);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof pending ? (int)pending.ssi_signo : 0;
}

/* The handler's: set before it is installed. */
static uint64_t echo_until_ns;

static void end_or_ignore(int number)
{
    if (clock_monotonic_ns() < echo_until_ns)
        return;
    signal(number, SIG_DFL);
    raise(number);
}

void signals_surrender(unsigned echo_ms)
{
    struct sigaction action = {.sa_handler = end_or_ignore, .sa_flags = SA_RESTART};
    sigset_t last;

    echo_until_ns = clock_monotonic_ns() + UINT64_C(1000000) * echo_ms;
    /* Also where they are ignored: a shell starts background jobs without SIGINT. */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&last);
    sigaddset(&last, SIGINT);
    sigaddset(&last, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &last, NULL);
}
