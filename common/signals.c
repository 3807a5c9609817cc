/* SPDX-License-Identifier: MIT */
#include "common/signals.h"

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

void signals_surrender(void)
{
    sigset_t last;

    /* A shell starts background jobs with SIGINT ignored. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigemptyset(&last);
    sigaddset(&last, SIGINT);
    sigaddset(&last, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &last, NULL);
}
