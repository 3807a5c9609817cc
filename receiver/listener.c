/* SPDX-License-Identifier: MIT */
#include "receiver/listener.h"

#include "common/crew.h"
#include "common/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SOCKETS_MAX = 8, STARVED_MS = 100 };

struct listener {
    struct server *server;
    struct crew *crew; /* one thread; NULL until started */
    int stop;          /* eventfd */
    uint16_t port;
    nfds_t sockets;
    int socket[SOCKETS_MAX];
};

static enum status bind_one(struct listener *listener, const struct addrinfo *info,
                            struct error *err)
{
    const int on = 1;
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST] = "?";
    int fd;

    memcpy(&address, info->ai_addr, info->ai_addrlen);
    if (address.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address)->sin6_port = htons(listener->port);
    else
        ((struct sockaddr_in *)&address)->sin_port = htons(listener->port);
    (void)getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof(host), NULL, 0,
                      NI_NUMERICHOST);
    fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_sys(err, errno, "open a socket for %s", host);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, info->ai_addrlen) != 0 ||
        listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        (void)error_sys(err, errno, "listen on %s port %u", host, listener->port);
        close(fd);
        return ST_SYSTEM;
    }
    listener->port = ntohs(address.ss_family == AF_INET6
                               ? ((struct sockaddr_in6 *)&address)->sin6_port
                               : ((struct sockaddr_in *)&address)->sin_port);
    listener->socket[listener->sockets++] = fd;
    return ST_OK;
}

static enum status bind_all(struct listener *listener, const char *address,
                            struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    enum status st = ST_OK;
    int code = getaddrinfo(address, "0", &hints, &list);

    if (code != 0)
        return error_set(err, ST_INVALID, "address '%s': %s", address,
                         gai_strerror(code));
    for (const struct addrinfo *info = list;
         info && st == ST_OK && listener->sockets < SOCKETS_MAX; info = info->ai_next)
        st = bind_one(listener, info, err);
    freeaddrinfo(list);
    return st;
}

enum status listener_open(struct listener **out, const char *address, uint16_t port,
                          struct error *err)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    enum status st;

    if (!listener)
        return error_sys(err, ENOMEM, "listen on %s", address);
    listener->port = port;
    listener->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->stop < 0)
        st = error_sys(err, errno, "create an eventfd");
    else
        st = bind_all(listener, address, err);
    if (st != ST_OK) {
        listener_close(&listener);
        return st;
    }
    *out = listener;
    return ST_OK;
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

/* False when there are no descriptors or memory for another connection: then nothing is
 * accepted for a moment, instead of being woken without end. */
static bool accept_all(struct listener *listener, int fd)
{
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);
        int accepted = accept4(fd, (struct sockaddr *)&peer, &length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0) {
            server_adopt(listener->server, accepted, (struct sockaddr *)&peer, length);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_event(LOG_WARN, "starved", NULL, "cannot accept connections: %s",
                      strerror(errno));
            return false;
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return true;
    }
}

static void work(void *context, unsigned index)
{
    struct listener *listener = context;
    struct pollfd polled[SOCKETS_MAX + 1] = {{.fd = listener->stop, .events = POLLIN}};
    bool starved = false;

    (void)index;
    for (nfds_t i = 0; i < listener->sockets; i++)
        polled[i + 1] = (struct pollfd){.fd = listener->socket[i], .events = POLLIN};
    for (;;) {
        int ready = poll(polled, starved ? 1 : listener->sockets + 1,
                         starved ? STARVED_MS : -1);

        if (polled[0].revents)
            return;
        starved = false;
        for (nfds_t i = 1; ready > 0 && i <= listener->sockets; i++)
            if (polled[i].revents && !accept_all(listener, polled[i].fd))
                starved = true;
    }
}

enum status listener_start(struct listener *listener, struct server *server,
                           struct error *err)
{
    listener->server = server;
    return crew_start(&listener->crew, "listener", 1, work, listener, err);
}

void listener_close(struct listener **out)
{
    struct listener *listener = *out;
    const uint64_t one = 1;

    if (!listener)
        return;
    if (listener->crew) {
        (void)!write(listener->stop, &one, sizeof(one));
        crew_join(&listener->crew);
    }
    for (nfds_t i = 0; i < listener->sockets; i++)
        close(listener->socket[i]);
    if (listener->stop >= 0)
        close(listener->stop);
    free(listener);
    *out = NULL;
}
