/* SPDX-License-Identifier: MIT */
#include "receiver/listener.h"

#include "common/crew.h"
#include "common/log.h"
#include "common/units.h"
#include "receiver/inherited.h"
#include "receiver/log_limit.h"
#include "receiver/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SOCKETS_MAX = 8, BATCH = 256, STARVED_MS = 100, ADDRESS_SIZE = 256 };

struct listener {
    struct server *server;
    struct crew *crew; /* one thread; NULL until started */
    int stop;          /* eventfd */
    int probes[2];     /* a pipe of descriptors, by their numbers */
    uint16_t port;
    char address[ADDRESS_SIZE];
    nfds_t sockets;
    int socket[SOCKETS_MAX];
    struct log_limit starved;
    bool has_name; /* socket[0] is `name` */
    struct unix_socket name;
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

static enum status bind_name(struct listener *listener, const char *path,
                             struct error *err)
{
    enum status st = unix_socket_open(&listener->name, path, err);

    if (st != ST_OK)
        return st;
    listener->has_name = true;
    listener->port = 0;
    listener->socket[listener->sockets++] = listener->name.fd;
    return ST_OK;
}

static void describe(struct listener *listener, const struct sockaddr_storage *name,
                     socklen_t length)
{
    const struct sockaddr_un *un = (const void *)name;
    char port[NI_MAXSERV];
    uint64_t number;

    if (name->ss_family == AF_UNIX)
        snprintf(listener->address, ADDRESS_SIZE, "unix:%s", un->sun_path);
    else if (getnameinfo((const struct sockaddr *)name, length, listener->address,
                         ADDRESS_SIZE, port, sizeof(port),
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
             units_parse_count(port, &number))
        listener->port = (uint16_t)number;
}

/* No name is noted: those of passed sockets are not ours to remove. */
static enum status inherit(struct listener *listener, struct error *err)
{
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof(name) - 1; /* a path may lack its NUL */
    unsigned count;
    enum status st = inherited_sockets(listener->socket, SOCKETS_MAX, &count, err);

    if (st != ST_OK || count == 0)
        return st;
    listener->sockets = count;
    listener->port = 0;
    if (getsockname(listener->socket[0], (struct sockaddr *)&name, &length) != 0)
        return error_sys(err, errno, "ask for the address of a passed socket");
    describe(listener, &name, length);
    return ST_OK;
}

static enum status bind_all(struct listener *listener, const char *address,
                            struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    enum status st = ST_OK;
    const char *path = unix_socket_path(address);
    int code;

    if (path)
        return bind_name(listener, path, err);
    code = getaddrinfo(address, "0", &hints, &list);
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
    listener->starved = (struct log_limit){.event = "starved", .per_s = 1};
    listener->probes[0] = listener->probes[1] = -1;
    snprintf(listener->address, ADDRESS_SIZE, "%s", address);
    listener->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->stop < 0 || pipe2(listener->probes, O_CLOEXEC | O_NONBLOCK) != 0)
        st = error_sys(err, errno, "prepare to listen");
    else
        st = inherit(listener, err);
    if (st == ST_OK && listener->sockets == 0)
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

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

static bool is_local(int fd)
{
    struct sockaddr_storage address = {0};
    const struct sockaddr_in *in = (const void *)&address;
    const struct sockaddr_in6 *in6 = (const void *)&address;
    socklen_t length = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return false;
    if (address.ss_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (address.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    return address.ss_family == AF_UNIX;
}

bool listener_local(const struct listener *listener)
{
    for (nfds_t i = 0; i < listener->sockets; i++)
        if (!is_local(listener->socket[i]))
            return false;
    return true;
}

/* False when there are no descriptors or memory for another connection: then nothing is
 * accepted for a moment, instead of being woken without end. However many come, probes
 * and the other sockets have their turn. */
static bool accept_some(struct listener *listener, int fd)
{
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);
        int accepted = accept4(fd, (struct sockaddr *)&peer, &length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0) {
            server_adopt(listener->server, accepted, (struct sockaddr *)&peer, length);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            int sys = errno;

            if (log_limit_allows(&listener->starved))
                log_event(LOG_WARN, "starved", NULL, "cannot accept connections: %s",
                          strerror(sys));
            return false;
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return true;
    }
    return true;
}

void listener_probe(struct listener *listener, int fd)
{
    if (write(listener->probes[1], &fd, sizeof(fd)) != (ssize_t)sizeof(fd))
        close(fd);
}

static void pass_probes(struct listener *listener)
{
    int fd;

    while (read(listener->probes[0], &fd, sizeof(fd)) == (ssize_t)sizeof(fd))
        server_probe(listener->server, fd);
}

static void work(void *context, unsigned index)
{
    struct listener *listener = context;
    struct pollfd polled[SOCKETS_MAX + 2] = {
        {.fd = listener->stop, .events = POLLIN},
        {.fd = listener->probes[0], .events = POLLIN},
    };
    bool starved = false;

    (void)index;
    for (nfds_t i = 0; i < listener->sockets; i++)
        polled[i + 2] = (struct pollfd){.fd = listener->socket[i], .events = POLLIN};
    for (;;) {
        int ready = poll(polled, starved ? 2 : listener->sockets + 2,
                         starved ? STARVED_MS : -1);

        if (polled[0].revents)
            return;
        if (ready > 0 && polled[1].revents)
            pass_probes(listener);
        starved = false;
        for (nfds_t i = 2; ready > 0 && i < listener->sockets + 2; i++)
            if (polled[i].revents && !accept_some(listener, polled[i].fd))
                starved = true;
    }
}

enum status listener_start(struct listener *listener, struct server *server,
                           struct error *err)
{
    listener->server = server;
    return crew_start(&listener->crew, "listener", 1, work, listener, err);
}

static void close_probes(struct listener *listener)
{
    int fd;

    if (listener->probes[0] < 0)
        return;
    while (read(listener->probes[0], &fd, sizeof(fd)) == (ssize_t)sizeof(fd))
        close(fd);
    close(listener->probes[0]);
    close(listener->probes[1]);
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
    if (listener->has_name)
        unix_socket_remove(&listener->name);
    if (listener->stop >= 0)
        close(listener->stop);
    close_probes(listener);
    free(listener);
    *out = NULL;
}
