/* SPDX-License-Identifier: MIT */
/*
 * service -- what the receiver does with a request, free of how it arrived.
 *
 * begin -> body... -> end -> [work -> result] -> answered -> dispose
 *
 * Owner:   begin creates a task; dispose frees it, at any point but during work.
 * Threads: one request is on one thread at a time; requests run side by side.
 */
#ifndef RECEIVER_SERVICE_H
#define RECEIVER_SERVICE_H

#include "receiver/auth.h"
#include "receiver/ingest.h"
#include "receiver/metrics.h"
#include "receiver/request.h"
#include "receiver/store.h"

#include <stdbool.h>

struct service;
struct task;

struct service_config {
    struct auth *auth; /* must outlive the service */
    struct ingest_rules rules;
    enum durability durability;
    struct space_config space;
    struct metrics *metrics; /* must outlive the service */
};

enum service_next {
    SERVICE_REPLY, /* request->reply is the answer */
    SERVICE_BODY,  /* take the body (if there is one), then call end */
    SERVICE_WORK,  /* call service_work, and service_result once it is done */
};

enum status service_start(struct service **out, struct store *store,
                          const struct service_config *config,
                          struct error *err) MUST_CHECK;
void service_stop(struct service **service); /* no task may be at work any more */

/* New uploads are refused with 503 from now on, and /readyz says why. */
void service_drain(struct service *service);
bool service_draining(const struct service *service);

/* The head has arrived and passed the gate. *task may stay NULL when memory is out. */
enum service_next service_begin(struct service *service, struct request *request,
                                struct task **task);

/* Whether the body means anything, or is only read past. */
bool service_wants_body(const struct task *task);

/* False: request->reply is the answer, the rest of the body may be discarded. */
bool service_body(struct task *task, struct request *request, const void *bytes,
                  size_t n);
enum service_next service_end(struct task *task, struct request *request);

/* Does what may take time on another thread, then calls done(argument) there. */
void service_work(struct task *task, struct request *request, void (*done)(void *),
                  void *argument);
void service_result(struct task *task, struct request *request);

/* Counts and logs the answer. task NULL: the request did not get past the gate. */
void service_answered(struct service *service, const struct task *task,
                      const struct request *request);

/* unanswered: why there was no answer of ours; NULL: there was. */
void service_dispose(struct task **task, const struct request *request,
                     const char *unanswered);

#endif
