/* SPDX-License-Identifier: MIT */
#include "receiver/server.h"

#include "common/clock.h"
#include "common/log.h"
#include "receiver/server_private.h"
#include "receiver/transaction.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void format_peer(char out[REQUEST_PEER_SIZE], const struct sockaddr *address)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, REQUEST_PEER_SIZE, "%s:%u", host, ntohs(in->sin_port));
    } else if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;

        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, REQUEST_PEER_SIZE, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(out, REQUEST_PEER_SIZE, "unix");
    }
}

static const union MHD_ConnectionInfo *about(struct MHD_Connection *mhd,
                                             enum MHD_ConnectionInfoType what)
{
    return MHD_get_connection_info(mhd, what);
}

static struct connection *open_connection(struct server *server,
                                          struct MHD_Connection *mhd,
                                          const struct sockaddr *peer)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection)
        return NULL;
    connection->server = server;
    format_peer(connection->peer, peer);
    connection->runner.peer = connection->peer;
    connection->runner.fd = about(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection->runner.plain = !about(mhd, MHD_CONNECTION_INFO_PROTOCOL);
    pace_enter(server->pace, &connection->runner);
    if (server->tls)
        tls_attach(server->tls,
                   about(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session,
                   &connection->tls);
    return connection;
}

static void detach_tls(struct connection *connection)
{
    if (!connection->tls.finished && log_limit_allows(&connection->server->handshakes))
        log_event(LOG_INFO, "handshake", LOG_FIELDS(log_text("peer", connection->peer)),
                  "no TLS handshake with %s", connection->peer);
    tls_detach(&connection->tls);
}

static void on_connection(void *context, struct MHD_Connection *mhd,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *server = context;
    struct connection *connection = *socket_context;
    const union MHD_ConnectionInfo *info = about(mhd,
                                                 MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *peer = info ? info->client_addr : NULL;

    if (peer && peer->sa_family == AF_UNSPEC)
        return; /* a probe */
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = open_connection(server, mhd, peer);
        return;
    }
    census_leave(server->census, peer);
    if (!connection)
        return;
    pace_leave(server->pace, &connection->runner);
    if (connection->lingers)
        lingering_adopt(server->lingering, connection->runner.fd);
    if (server->tls)
        detach_tls(connection);
    if (connection->kept)
        atomic_fetch_sub(&server->kept, 1);
    free(connection);
    *socket_context = NULL;
}

/* Targets are routed as they came. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

PRINTF_LIKE(2, 0)
static void on_log(void *context, const char *format, va_list args)
{
    char text[512];

    (void)context;
    if (!log_enabled(LOG_DEBUG))
        return;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_event(LOG_DEBUG, "microhttpd", LOG_FIELDS(log_text("text", text)), "%s", text);
}

static void on_panic(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    log_event(LOG_ERROR, "panic", LOG_FIELDS(log_text("reason", reason)),
              "libmicrohttpd gave up at %s:%u: %s", file, line, reason);
    abort();
}

static struct MHD_Daemon *start_daemon(struct server *server,
                                       const struct server_config *config)
{
    /* The limit itself is server_adopt's: at libmicrohttpd's own, 0.9.75 leaves a lock
     * locked for ever. It is divided among the loops, so each gets room for all. */
    unsigned limit = config->threads * (config->census.max + 16);
    const struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, config->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_no_certificate},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem strict[] = {
#if MHD_VERSION >= 0x01000000 /* what the gate sees of 0.9's heads, 1.0 has to */
        {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL},
#endif
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    /* With epoll three bytes of a handshake, and no more, keep a loop spinning. */
    const unsigned flags = server->tls ? MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD
                                       : MHD_USE_EPOLL_INTERNAL_THREAD;

    MHD_set_panic_func(on_panic, NULL);
    return MHD_start_daemon(
        flags | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, transaction_go_on, server, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        NULL, MHD_OPTION_URI_LOG_CALLBACK, transaction_begin, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        transaction_end, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_TIMEOUT,
        config->idle_timeout_s, MHD_OPTION_ARRAY, config->threads > 1 ? pool : none,
        MHD_OPTION_ARRAY, server->tls ? tls : none, MHD_OPTION_ARRAY, strict,
        MHD_OPTION_END);
}

static enum status start_pace(struct server *server, const struct server_config *config,
                              struct error *err)
{
    struct pace_config pace = {.min_rate = config->min_rate,
                               .window_ms = config->rate_window_ms,
                               .farewell = server->farewell};
    struct reply reply;

    reply_init(&reply);
    reply_problem(&reply, 408, "Too slow",
                  "a request has to make progress: %llu bytes in %llu ms",
                  (unsigned long long)(pace.min_rate * pace.window_ms / 1000),
                  (unsigned long long)pace.window_ms);
    pace.farewell_length = reply_serialize(&reply, server->farewell,
                                           sizeof(server->farewell));
    return pace_start(&server->pace, &pace, err);
}

static void look(void *context, struct metrics_gauges *out)
{
    struct server *server = context;

    out->connections = census_count(server->census);
    out->connections_refused = atomic_load(&server->refused);
    out->connections_cut = pace_cuts(server->pace);
    pthread_mutex_lock(&server->flight.lock);
    out->requests = server->flight.requests;
    pthread_mutex_unlock(&server->flight.lock);
}

enum status server_start(struct server **out, struct service *service,
                         const struct server_config *config, struct error *err)
{
    struct server *server = calloc(1, sizeof(*server));
    pthread_condattr_t monotonic;
    enum status st;

    if (!server)
        return error_sys(err, ENOMEM, "start the server");
    server->service = service;
    server->tls = config->tls;
    server->max_header_bytes = config->max_header_bytes;
    server->handshakes = (struct log_limit){.event = "handshake",
                                            .per_s = LOG_LIMIT_PER_S};
    server->drops = (struct log_limit){.event = "dropped", .per_s = LOG_LIMIT_PER_S};
    pthread_mutex_init(&server->flight.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->flight.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    st = lingering_start(&server->lingering, err);
    if (st == ST_OK)
        st = census_create(&server->census, &config->census, err);
    if (st == ST_OK)
        st = start_pace(server, config, err);
    if (st == ST_OK) {
        server->daemon = start_daemon(server, config);
        if (!server->daemon)
            st = error_sys(err, errno, "start the event loops");
    }
    if (st != ST_OK) {
        server_stop(&server);
        return st;
    }
    config->metrics->look = look;
    config->metrics->server = server;
    *out = server;
    return ST_OK;
}

static void turn_away(struct server *server, int fd, enum census_verdict why)
{
    struct reply reply;
    char bytes[RAW_REPLY_SIZE];
    size_t n;

    atomic_fetch_add(&server->refused, 1);
    reply_init(&reply);
    reply_problem(&reply, 503, "Too many connections",
                  why == CENSUS_FULL ? "no more are served at a time"
                                     : "no more are served at a time from one address");
    reply_header(&reply, "Retry-After", "1");
    n = reply_serialize(&reply, bytes, sizeof(bytes));
    if (!server->tls)
        (void)!send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    lingering_adopt(server->lingering, fd);
    close(fd);
}

void server_adopt(struct server *server, int fd, const struct sockaddr *peer,
                  socklen_t length)
{
    enum census_verdict verdict = census_enter(server->census, peer);

    if (verdict != CENSUS_WELCOME) {
        turn_away(server, fd, verdict);
        return;
    }
    if (MHD_add_connection(server->daemon, fd, peer, length) != MHD_YES) {
        int sys = errno;

        census_leave(server->census, peer); /* it closed the socket itself */
        if (log_limit_allows(&server->drops))
            log_event(LOG_WARN, "dropped", NULL, "dropped a connection: %s",
                      strerror(sys));
    }
}

void server_probe(struct server *server, int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    (void)MHD_add_connection(server->daemon, fd, &nobody, sizeof(nobody));
}

unsigned server_drain(struct server *server, uint64_t deadline_ms)
{
    struct timespec until;
    unsigned left;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(deadline_ms / 1000);
    until.tv_nsec += (long)(deadline_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&server->flight.lock);
    while (server->flight.requests > 0 &&
           pthread_cond_timedwait(&server->flight.changed, &server->flight.lock,
                                  &until) != ETIMEDOUT)
        ;
    left = server->flight.requests;
    pthread_mutex_unlock(&server->flight.lock);
    return left;
}

void server_stop(struct server **out)
{
    struct server *server = *out;

    if (!server)
        return;
    if (server->daemon) {
        const struct timespec pause = {.tv_nsec = 1000000};

        /* Stopping with a suspended connection would abort the process. */
        atomic_store(&server->closing, true);
        while (atomic_load(&server->working) > 0)
            nanosleep(&pause, NULL);
        MHD_stop_daemon(server->daemon);
    }
    pace_stop(&server->pace);
    census_destroy(&server->census);
    lingering_stop(&server->lingering);
    pthread_cond_destroy(&server->flight.changed);
    pthread_mutex_destroy(&server->flight.lock);
    free(server);
    *out = NULL;
}
