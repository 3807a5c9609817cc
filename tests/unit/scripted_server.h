/* SPDX-License-Identifier: MIT */
/*
 * scripted_server -- an HTTP server that does as a test tells it, one request per step.
 *
 * Request bodies are expected to follow server_pattern.
 * Threads: one of its own; records may be read once server_stop has returned.
 */
#ifndef TESTS_UNIT_SCRIPTED_SERVER_H
#define TESTS_UNIT_SCRIPTED_SERVER_H

#include "common/latch.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SERVER_STEPS_MAX = 24, SERVER_HEAD_SIZE = 2048, SERVER_PATIENCE_S = 20 };

enum server_after { KEEP, CLOSE, RESET, HOLD /* until the client goes */ };

/* What the server does with one request. */
struct server_step {
    const char *answer; /* NULL: none */
    enum server_after after;
    bool leave_body;      /* answer without having read it */
    struct latch *signal; /* set once the request is there */
};

struct server_record {
    char head[SERVER_HEAD_SIZE];
    size_t body_bytes;
    bool body_is_right;
};

struct server {
    const struct server_step *step;
    size_t steps;
    int listener;
    unsigned port;
    pthread_t thread;
    struct server_record
        record[SERVER_STEPS_MAX]; /* these: the thread's, until it is joined */
    unsigned connections;
};

static inline uint8_t server_pattern(uint64_t offset)
{
    return (uint8_t)(offset * 131 + (offset >> 13));
}

static inline bool server_send_text(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Byte by byte, so that nothing of the body is taken. */
static inline bool server_take_head(int fd, char head[SERVER_HEAD_SIZE])
{
    size_t n = 0;

    do {
        if (n + 1 == SERVER_HEAD_SIZE || recv(fd, head + n, 1, 0) != 1)
            return false;
        head[++n] = '\0';
    } while (n < 4 || strcmp(head + n - 4, "\r\n\r\n") != 0);
    return true;
}

static inline void server_take_body(int fd, struct server_record *record)
{
    const char *field = strcasestr(record->head, "\r\nContent-Length: ");
    size_t length = field ? (size_t)strtoull(field + 18, NULL, 10) : 0;
    uint8_t chunk[16384];

    if (strcasestr(record->head, "\r\nExpect: 100-continue"))
        server_send_text(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    record->body_bytes = 0;
    record->body_is_right = true;
    while (record->body_bytes < length) {
        size_t want = length - record->body_bytes;
        ssize_t n = recv(fd, chunk, want < sizeof chunk ? want : sizeof chunk, 0);

        if (n <= 0)
            return;
        for (ssize_t i = 0; i < n; i++)
            if (chunk[i] != server_pattern(record->body_bytes + (size_t)i))
                record->body_is_right = false;
        record->body_bytes += (size_t)n;
    }
}

static inline void server_leave(int *fd, enum server_after after)
{
    const struct linger abrupt = {.l_onoff = 1, .l_linger = 0};
    char byte;

    if (after == KEEP)
        return;
    if (after == RESET)
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
    if (after == HOLD)
        while (recv(*fd, &byte, 1, 0) > 0)
            continue;
    close(*fd);
    *fd = -1;
}

static inline void *server_run(void *context)
{
    const struct timeval patience = {.tv_sec = SERVER_PATIENCE_S};
    struct server *server = context;
    int fd = -1;

    for (size_t i = 0; i < server->steps; i++) {
        const struct server_step *step = &server->step[i];
        struct server_record *record = &server->record[i];

        while (fd < 0 || !server_take_head(fd, record->head)) {
            if (fd >= 0)
                close(fd);
            fd = accept(server->listener, NULL, NULL);
            if (fd < 0)
                return NULL;
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            server->connections++;
        }
        if (!step->leave_body)
            server_take_body(fd, record);
        if (step->signal)
            latch_set(step->signal);
        if (step->answer)
            server_send_text(fd, step->answer);
        server_leave(&fd, step->after);
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static inline void server_start(struct server *server, const struct server_step *step,
                                size_t steps)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    memset(server, 0, sizeof *server);
    server->step = step;
    server->steps = steps;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(server->listener, 0);
    ck_assert_int_eq(
        bind(server->listener, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server->listener, 8), 0);
    getsockname(server->listener, (struct sockaddr *)&address, &size);
    server->port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, server_run, server), 0);
}

/* Also ends a server that waits for requests which were never made. */
static inline void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

#endif
