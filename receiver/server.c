/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd calls on_request many times for one request: first with the head, then
 * for each piece of the body, then once more at its end, and again after a suspended
 * request was resumed. What a call means cannot be told from its arguments, so each
 * transaction keeps its phase.
 *
 * An answer queued in the first call always closes the connection. So an answer that is
 * known early waits for the end of a small body, which keeps the connection alive, and
 * goes out at once before a large one.
 */
#include "receiver/server.h"

#include "common/clock.h"
#include "common/log.h"
#include "receiver/gate.h"
#include "receiver/lingering.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* Half of it is the read buffer, and all of it becomes resident with the first
     * request of a connection: 64 KiB pieces of a body, for 128 KiB a connection. */
    CONNECTION_MEMORY = 128 * 1024,
    HEAD_MAX = 16 * 1024,
    DISCARD_MAX = 256 * 1024,
    RAW_REPLY_SIZE = 4096,
};

struct server {
    struct MHD_Daemon *daemon;
    struct service *service;
    struct lingering *lingering;
    unsigned max_connections;
    atomic_uint connections; /* adopted and not closed */
    atomic_uint working;     /* suspended, or about to be */
    atomic_bool closing;     /* nothing may be suspended any more */
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        pthread_cond_t changed;
        unsigned requests; /* begun and not completed */
    } flight;
};

struct connection {
    struct server *server;
    char peer[REQUEST_PEER_SIZE];
    bool lingers; /* the client may still be sending when we close */
};

enum phase {
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_DISCARD, /* the answer is known, the rest of the body is not wanted */
    PHASE_WORK,    /* suspended */
    PHASE_ANSWERED,
};

struct transaction {
    struct request request;
    struct server *server;
    struct connection *connection;
    struct MHD_Connection *mhd;
    struct task *task;
    enum phase phase;
    bool target_too_long, too_many_headers;
    const char *uri; /* where the target stood in the head */
    size_t uri_length;
    size_t discarded;
};

/* ---- connections ---- */

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
        snprintf(out, REQUEST_PEER_SIZE, "local");
    }
}

static void on_connection(void *context, struct MHD_Connection *mhd,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *server = context;
    struct connection *connection = *socket_context;
    const union MHD_ConnectionInfo *info;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        connection = calloc(1, sizeof(*connection));
        *socket_context = connection;
        if (!connection)
            return;
        connection->server = server;
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        format_peer(connection->peer, info ? info->client_addr : NULL);
        return;
    }
    atomic_fetch_sub(&server->connections, 1);
    if (!connection)
        return;
    if (connection->lingers) {
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        lingering_adopt(server->lingering, info->connect_fd);
    }
    free(connection);
    *socket_context = NULL;
}

/* ---- answers ---- */

static struct MHD_Response *make_response(struct reply *reply)
{
    struct MHD_Response *response;

    if (reply->fd >= 0) {
        response = MHD_create_response_from_fd_at_offset64(reply->file_length,
                                                           reply->fd, reply->offset);
        if (response)
            reply->fd = -1; /* the response closes it */
    } else if (reply->text) {
        response = MHD_create_response_from_buffer(reply->length, reply->text,
                                                   MHD_RESPMEM_MUST_FREE);
        if (response)
            reply->text = NULL;
    } else {
        response = MHD_create_response_from_buffer(reply->length, reply->body,
                                                   MHD_RESPMEM_MUST_COPY);
    }
    return response;
}

static enum MHD_Result answer(struct transaction *transaction)
{
    struct request *request = &transaction->request;
    struct reply *reply = &request->reply;
    struct MHD_Response *response = make_response(reply);
    enum MHD_Result result = MHD_YES;

    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < reply->headers && result == MHD_YES; i++)
        result = MHD_add_response_header(response, reply->header[i].name,
                                         reply->header[i].value);
    if (result == MHD_YES &&
        (reply->close || service_draining(transaction->server->service)))
        result = MHD_add_response_header(response, "Connection", "close");
    if (result == MHD_YES)
        result = MHD_queue_response(transaction->mhd, (unsigned)reply->status,
                                    response);
    MHD_destroy_response(response);
    transaction->phase = PHASE_ANSWERED;
    service_answered(transaction->task, request);
    return result;
}

/* libmicrohttpd takes no answer in the middle of a body. The socket does: not a byte of
 * an answer has been sent on it yet, and this one ends the connection. */
static enum MHD_Result answer_raw(struct transaction *transaction)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        transaction->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    char bytes[RAW_REPLY_SIZE];
    size_t n = reply_serialize(&transaction->request.reply, bytes, sizeof(bytes));

    (void)!send(info->connect_fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    transaction->connection->lingers = true;
    transaction->phase = PHASE_ANSWERED;
    service_answered(transaction->task, &transaction->request);
    return MHD_NO;
}

/* The answer is known with the head. */
static enum MHD_Result answer_early(struct transaction *transaction)
{
    struct request *request = &transaction->request;
    bool body = request_has_body(request);
    bool small = !request->chunked && request->length <= DISCARD_MAX &&
                 !request->expects_continue;

    if (request->reply.close || (body && !small)) {
        transaction->connection->lingers = true;
        return answer(transaction);
    }
    transaction->phase = PHASE_DISCARD;
    return MHD_YES;
}

/* ---- the head ---- */

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind,
                                  const char *name, size_t name_length,
                                  const char *value, size_t value_length)
{
    struct transaction *transaction = context;
    struct request *request = &transaction->request;

    (void)kind;
    if (request->headers == REQUEST_HEADERS_MAX) {
        transaction->too_many_headers = true;
        return MHD_NO;
    }
    request->header[request->headers++] = (struct request_header){
        .name = name,
        .value = value ? value : "",
        .name_length = name_length,
        .value_length = value_length,
    };
    return MHD_YES;
}

static bool check_sizes(struct transaction *transaction, size_t head_size)
{
    struct reply *reply = &transaction->request.reply;

    if (transaction->target_too_long)
        reply_problem(reply, 414, "URI too long", "a target has at most %d bytes",
                      REQUEST_TARGET_SIZE - 1);
    else if (transaction->too_many_headers)
        reply_problem(reply, 431, "Too many headers", "at most %d are read",
                      REQUEST_HEADERS_MAX);
    else if (head_size > HEAD_MAX)
        reply_problem(reply, 431, "Headers too large", "at most %d bytes are read",
                      HEAD_MAX);
    else
        return true;
    reply->close = true;
    return false;
}

static bool pass_gate(struct transaction *transaction, const char *method,
                      const char *version)
{
    struct request *request = &transaction->request;
    const union MHD_ConnectionInfo *info;
    struct gate_head head;

    request->method = method;
    request->version = version;
    MHD_get_connection_values_n(transaction->mhd, MHD_HEADER_KIND, add_header,
                                transaction);
    info = MHD_get_connection_info(transaction->mhd,
                                   MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    head.start = method;
    head.uri = transaction->uri;
    head.uri_length = transaction->uri_length;
    head.size = info->header_size;
    if (!check_sizes(transaction, head.size) || !gate_check(request))
        return false;
    /* libmicrohttpd 1.0 checks the lines itself, and keeps them in another way. */
    return MHD_VERSION >= 0x01000000 || gate_check_layout(request, &head);
}

static enum MHD_Result on_head(struct transaction *transaction, const char *method,
                               const char *version)
{
    if (!pass_gate(transaction, method, version))
        return answer_early(transaction);
    if (service_begin(transaction->server->service, &transaction->request,
                      &transaction->task) == SERVICE_REPLY)
        return answer_early(transaction);
    transaction->phase = PHASE_BODY;
    return MHD_YES;
}

/* ---- the body ---- */

static enum MHD_Result on_body(struct transaction *transaction, const char *bytes,
                               size_t *n)
{
    struct request *request = &transaction->request;
    size_t taken = *n;

    *n = 0;
    if (transaction->phase == PHASE_BODY) {
        if (service_body(transaction->task, request, bytes, taken))
            return MHD_YES;
        transaction->phase = PHASE_DISCARD;
        /* A chunked body has no known end. */
        if (request->chunked || request->length > DISCARD_MAX)
            return answer_raw(transaction);
        return MHD_YES;
    }
    transaction->discarded += taken;
    return transaction->discarded > DISCARD_MAX ? answer_raw(transaction) : MHD_YES;
}

static enum MHD_Result add_trailer(void *context, enum MHD_ValueKind kind,
                                   const char *name, size_t name_length,
                                   const char *value, size_t value_length)
{
    struct request *request = context;

    (void)kind;
    if (request->trailers == sizeof(request->trailer) / sizeof(request->trailer[0]))
        return MHD_NO;
    request->trailer[request->trailers++] = (struct request_header){
        name, value ? value : "", name_length, value_length};
    return MHD_YES;
}

/* On a thread of the service's: the transaction may be gone once it is resumed. */
static void work_done(void *context)
{
    struct transaction *transaction = context;

    MHD_resume_connection(transaction->mhd);
}

/* A daemon must not be stopped while anything is suspended, so this is counted before
 * the last look at `closing`. */
static enum MHD_Result begin_work(struct transaction *transaction)
{
    struct server *server = transaction->server;

    atomic_fetch_add(&server->working, 1);
    if (atomic_load(&server->closing)) {
        atomic_fetch_sub(&server->working, 1);
        reply_problem(&transaction->request.reply, 503, "Not ready", "shutting down");
        return answer(transaction);
    }
    transaction->phase = PHASE_WORK;
    MHD_suspend_connection(transaction->mhd);
    service_work(transaction->task, &transaction->request, work_done, transaction);
    return MHD_YES;
}

static enum MHD_Result on_end(struct transaction *transaction)
{
    struct request *request = &transaction->request;

    switch (transaction->phase) {
    case PHASE_BODY:
        if (request->chunked)
            MHD_get_connection_values_n(transaction->mhd, MHD_FOOTER_KIND, add_trailer,
                                        request);
        if (service_end(transaction->task, request) == SERVICE_WORK)
            return begin_work(transaction);
        return answer(transaction);
    case PHASE_WORK:
        atomic_fetch_sub(&transaction->server->working, 1);
        service_result(transaction->task, request);
        return answer(transaction);
    case PHASE_DISCARD:
        return answer(transaction);
    case PHASE_HEAD:
    case PHASE_ANSWERED:
        break;
    }
    return MHD_NO;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd,
                                  const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *n,
                                  void **request_context)
{
    struct transaction *transaction = *request_context;

    (void)context;
    (void)mhd;
    (void)url;
    if (!transaction)
        return MHD_NO;
    if (transaction->phase == PHASE_HEAD)
        return on_head(transaction, method, version);
    if (*n > 0)
        return on_body(transaction, bytes, n);
    return on_end(transaction);
}

/* ---- life of a transaction ---- */

/* The request line has been read. The target is copied: its query is about to be torn
 * into arguments. What is returned becomes the request's context. */
static void *on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    struct server *server = context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct transaction *transaction;
    struct request *request;

    if (!info || !info->socket_context)
        return NULL;
    transaction = malloc(sizeof(*transaction));
    if (!transaction)
        return NULL;
    /* The big arrays stay as they are: their counts say what is in them. */
    memset((char *)transaction + sizeof(transaction->request), 0,
           sizeof(*transaction) - sizeof(transaction->request));
    request = &transaction->request;
    request->headers = request->trailers = 0;
    request->has_length = request->chunked = request->expects_continue = false;
    request->length = 0;
    request->method = request->version = "";
    reply_init(&request->reply);
    transaction->server = server;
    transaction->mhd = mhd;
    transaction->connection = info->socket_context;
    request->peer = transaction->connection->peer;
    transaction->uri = target ? target : "";
    transaction->uri_length = strlen(transaction->uri);
    transaction->target_too_long = transaction->uri_length >= REQUEST_TARGET_SIZE;
    snprintf(request->target, sizeof(request->target), "%s", transaction->uri);

    pthread_mutex_lock(&server->flight.lock);
    server->flight.requests++;
    pthread_mutex_unlock(&server->flight.lock);
    return transaction;
}

static void on_completed(void *context, struct MHD_Connection *mhd,
                         void **request_context, enum MHD_RequestTerminationCode code)
{
    struct server *server = context;
    struct transaction *transaction = *request_context;

    (void)mhd;
    (void)code;
    if (!transaction)
        return;
    /* Resumed, but closed before the handler was called again: what was committed stays
     * committed, only nobody was told. */
    if (transaction->phase == PHASE_WORK)
        atomic_fetch_sub(&server->working, 1);
    service_dispose(&transaction->task, &transaction->request,
                    transaction->phase != PHASE_ANSWERED);
    reply_release(&transaction->request.reply);
    free(transaction);
    *request_context = NULL;

    pthread_mutex_lock(&server->flight.lock);
    if (--server->flight.requests == 0)
        pthread_cond_broadcast(&server->flight.changed);
    pthread_mutex_unlock(&server->flight.lock);
}

/* Targets are routed as they came. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

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

/* ---- start and stop ---- */

static struct MHD_Daemon *start_daemon(struct server *server,
                                       const struct server_config *config)
{
    /* The limit itself is server_adopt's: at libmicrohttpd's own, 0.9.75 leaves a lock
     * locked for ever. It is divided among the loops, so each gets room for all. */
    unsigned limit = config->threads * (config->max_connections + 16);
    const struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, config->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    MHD_set_panic_func(on_panic, NULL);
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
            MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_TIMEOUT,
        config->idle_timeout_s, MHD_OPTION_ARRAY, config->threads > 1 ? pool : none,
        MHD_OPTION_END);
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
    server->max_connections = config->max_connections;
    pthread_mutex_init(&server->flight.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->flight.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    st = lingering_start(&server->lingering, err);
    if (st == ST_OK) {
        server->daemon = start_daemon(server, config);
        if (!server->daemon)
            st = error_sys(err, errno, "start the event loops");
    }
    if (st != ST_OK) {
        server_stop(&server);
        return st;
    }
    *out = server;
    return ST_OK;
}

static void turn_away(struct server *server, int fd)
{
    struct reply reply;
    char bytes[RAW_REPLY_SIZE];
    size_t n;

    reply_init(&reply);
    reply_problem(&reply, 503, "Too many connections", "the limit is %u",
                  server->max_connections);
    reply_header(&reply, "Retry-After", "1");
    n = reply_serialize(&reply, bytes, sizeof(bytes));
    (void)!send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    lingering_adopt(server->lingering, fd);
    close(fd);
}

void server_adopt(struct server *server, int fd, const struct sockaddr *peer,
                  socklen_t length)
{
    if (atomic_fetch_add(&server->connections, 1) >= server->max_connections) {
        atomic_fetch_sub(&server->connections, 1);
        turn_away(server, fd);
        return;
    }
    if (MHD_add_connection(server->daemon, fd, peer, length) != MHD_YES) {
        atomic_fetch_sub(&server->connections, 1); /* it closed the socket itself */
        log_event(LOG_WARN, "dropped", NULL, "dropped a connection: %s",
                  strerror(errno));
    }
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
    lingering_stop(&server->lingering);
    pthread_cond_destroy(&server->flight.changed);
    pthread_mutex_destroy(&server->flight.lock);
    free(server);
    *out = NULL;
}
