/* SPDX-License-Identifier: MIT */
#include "receiver/service_log.h"

#include "common/log.h"

#include <stdio.h>

enum {
    FROM_SIZE = REQUEST_PEER_SIZE + REQUEST_CLIENT_SIZE + 4,
    METHOD_SIZE = 24,
    TARGET_SIZE = 128,
};

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

void service_log_stored(const struct request *request,
                        const struct service_log_upload *upload, bool anew)
{
    const char *event = anew ? "stored" : "replayed";
    char id[UUID_TEXT_SIZE], who[FROM_SIZE];

    if (!log_enabled(LOG_INFO))
        return;
    uuid_format(id, upload->id);
    log_event(LOG_INFO, event,
              LOG_FIELDS(log_text("blob", id), log_number("bytes", upload->bytes),
                         log_number("ms", upload->ms), log_text("peer", request->peer),
                         client_field(request)),
              "%s %s %llu bytes from %s, %llu ms", event, id,
              (unsigned long long)upload->bytes, from(who, request),
              (unsigned long long)upload->ms);
}

void service_log_refused(struct log_limit *limit, const struct request *request,
                         const struct service_log_upload *upload)
{
    const struct reply *reply = &request->reply;
    bool serious = reply->status == 500 || reply->status == 507;
    char id[UUID_TEXT_SIZE] = "", who[FROM_SIZE], method[METHOD_SIZE];
    char target[TARGET_SIZE];

    if (!upload->id && !serious && !log_limit_allows(limit))
        return;
    if (upload->id)
        uuid_format(id, upload->id);
    snprintf(method, sizeof(method), "%.*s", METHOD_SIZE - 1, request->method);
    snprintf(target, sizeof(target), "%.*s", TARGET_SIZE - 1, request->target);
    log_event(serious ? LOG_ERROR : LOG_WARN, "refused",
              LOG_FIELDS(log_number("status", reply->status),
                         log_text("reason", reply->reason), log_text("blob", id),
                         log_text("method", method), log_text("target", target),
                         log_text("peer", request->peer), client_field(request)),
              "refused %s %s from %s: %d %s%s%s", method, target, from(who, request),
              reply->status, reply->reason, upload->id ? ", blob " : "", id);
}

void service_log_abandoned(const struct request *request,
                           const struct service_log_upload *upload, const char *why)
{
    char id[UUID_TEXT_SIZE] = "", who[FROM_SIZE];

    if (upload->id)
        uuid_format(id, upload->id);
    log_event(LOG_WARN, "abandoned",
              LOG_FIELDS(log_text("blob", id), log_number("bytes", upload->bytes),
                         log_text("reason", why), log_text("peer", request->peer),
                         client_field(request)),
              "abandoned %s from %s after %llu bytes: %s",
              upload->id ? id : "an upload", from(who, request),
              (unsigned long long)upload->bytes, why);
}

void service_log_served(const struct request *request)
{
    if (!log_enabled(LOG_DEBUG))
        return;
    log_event(LOG_DEBUG, "served",
              LOG_FIELDS(log_number("status", request->reply.status),
                         log_text("target", request->target),
                         log_text("peer", request->peer)),
              "served %s %s to %s: %d", request->method, request->target, request->peer,
              request->reply.status);
}
