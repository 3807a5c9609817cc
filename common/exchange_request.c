/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/exchange_private.h"
#include "common/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SMALL_BODY_MAX = 64 * 1024 - 1, /* libcurl sends less than 64 KiB of POSTFIELDS in
                                       one send with the headers */
};

size_t exchange_read_body(char *into, size_t size, size_t count, void *context)
{
    struct leg *leg = ((struct exchange *)context)->leg;
    const struct exchange_body *body = leg->request->body;
    uint64_t rest = body->size - leg->sent;
    size_t n = size * count;

    /* libcurl sends whatever it is given, even past the declared length. */
    if (n > rest)
        n = (size_t)rest;
    if (n == 0)
        return 0;
    if (body->read(body->context, leg->sent, into, n, &leg->failure) != ST_OK)
        return CURL_READFUNC_ABORT;
    leg->sent += n;
    return n;
}

int exchange_seek_body(void *context, curl_off_t offset, int origin)
{
    struct leg *leg = ((struct exchange *)context)->leg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > leg->request->body->size)
        return CURL_SEEKFUNC_CANTSEEK;
    leg->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool is_credential(const char *name)
{
    return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0 ||
           strcasecmp(name, "Proxy-Authorization") == 0;
}

static enum status append_header(struct curl_slist **list, const char *name,
                                 const char *value, struct error *err)
{
    struct curl_slist *longer;
    char *line;

    if (strpbrk(name, "\r\n:") || strpbrk(value, "\r\n"))
        return error_set(err, ST_INVALID, "header '%.64s' contains a line break", name);
    if (asprintf(&line, *value ? "%s: %s" : "%s:%s", name, value) < 0)
        return error_sys(err, ENOMEM, "header '%.64s'", name);
    longer = curl_slist_append(*list, line);
    free(line);
    if (!longer)
        return error_sys(err, ENOMEM, "header '%.64s'", name);
    *list = longer;
    return ST_OK;
}

/* On failure, too, *list must be freed. */
static enum status build_headers(struct curl_slist **list, const struct leg *leg,
                                 struct error *err)
{
    const struct exchange_request *request = leg->request;
    bool has_type = false;
    enum status st = ST_OK;

    for (size_t i = 0; i < request->header_count && st == ST_OK; i++) {
        const struct exchange_header *header = &request->headers[i];

        has_type = has_type || strcasecmp(header->name, "Content-Type") == 0;
        if (leg->with_credentials || !is_credential(header->name))
            st = append_header(list, header->name, header->value, err);
    }
    for (size_t i = 0; i < request->private_header_count && st == ST_OK; i++) {
        if (leg->with_credentials)
            st = append_header(list, request->private_headers[i].name,
                               request->private_headers[i].value, err);
    }
    if (st == ST_OK && !has_type) /* libcurl's default would be a lie */
        st = append_header(list, "Content-Type", "", err);
    return st;
}

static bool sends_a_length(const struct exchange_request *request)
{
    const char *method = request->method;

    return request->body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static enum status load_small_body(struct exchange *exchange, struct error *err)
{
    const struct exchange_body *body = exchange->leg->request->body;

    if (!exchange->small)
        exchange->small = malloc(SMALL_BODY_MAX);
    if (!exchange->small)
        return error_sys(err, ENOMEM, "buffer a request body");
    if (!body || body->size == 0)
        return ST_OK;
    return body->read(body->context, 0, exchange->small, (size_t)body->size, err);
}

/* Every method with a body is a POST by another name to libcurl: its own PUT would ask
 * for 100-continue whatever the size. Sets the whole group each time, in an order in
 * which no option undoes an earlier one, so nothing of the last request remains. */
static enum status set_method_and_body(struct exchange *exchange, struct error *err)
{
    const struct exchange_request *request = exchange->leg->request;
    uint64_t size = request->body ? request->body->size : 0;
    bool head = strcmp(request->method, "HEAD") == 0;
    CURL *curl = exchange->curl;

    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
    if (!sends_a_length(request)) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        if (head)
            curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
        if (size <= SMALL_BODY_MAX) {
            if (load_small_body(exchange, err) != ST_OK)
                return err->status;
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, exchange->small);
        }
    }
    if (curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, head ? NULL : request->method) !=
        CURLE_OK)
        return error_sys(err, ENOMEM, "set up a request");
    return ST_OK;
}

enum status exchange_prepare(struct exchange *exchange, struct curl_slist **headers,
                             struct error *err)
{
    struct leg *leg = exchange->leg;
    CURL *curl = exchange->curl;
    bool watched = exchange->config.cancel || leg->request->stall_ms > 0 ||
                   exchange->gather;
    char origin[URL_ORIGIN_SIZE];
    enum status st;

    if (exchange->config.cancel && latch_is_set(exchange->config.cancel))
        return error_set(err, ST_CLOSED, "cancelled");
    st = build_headers(headers, leg, err);
    if (st != ST_OK)
        return st;
    st = set_method_and_body(exchange, err);
    if (st != ST_OK)
        return st;
    if (curl_easy_setopt(curl, CURLOPT_URL, leg->url) != CURLE_OK)
        return error_set(err, ST_INVALID, "unusable URL at '%s'",
                         url_origin(origin, leg->url));
    /* A proxy of the environment cannot reach this machine by that name. */
    curl_easy_setopt(curl, CURLOPT_PROXY, url_is_loopback(leg->url) ? "" : NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)leg->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NETRC,
                     (long)(leg->request->netrc && leg->with_credentials
                                ? CURL_NETRC_OPTIONAL
                                : CURL_NETRC_IGNORED));
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, watched ? 0L : 1L);
    if (leg->request->stall_ms > 0)
        leg->window_start_ns = clock_monotonic_ns();
    exchange->curl_text[0] = '\0';
    return ST_OK;
}
