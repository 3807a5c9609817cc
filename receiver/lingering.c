/* SPDX-License-Identifier: MIT */
#include "receiver/lingering.h"

#include "common/clock.h"
#include "common/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PLACES = 256, PATIENCE_MS = 3000, READ_BYTES = 64 * 1024 };

struct guest {
    int fd;
    uint64_t until_ns;
};

struct lingering {
    struct crew *crew; /* one thread */
    int wake;          /* eventfd: somebody came, or stop */
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        struct guest arrived[PLACES];
        size_t count; /* arrived and staying, together at most PLACES */
        size_t fresh; /* arrived */
        bool stopping;
    } shared;
};

static bool move_in(struct lingering *lingering, struct guest *guest, size_t *guests)
{
    bool stopping;

    pthread_mutex_lock(&lingering->shared.lock);
    for (size_t i = 0; i < lingering->shared.fresh; i++)
        guest[(*guests)++] = lingering->shared.arrived[i];
    lingering->shared.fresh = 0;
    stopping = lingering->shared.stopping;
    pthread_mutex_unlock(&lingering->shared.lock);
    return !stopping;
}

static void move_out(struct lingering *lingering, struct guest *guest, size_t *guests,
                     size_t i)
{
    close(guest[i].fd);
    guest[i] = guest[--*guests];
    pthread_mutex_lock(&lingering->shared.lock);
    lingering->shared.count--;
    pthread_mutex_unlock(&lingering->shared.lock);
}

/* False once the client is done, or too slow. */
static bool drain(const struct guest *guest, short events, uint64_t now_ns)
{
    char waste[READ_BYTES];
    ssize_t n;

    if (now_ns >= guest->until_ns)
        return false;
    if (events == 0)
        return true;
    n = recv(guest->fd, waste, sizeof(waste), MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void work(void *context, unsigned index)
{
    struct lingering *lingering = context;
    struct guest guest[PLACES];
    struct pollfd polled[PLACES + 1];
    size_t guests = 0;
    uint64_t token;

    (void)index;
    while (move_in(lingering, guest, &guests)) {
        uint64_t now_ns;

        polled[PLACES] = (struct pollfd){.fd = lingering->wake, .events = POLLIN};
        for (size_t i = 0; i < guests; i++)
            polled[PLACES - 1 - i] = (struct pollfd){.fd = guest[i].fd,
                                                     .events = POLLIN};
        (void)poll(polled + PLACES - guests, guests + 1, guests > 0 ? 250 : -1);
        (void)!read(lingering->wake, &token, sizeof(token));
        now_ns = clock_monotonic_ns();
        for (size_t i = guests; i-- > 0;)
            if (!drain(&guest[i], polled[PLACES - 1 - i].revents, now_ns))
                move_out(lingering, guest, &guests, i);
    }
    while (guests > 0)
        move_out(lingering, guest, &guests, guests - 1);
}

static void wake(struct lingering *lingering)
{
    const uint64_t one = 1;

    (void)!write(lingering->wake, &one, sizeof(one));
}

enum status lingering_start(struct lingering **out, struct error *err)
{
    struct lingering *lingering = calloc(1, sizeof(*lingering));
    enum status st;

    if (!lingering)
        return error_sys(err, ENOMEM, "start the linger thread");
    lingering->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lingering->wake < 0) {
        st = error_sys(err, errno, "create an eventfd");
        free(lingering);
        return st;
    }
    pthread_mutex_init(&lingering->shared.lock, NULL);
    st = crew_start(&lingering->crew, "linger", 1, work, lingering, err);
    if (st != ST_OK) {
        lingering_stop(&lingering);
        return st;
    }
    *out = lingering;
    return ST_OK;
}

void lingering_stop(struct lingering **lingering)
{
    if (!*lingering)
        return;
    pthread_mutex_lock(&(*lingering)->shared.lock);
    (*lingering)->shared.stopping = true;
    pthread_mutex_unlock(&(*lingering)->shared.lock);
    wake(*lingering);
    crew_join(&(*lingering)->crew);
    for (size_t i = 0; i < (*lingering)->shared.fresh; i++)
        close((*lingering)->shared.arrived[i].fd);
    close((*lingering)->wake);
    pthread_mutex_destroy(&(*lingering)->shared.lock);
    free(*lingering);
    *lingering = NULL;
}

void lingering_adopt(struct lingering *lingering, int fd)
{
    struct guest guest;
    bool room;

    guest.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (guest.fd < 0)
        return;
    shutdown(guest.fd, SHUT_WR);
    guest.until_ns = clock_monotonic_ns() + UINT64_C(1000000) * PATIENCE_MS;
    pthread_mutex_lock(&lingering->shared.lock);
    room = lingering->shared.count < PLACES && !lingering->shared.stopping;
    if (room) {
        lingering->shared.arrived[lingering->shared.fresh++] = guest;
        lingering->shared.count++;
    }
    pthread_mutex_unlock(&lingering->shared.lock);
    if (room)
        wake(lingering);
    else
        close(guest.fd);
}
