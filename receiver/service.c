/* SPDX-License-Identifier: MIT */
#include "receiver/service.h"

#include "common/clock.h"
#include "common/log.h"
#include "receiver/jobs.h"
#include "receiver/route.h"
#include "receiver/serve_blob.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* These threads sleep in fsync most of the time: many of them let the file system fold
 * many files into one journal commit. */
enum { JOB_THREADS = 32 };

struct service {
    struct service_config config; /* set once: read freely */
    struct store *store;
    struct space *space;
    struct jobs *jobs;
    struct committer *committer;
    atomic_bool draining;
};

struct task {
    struct job job; /* first: for what is not a commit */
    struct service *service;
    struct route_match match;
    struct ingest *ingest; /* of an upload */
    uint64_t started_ns, commit_ns;
    struct request *request; /* while at work */
    void (*done)(void *);
    void *argument;
};

enum status service_start(struct service **out, struct store *store,
                          const struct service_config *config, struct error *err)
{
    struct service *service = calloc(1, sizeof(*service));
    enum status st;

    if (!service)
        return error_sys(err, ENOMEM, "start the service");
    service->config = *config;
    service->store = store;
    st = space_create(&service->space, store, &config->space, err);
    if (st == ST_OK)
        st = jobs_start(&service->jobs, "job", JOB_THREADS, err);
    if (st == ST_OK)
        st = committer_create(&service->committer, store, config->durability,
                              service->jobs, err);
    if (st != ST_OK) {
        jobs_stop(&service->jobs);
        space_destroy(&service->space);
        free(service);
        return st;
    }
    *out = service;
    return ST_OK;
}

void service_stop(struct service **service)
{
    if (!*service)
        return;
    jobs_stop(&(*service)->jobs);
    committer_destroy(&(*service)->committer);
    space_destroy(&(*service)->space);
    free(*service);
    *service = NULL;
}

void service_drain(struct service *service)
{
    atomic_store(&service->draining, true);
}

bool service_draining(const struct service *service)
{
    return atomic_load(&service->draining);
}

/* NULL when uploads are welcome. */
static const char *unready(const struct service *service)
{
    if (atomic_load(&service->draining))
        return "shutting down";
    if (committer_broken(service->committer))
        return "a sync to disk failed: what is stored from now on could be lost; "
               "check the disk, then restart";
    return NULL;
}

static const char *unready_or_full(const struct service *service)
{
    const char *why = unready(service);

    return why ? why : space_unready(service->space);
}

static void unavailable(struct request *request, const char *why)
{
    reply_problem(&request->reply, 503, "Not ready", "%s", why);
    reply_header(&request->reply, "Retry-After", "5");
}

static enum service_next begin_upload(struct task *task, struct request *request)
{
    const char *why = unready(task->service);
    enum ingest_next next;

    if (why) {
        unavailable(request, why);
        return SERVICE_REPLY;
    }
    next = ingest_begin(&task->ingest, task->service->store, task->service->space,
                        &task->service->config.rules,
                        task->match.has_id ? &task->match.id : NULL, request);
    return next == INGEST_BODY ? SERVICE_BODY : SERVICE_REPLY;
}

static enum auth_need need_of(enum route route)
{
    switch (route) {
    case ROUTE_HEALTH:
    case ROUTE_READY:
        return AUTH_PUBLIC;
    case ROUTE_NONE: /* what is not here is told to those who may come in */
        return AUTH_KNOWN;
    case ROUTE_DOWNLOAD:
    case ROUTE_LIST:
    case ROUTE_METRICS:
        return AUTH_READ;
    case ROUTE_UPLOAD:
        return AUTH_WRITE;
    }
    return AUTH_NEVER;
}

enum service_next service_begin(struct service *service, struct request *request,
                                struct task **out)
{
    struct task *task = calloc(1, sizeof(*task));

    if (!task) {
        unavailable(request, "out of memory");
        return SERVICE_REPLY;
    }
    task->service = service;
    task->started_ns = clock_monotonic_ns();
    *out = task;
    task->match = route_find(request);
    if (!auth_check(service->config.auth, request, need_of(task->match.route)))
        return SERVICE_REPLY;
    switch (task->match.route) {
    case ROUTE_NONE:
        return SERVICE_REPLY;
    case ROUTE_UPLOAD:
        return begin_upload(task, request);
    case ROUTE_DOWNLOAD:
    case ROUTE_LIST:
    case ROUTE_HEALTH:
    case ROUTE_READY:
    case ROUTE_METRICS:
        break;
    }
    return SERVICE_BODY;
}

bool service_body(struct task *task, struct request *request, const void *bytes,
                  size_t n)
{
    if (!task->ingest)
        return true;
    metrics_add(&task->service->config.metrics->bytes_received, n);
    return ingest_body(task->ingest, request, bytes, n);
}

static void count_commit(const struct task *task)
{
    histogram_record(&task->service->config.metrics->commit_us,
                     (clock_monotonic_ns() - task->commit_ns) / 1000);
}

static enum service_next end_upload(struct task *task, struct request *request)
{
    if (ingest_end(task->ingest, request) == INGEST_REPLY)
        return SERVICE_REPLY;
    task->commit_ns = clock_monotonic_ns();
    if (!committer_try(task->service->committer, ingest_commit(task->ingest)))
        return SERVICE_WORK;
    count_commit(task);
    ingest_result(task->ingest, request);
    return SERVICE_REPLY;
}

static void answer_ok(struct request *request, const char *status)
{
    struct json json;

    json_init(&json, request->reply.body, sizeof(request->reply.body));
    json_open(&json, NULL, '{');
    json_string(&json, "status", status);
    json_close(&json, '}');
    reply_json(&request->reply, 200, &json);
}

enum service_next service_end(struct task *task, struct request *request)
{
    const char *why;

    switch (task->match.route) {
    case ROUTE_NONE:
        break;
    case ROUTE_UPLOAD:
        return end_upload(task, request);
    case ROUTE_DOWNLOAD:
        if (!serve_blob(task->service->store, &task->match.id, request))
            return SERVICE_WORK;
        break;
    case ROUTE_LIST:
    case ROUTE_METRICS:
        return SERVICE_WORK;
    case ROUTE_HEALTH:
        answer_ok(request, "ok");
        break;
    case ROUTE_READY:
        why = unready_or_full(task->service);
        if (why)
            unavailable(request, why);
        else
            answer_ok(request, "ready");
        break;
    }
    return SERVICE_REPLY;
}

static void serve_metrics(struct service *service, struct request *request)
{
    struct metrics_gauges now = {
        .ready = !unready_or_full(service),
        .free_bytes = space_free_bytes(service->space),
        .inflight_bytes = space_inflight_bytes(service->space),
        .fsync_failures = committer_sync_failures(service->committer),
    };

    metrics_reply(service->config.metrics, &now, &request->reply);
}

static void run_read(struct job *job)
{
    struct task *task = (struct task *)job;

    if (task->match.route == ROUTE_METRICS)
        serve_metrics(task->service, task->request);
    else if (task->match.route == ROUTE_LIST)
        serve_list_slow(task->service->store, task->match.query, task->request);
    else
        serve_blob_slow(task->service->store, &task->match.id, task->request);
    task->done(task->argument);
}

static void committed(struct commit *commit)
{
    struct task *task = commit->owner;

    count_commit(task);
    task->done(task->argument);
}

void service_work(struct task *task, struct request *request, void (*done)(void *),
                  void *argument)
{
    task->request = request;
    task->done = done;
    task->argument = argument;
    if (task->ingest) {
        struct commit *commit = ingest_commit(task->ingest);

        commit->owner = task;
        commit->done = committed;
        committer_submit(task->service->committer, commit);
        return;
    }
    task->job.run = run_read;
    jobs_submit(task->service->jobs, &task->job);
}

void service_result(struct task *task, struct request *request)
{
    if (task->ingest)
        ingest_result(task->ingest, request);
}

enum { FROM_SIZE = REQUEST_PEER_SIZE + REQUEST_CLIENT_SIZE + 4 };

static const char *from(char out[FROM_SIZE], const struct request *request)
{
    bool known = request->client[0] != '\0';

    snprintf(out, FROM_SIZE, "%s%s%s%s", request->peer, known ? " (" : "",
             request->client, known ? ")" : "");
    return out;
}

/* The last field of a line: of a client that is not known it is the end of the list. */
static struct log_field client_field(const struct request *request)
{
    return log_text(request->client[0] != '\0' ? "client" : NULL, request->client);
}

static void log_stored(const struct task *task, const struct request *request)
{
    uint64_t ms = (clock_monotonic_ns() - task->started_ns) / 1000000;
    uint64_t bytes = ingest_received(task->ingest);
    const char *event = request->reply.status == 201 ? "stored" : "replayed";
    char id[UUID_TEXT_SIZE], who[FROM_SIZE];

    uuid_format(id, ingest_id(task->ingest));
    log_event(LOG_INFO, event,
              LOG_FIELDS(log_text("blob", id), log_number("bytes", bytes),
                         log_number("ms", ms), log_text("peer", request->peer),
                         client_field(request)),
              "%s %s %llu bytes from %s, %llu ms", event, id, (unsigned long long)bytes,
              from(who, request), (unsigned long long)ms);
}

static void log_refused(const struct task *task, const struct request *request)
{
    const struct reply *reply = &request->reply;
    const struct uuid *blob = task && task->ingest ? ingest_id(task->ingest) : NULL;
    bool serious = reply->status == 500 || reply->status == 507;
    char id[UUID_TEXT_SIZE] = "", who[FROM_SIZE];

    if (blob)
        uuid_format(id, blob);
    log_event(serious ? LOG_ERROR : LOG_WARN, "refused",
              LOG_FIELDS(log_number("status", reply->status),
                         log_text("reason", reply->reason), log_text("blob", id),
                         log_text("method", request->method),
                         log_text("target", request->target),
                         log_text("peer", request->peer), client_field(request)),
              "refused %s %s from %s: %d %s%s%s", request->method, request->target,
              from(who, request), reply->status, reply->reason, blob ? ", blob " : "",
              id);
}

/* Of a request that did not get as far as its route the method has to tell. */
static bool is_upload(const struct task *task, const struct request *request)
{
    if (task && task->match.route != ROUTE_NONE)
        return task->match.route == ROUTE_UPLOAD;
    return strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
}

static void count(struct service *service, const struct task *task,
                  const struct request *request)
{
    uint64_t took_us = 0;

    if (task)
        took_us = (clock_monotonic_ns() - task->started_ns) / 1000 + 1;
    metrics_answered(service->config.metrics, &request->reply,
                     is_upload(task, request), took_us);
}

void service_answered(struct service *service, const struct task *task,
                      const struct request *request)
{
    const struct reply *reply = &request->reply;

    count(service, task, request);
    if (reply->status >= 400) {
        if (task && reply->status == 507)
            space_refused(task->service->space);
        log_refused(task, request);
    } else if (task && task->ingest) {
        if (log_enabled(LOG_INFO))
            log_stored(task, request);
    } else if (log_enabled(LOG_DEBUG)) {
        log_event(LOG_DEBUG, "served",
                  LOG_FIELDS(log_number("status", reply->status),
                             log_text("target", request->target),
                             log_text("peer", request->peer)),
                  "served %s %s to %s: %d", request->method, request->target,
                  request->peer, reply->status);
    }
}

void service_dispose(struct task **task, const struct request *request, bool unanswered)
{
    if (!*task)
        return;
    if (unanswered && (*task)->ingest)
        metrics_add(&(*task)->service->config.metrics->abandoned, 1);
    if (unanswered && (*task)->ingest && ingest_id((*task)->ingest)) {
        uint64_t bytes = ingest_received((*task)->ingest);
        char id[UUID_TEXT_SIZE];

        uuid_format(id, ingest_id((*task)->ingest));
        log_event(LOG_WARN, "abandoned",
                  LOG_FIELDS(log_text("blob", id), log_number("bytes", bytes),
                             log_text("peer", request->peer)),
                  "abandoned %s after %llu bytes: %s went away", id,
                  (unsigned long long)bytes, request->peer);
    }
    ingest_destroy(&(*task)->ingest);
    free(*task);
    *task = NULL;
}
