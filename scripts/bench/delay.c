/* SPDX-License-Identifier: MIT */
/*
 * delay -- a TCP proxy on loopback whose answers arrive some milliseconds later, as
 * from a store far away. Prints its port, then serves until it is killed.
 *
 * What arrives together is delayed together; two threads per connection, so it delays
 * any number of connections without making one wait for another.
 */
#include "common/clock.h"
#include "common/units.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 * 1024, STACK_BYTES = 512 * 1024, BACKLOG = 512 };

static uint64_t delay_ns;
static struct sockaddr_in target;

struct pump {
    int from, to;
    uint64_t delay_ns;
};

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static bool send_all(int fd, const uint8_t *bytes, ssize_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, (size_t)n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        n -= sent;
    }
    return true;
}

static void *pump(void *argument)
{
    struct pump *p = argument;
    uint8_t *bytes = malloc(CHUNK_BYTES);
    ssize_t n;

    while (bytes && (n = recv(p->from, bytes, CHUNK_BYTES, 0)) > 0) {
        uint64_t due_ns = clock_monotonic_ns() + p->delay_ns;
        const struct timespec due = {(time_t)(due_ns / 1000000000),
                                     (long)(due_ns % 1000000000)};

        if (p->delay_ns > 0)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        if (!send_all(p->to, bytes, n))
            break;
    }
    shutdown(p->from, SHUT_RD);
    shutdown(p->to, SHUT_WR);
    free(bytes);
    free(p);
    return NULL;
}

static void start_pump(pthread_t *thread, int from, int to, uint64_t pump_delay_ns)
{
    struct pump *p = malloc(sizeof *p);
    pthread_attr_t attributes;

    if (!p)
        fail("malloc");
    *p = (struct pump){from, to, pump_delay_ns};
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (pthread_create(thread, &attributes, pump, p) != 0)
        fail("pthread_create");
    pthread_attr_destroy(&attributes);
}

static void *serve(void *argument)
{
    int client = (int)(intptr_t)argument;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    pthread_t up, down;

    if (server < 0 || connect(server, (struct sockaddr *)&target, sizeof target) != 0)
        fail("connect");
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    start_pump(&up, client, server, 0);
    start_pump(&down, server, client, delay_ns);
    pthread_join(up, NULL);
    pthread_join(down, NULL);
    close(client);
    close(server);
    return NULL;
}

static int listen_anywhere(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 ||
        listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &size) != 0)
        fail("listen");
    printf("%d\n", ntohs(own.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    uint64_t port, delay_ms;
    int listener;

    if (argc != 3 || !units_parse_count(argv[1], &port) || port > UINT16_MAX ||
        !units_parse_count(argv[2], &delay_ms)) {
        fputs("usage: delay PORT MILLISECONDS\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    target = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    delay_ns = delay_ms * 1000000;
    listener = listen_anywhere();
    for (;;) {
        int client = accept(listener, NULL, NULL);
        pthread_t thread;

        if (client < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) != 0)
            fail("pthread_create");
        pthread_detach(thread);
    }
}
