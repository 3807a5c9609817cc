/* SPDX-License-Identifier: MIT */
/*
 * service_log -- the line each request leaves in the log.
 *
 * Every upload leaves one: stored, replayed, refused or abandoned. Other refusals cost
 * whoever provokes them nothing, so their lines are limited. What comes from the peer
 * is cut to a bearable length. Threads: any.
 */
#ifndef RECEIVER_SERVICE_LOG_H
#define RECEIVER_SERVICE_LOG_H

#include "common/uuid.h"
#include "receiver/log_limit.h"
#include "receiver/request.h"

#include <stdbool.h>
#include <stdint.h>

struct service_log_upload {
    const struct uuid *id; /* NULL: not an upload, or refused before it had one */
    uint64_t bytes, ms;
};

void service_log_stored(const struct request *request,
                        const struct service_log_upload *upload, bool anew);
void service_log_refused(struct log_limit *limit, const struct request *request,
                         const struct service_log_upload *upload);
void service_log_abandoned(const struct request *request,
                           const struct service_log_upload *upload, const char *why);
void service_log_served(const struct request *request);

#endif
