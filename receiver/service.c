/* SPDX-License-Identifier: MIT */
#include "receiver/service.h"

#include "common/clock.h"
#include "common/log.h"
#include "receiver/jobs.h"
#include "receiver/route.h"
#include "receiver/serve_blob.h"
#include "receiver/service_log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* These sleep in fsync most of the time: many of them let the file system fold many
     * files into one journal commit. */
    COMMIT_THREADS = 32,
    /* Lists and the like may read a lot; no commit waits behind them. */
    READ_THREADS = 4,
    REFUSALS_PER_S = 50,
};

struct service {
    struct service_config config; /* set once: read freely */
    struct store *store;
    struct space *space;
    struct jobs *commits, *reads;
    struct committer *committer;
    struct log_limit refusals;
    atomic_bool draining;
};

struct task {
    struct job job; /* first: for what is not a commit */
    struct service *service;
    struct route_match match;
    struct ingest *ingest; /* of an upload */
    uint64_t started_ns, commit_ns;
    struct request *request; /* while at work */
    bool committed;
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
    service->refusals = (struct log_limit){.event = "refused", .per_s = REFUSALS_PER_S};
    st = space_create(&service->space, store, &config->space, err);
    if (st == ST_OK)
        st = jobs_start(&service->commits, "commit", COMMIT_THREADS, err);
    if (st == ST_OK)
        st = jobs_start(&service->reads, "read", READ_THREADS, err);
    if (st == ST_OK)
        st = committer_create(&service->committer, store, config->durability,
                              service->commits, err);
    if (st != ST_OK) {
        jobs_stop(&service->commits);
        jobs_stop(&service->reads);
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
    jobs_stop(&(*service)->commits);
    jobs_stop(&(*service)->reads);
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

bool service_wants_body(const struct task *task)
{
    return task->ingest != NULL;
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
    task->committed = true;
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
    task->committed = true;
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
    jobs_submit(task->service->reads, &task->job);
}

void service_result(struct task *task, struct request *request)
{
    if (task->ingest)
        ingest_result(task->ingest, request);
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
    metrics_answered(service->config.metrics, &request->reply, is_upload(task, request),
                     took_us);
}

static struct service_log_upload upload_of(const struct task *task)
{
    return (struct service_log_upload){
        .id = task && task->ingest ? ingest_id(task->ingest) : NULL,
        .bytes = task && task->ingest ? ingest_received(task->ingest) : 0,
        .ms = task ? (clock_monotonic_ns() - task->started_ns) / 1000000 : 0,
    };
}

void service_answered(struct service *service, const struct task *task,
                      const struct request *request)
{
    const struct service_log_upload upload = upload_of(task);
    const struct reply *reply = &request->reply;

    count(service, task, request);
    if (reply->status >= 400) {
        if (task && reply->status == 507)
            space_refused(task->service->space);
        service_log_refused(&service->refusals, request, &upload);
    } else if (task && task->ingest) {
        service_log_stored(request, &upload, reply->status == 201);
    } else {
        service_log_served(request);
    }
}

void service_dispose(struct task **out, const struct request *request,
                     const char *unanswered)
{
    struct task *task = *out;
    struct metrics *metrics;

    if (!task)
        return;
    metrics = task->service->config.metrics;
    if (unanswered && task->ingest) {
        const struct service_log_upload upload = upload_of(task);

        /* The blob is stored all the same when only its acknowledgement was lost. */
        if (task->committed && ingest_commit(task->ingest)->result == ST_OK) {
            metrics_add(&metrics->stored, 1);
            service_log_stored(request, &upload, true);
        } else {
            metrics_add(&metrics->abandoned, 1);
            service_log_abandoned(request, &upload, unanswered);
        }
    }
    ingest_destroy(&task->ingest);
    free(task);
    *out = NULL;
}
