/* SPDX-License-Identifier: MIT */
#include "sender/metrics_server.h"

#include "common/prometheus.h"
#include "common/units.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 32, IDLE_S = 15, HOST_SIZE = 256 };

struct metrics_server {
    struct MHD_Daemon *daemon;
    metrics_server_write *write;
    void *context;
};

/* "HOST:PORT" or "[HOST]:PORT", torn apart. */
static bool split(const char *address, char host[HOST_SIZE], const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : 0;
    uint64_t number;

    if (n == 0 || !units_parse_count(colon + 1, &number) || number > 65535)
        return false;
    if (address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    } else if (memchr(address, ':', n)) {
        return false;
    }
    if (n == 0 || n >= HOST_SIZE)
        return false;
    memcpy(host, address, n);
    host[n] = '\0';
    *port = colon + 1;
    return true;
}

static enum status resolve(const char *address, struct addrinfo **out,
                           struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    char host[HOST_SIZE];
    const char *port;
    int code;

    if (!split(address, host, &port))
        return error_set(err, ST_INVALID,
                         "--metrics-address: '%.100s' is not HOST:PORT", address);
    code = getaddrinfo(host, port, &hints, out);
    if (code != 0)
        return error_set(err, ST_INVALID, "--metrics-address: '%.100s': %s", address,
                         gai_strerror(code));
    return ST_OK;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
                                 const char *type, char *text, size_t n,
                                 enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(n, text, mode);
    enum MHD_Result result;

    if (!response) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(text);
        return MHD_NO;
    }
    result = MHD_add_response_header(response, "Content-Type", type);
    if (result == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        result = MHD_add_response_header(response, "Allow", "GET, HEAD");
    if (result == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_words(struct MHD_Connection *connection, unsigned status,
                                  const char *type, const char *words)
{
    char copy[64];
    int n = snprintf(copy, sizeof copy, "%s\n", words);

    return send_text(connection, status, type, copy, (size_t)n, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result send_metrics(const struct metrics_server *server,
                                    struct MHD_Connection *connection)
{
    size_t n = 0;
    char *text = server->write(server->context, &n);

    if (!text)
        return send_words(connection, 503, "text/plain", "out of memory");
    return send_text(connection, 200, PROMETHEUS_CONTENT_TYPE, text, n,
                     MHD_RESPMEM_MUST_FREE);
}

/* The first call brings the head alone: an answer to it would end the connection. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *body, size_t *n,
                                  void **request)
{
    static const char begun;

    (void)version;
    (void)body;
    if (!*request) {
        *request = (void *)(uintptr_t)&begun;
        return MHD_YES;
    }
    if (*n > 0) {
        *n = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_words(connection, 405, "text/plain", "only GET and HEAD");
    if (strcmp(url, "/healthz") == 0)
        return send_words(connection, 200, "application/json", "{\"status\":\"ok\"}");
    if (strcmp(url, "/metrics") == 0)
        return send_metrics(context, connection);
    return send_words(connection, 404, "text/plain", "only /metrics and /healthz");
}

/* What scrapers do wrong is not the sender's news. */
static void drop_log(void *context, const char *format, va_list args)
{
    (void)context;
    (void)format;
    (void)args;
}

/* Ours, since libmicrohttpd 1.0 does not say why it could not listen. */
static int listen_at(const struct addrinfo *info)
{
    const int yes = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), sys;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        (info->ai_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0) &&
        bind(fd, info->ai_addr, info->ai_addrlen) == 0 &&
        listen(fd, CONNECTIONS_MAX) == 0)
        return fd;
    sys = errno;
    close(fd);
    errno = sys;
    return -1;
}

static enum status serve_at(struct metrics_server *server, const char *address,
                            const struct addrinfo *info, struct error *err)
{
    const unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG |
                           (info->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    int fd = listen_at(info);

    if (fd < 0)
        return error_sys(err, errno, "serve metrics on %.100s", address);
    errno = 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, drop_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_END);
    if (!server->daemon) /* which may have closed fd, or not: versions differ */
        return error_sys(err, errno, "serve metrics on %.100s", address);
    return ST_OK;
}

enum status metrics_server_start(struct metrics_server **out, const char *address,
                                 metrics_server_write *write, void *context,
                                 struct error *err)
{
    struct metrics_server *server = calloc(1, sizeof *server);
    struct addrinfo *list;
    enum status st;

    if (!server)
        return error_sys(err, ENOMEM, "serve metrics");
    server->write = write;
    server->context = context;
    st = resolve(address, &list, err);
    if (st == ST_OK) {
        st = serve_at(server, address, list, err);
        freeaddrinfo(list);
    }
    if (st != ST_OK) {
        free(server);
        return st;
    }
    *out = server;
    return ST_OK;
}

void metrics_server_stop(struct metrics_server **server)
{
    MHD_stop_daemon((*server)->daemon);
    free(*server);
    *server = NULL;
}

unsigned metrics_server_port(const struct metrics_server *server)
{
    return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}
