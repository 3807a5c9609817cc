/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd calls transaction_go_on many times for one request: first with the
 * head, then for each piece of the body, then once more at its end, and again after a
 * suspended request was resumed. What a call means cannot be told from its arguments,
 * so each transaction keeps its phase.
 *
 * An answer queued in the first call always closes the connection. So an answer that is
 * known early waits for the end of a small body, which keeps the connection alive, and
 * goes out at once before a large one.
 */
#include "receiver/transaction.h"

#include "receiver/gate.h"
#include "receiver/response.h"
#include "receiver/server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { DISCARD_MAX = 256 * 1024 };

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

static gnutls_session_t tls_session(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info ? info->tls_session : NULL;
}

/* ---- answers ---- */

/* A peer that was kept once stays: those who come later cannot take its place. */
static bool keep(struct connection *connection)
{
    atomic_uint *kept = &connection->server->kept;

    if (!connection->kept && atomic_fetch_add(kept, 1) >= KEEP_ALIVE_MAX)
        atomic_fetch_sub(kept, 1);
    else
        connection->kept = true;
    return connection->kept;
}

/* Behind a chunked body nothing can be trusted to be a request (gate.h); and strangers
 * get no place that others could use. */
static bool is_last(const struct transaction *transaction)
{
    const struct reply *reply = &transaction->request.reply;

    return reply->close || transaction->request.chunked || reply->status == 401 ||
           reply->status == 403 || service_draining(transaction->server->service) ||
           !keep(transaction->connection);
}

static enum MHD_Result answer(struct transaction *transaction)
{
    struct request *request = &transaction->request;
    struct reply *reply = &request->reply;
    struct MHD_Response *response;
    enum MHD_Result result = MHD_YES;

    if (!pace_phase(&transaction->connection->runner, PACE_ANSWER))
        return MHD_NO;
    response = response_create(reply, transaction->server->tls);
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < reply->headers && result == MHD_YES; i++)
        result = MHD_add_response_header(response, reply->header[i].name,
                                         reply->header[i].value);
    if (result == MHD_YES && is_last(transaction))
        result = MHD_add_response_header(response, "Connection", "close");
    if (result == MHD_YES)
        result = MHD_queue_response(transaction->mhd, (unsigned)reply->status,
                                    response);
    MHD_destroy_response(response);
    transaction->phase = PHASE_ANSWERED;
    service_answered(transaction->server->service, transaction->task, request);
    return result;
}

/* libmicrohttpd takes no answer in the middle of a body. The socket does: not a byte of
 * an answer has been sent on it yet, and this one ends the connection. */
static void send_raw(struct transaction *transaction, const char *bytes, size_t n)
{
    gnutls_session_t session = tls_session(transaction->mhd);
    const union MHD_ConnectionInfo *info;

    if (session) {
        (void)!gnutls_record_send(session, bytes, n);
        return;
    }
    info = MHD_get_connection_info(transaction->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    (void)!send(info->connect_fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static enum MHD_Result answer_raw(struct transaction *transaction)
{
    char bytes[RAW_REPLY_SIZE];
    size_t n = reply_serialize(&transaction->request.reply, bytes, sizeof(bytes));

    if (!pace_phase(&transaction->connection->runner, PACE_ANSWER))
        return MHD_NO;
    send_raw(transaction, bytes, n);
    transaction->connection->lingers = true;
    transaction->phase = PHASE_ANSWERED;
    service_answered(transaction->server->service, transaction->task,
                     &transaction->request);
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
        request->reply.close = true;
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
    else if (head_size > transaction->server->max_header_bytes)
        reply_problem(reply, 431, "Headers too large", "at most %zu bytes are read",
                      transaction->server->max_header_bytes);
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
    struct request *request = &transaction->request;

    pace_phase(&transaction->connection->runner, PACE_BODY);
    if (!pass_gate(transaction, method, version))
        return answer_early(transaction);
    if (transaction->server->tls)
        transaction->request.certificate = tls_judge(&transaction->connection->tls,
                                                     tls_session(transaction->mhd));
    if (service_begin(transaction->server->service, &transaction->request,
                      &transaction->task) == SERVICE_REPLY)
        return answer_early(transaction);
    if (!service_wants_body(transaction->task) &&
        (request->chunked || request->length > DISCARD_MAX)) {
        reply_problem(&request->reply, 413, "Body not expected",
                      "a %.20s has no body here", request->method);
        return answer_early(transaction);
    }
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
    pace_moved(&transaction->connection->runner, taken);
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
    if (request->trailers == sizeof(request->trailer) / sizeof(request->trailer[0])) {
        request->too_many_trailers = true;
        return MHD_NO;
    }
    request->trailer[request->trailers++] = (struct request_header){
        name, value ? value : "", name_length, value_length};
    return MHD_YES;
}

/* On a thread of the service's: the transaction may be gone once it is resumed. */
static void work_done(void *context)
{
    struct transaction *transaction = context;
    struct server *server = transaction->server;

    MHD_resume_connection(transaction->mhd);
    atomic_fetch_sub(&server->working, 1);
}

/* A daemon must not be stopped while anything is suspended, so this is counted before
 * the last look at `closing`. */
static enum MHD_Result begin_work(struct transaction *transaction)
{
    struct server *server = transaction->server;

    atomic_fetch_add(&server->working, 2);
    if (atomic_load(&server->closing)) {
        atomic_fetch_sub(&server->working, 2);
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
        if (!pace_phase(&transaction->connection->runner, PACE_WORK))
            return MHD_NO;
        if (request->chunked) {
            MHD_get_connection_values_n(transaction->mhd, MHD_FOOTER_KIND, add_trailer,
                                        request);
            if (!gate_check_trailers(request))
                return answer(transaction);
        }
        if (service_end(transaction->task, request) == SERVICE_WORK)
            return begin_work(transaction);
        return answer(transaction);
    case PHASE_WORK:
        atomic_fetch_sub(&transaction->server->working, 1);
        transaction->phase = PHASE_DISCARD; /* only the answer is left */
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

enum MHD_Result transaction_go_on(void *context, struct MHD_Connection *mhd,
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

/* ---- life ---- */

/* The request line has been read. The target is copied: its query is about to be torn
 * into arguments. What is returned becomes the request's context. */
void *transaction_begin(void *context, const char *target, struct MHD_Connection *mhd)
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
    request->too_many_trailers = false;
    request->has_length = request->chunked = request->expects_continue = false;
    request->length = 0;
    request->method = request->version = "";
    request->certificate = NULL;
    request->client[0] = '\0';
    reply_init(&request->reply);
    transaction->server = server;
    transaction->mhd = mhd;
    transaction->connection = info->socket_context;
    request->peer = transaction->connection->peer;
    pace_phase(&transaction->connection->runner, PACE_HEAD);
    transaction->uri = target ? target : "";
    transaction->uri_length = strlen(transaction->uri);
    transaction->target_too_long = transaction->uri_length >= REQUEST_TARGET_SIZE;
    snprintf(request->target, sizeof(request->target), "%s", transaction->uri);

    pthread_mutex_lock(&server->flight.lock);
    server->flight.requests++;
    pthread_mutex_unlock(&server->flight.lock);
    return transaction;
}

/* Why a request got no answer of ours. */
static const char *how_it_ended(enum MHD_RequestTerminationCode code)
{
    switch (code) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK: /* with a page of libmicrohttpd's own */
        return "malformed";
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return "too slow";
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return "cut while shutting down";
    case MHD_REQUEST_TERMINATED_WITH_ERROR:
    case MHD_REQUEST_TERMINATED_READ_ERROR:
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
        break;
    }
    return "the client went away";
}

void transaction_end(void *context, struct MHD_Connection *mhd, void **request_context,
                     enum MHD_RequestTerminationCode code)
{
    struct server *server = context;
    struct transaction *transaction = *request_context;

    (void)mhd;
    if (!transaction)
        return;
    /* Resumed, but closed before the handler was called again: what was committed stays
     * committed, only nobody was told. */
    if (transaction->phase == PHASE_WORK)
        atomic_fetch_sub(&server->working, 1);
    pace_phase(&transaction->connection->runner, PACE_IDLE);
    service_dispose(&transaction->task, &transaction->request,
                    transaction->phase != PHASE_ANSWERED ? how_it_ended(code) : NULL);
    reply_release(&transaction->request.reply);
    free(transaction);
    *request_context = NULL;

    pthread_mutex_lock(&server->flight.lock);
    if (--server->flight.requests == 0)
        pthread_cond_broadcast(&server->flight.changed);
    pthread_mutex_unlock(&server->flight.lock);
}
