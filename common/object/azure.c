/* SPDX-License-Identifier: MIT */
#include "common/object/azure.h"

#include "common/clock.h"
#include "common/object/providers.h"
#include "common/object/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct object_limits azure_limits = {
    .key_bytes = 1024,
    .single_bytes = UINT64_C(5000) << 20,
    .part_min_bytes = 1,
    .part_max_bytes = UINT64_C(4000) << 20,
    .parts = 50000,
    .wants_md5 = true,
};

static const char api_version[] = "2021-12-02";

enum { CONNECT_TIMEOUT_MS = 10000, STALL_BYTES_PER_S = 16, DATE_SIZE = 40 };

static struct azure_store *store_of(struct object_session *session)
{
    return (struct azure_store *)session->store;
}

/* ---- store and session ---- */

static void azure_destroy(struct object_store *base)
{
    struct azure_store *store = (struct azure_store *)base;

    azure_settings_release(&store->settings);
    free(store);
}

static enum status aim(struct azure_store *store, const char *container,
                       struct error *err)
{
    struct text path;
    enum status st = endpoint_parse(&store->endpoint, store->settings.endpoint_url,
                                    err);

    if (st != ST_OK)
        return st;
    text_init(&path, store->base_path, sizeof store->base_path);
    text_add(&path, store->endpoint.path);
    text_add(&path, "/");
    text_percent(&path, container, TEXT_WORD);
    assert(!path.overflow);
    snprintf(store->base.place, sizeof store->base.place, "%s://%s%s",
             endpoint_scheme(&store->endpoint), store->endpoint.host, store->base_path);
    return ST_OK;
}

/* What Azure would store under another name, without a word. */
static const char *azure_objection(const char *key)
{
    size_t n = strlen(key);

    if (strchr(key, '\\'))
        return "Azure takes a backslash for a slash";
    if (strstr(key, "./") || key[n - 1] == '.')
        return "Azure drops a dot at the end of a name";
    return NULL;
}

static enum status azure_open(struct object_store **out,
                              const struct object_location *where,
                              const struct object_options *options, struct error *err)
{
    struct azure_store *store = calloc(1, sizeof *store);
    enum status st;

    if (!store)
        return error_sys(err, ENOMEM, "open a container");
    store->base = (struct object_store){.ops = &object_store_azure,
                                        .limits = azure_limits};
    store->options = *options;
    st = azure_settings_load(&store->settings, options->endpoint_url, err);
    if (st == ST_OK)
        st = aim(store, where->bucket, err);
    if (st != ST_OK) {
        azure_destroy(&store->base);
        return st;
    }
    *out = &store->base;
    return ST_OK;
}

static void azure_session_close(struct object_session *base)
{
    struct azure_session *session = (struct azure_session *)base;

    exchange_destroy(&session->exchange);
    free(session);
}

static enum status azure_session_open(struct object_store *base,
                                      struct object_session **out, struct error *err)
{
    struct azure_store *store = (struct azure_store *)base;
    const struct exchange_config config = {.connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                           .ca_file = store->options.ca_file,
                                           .cancel = store->options.cancel};
    struct azure_session *session = calloc(1, sizeof *session);
    enum status st;

    if (!session)
        return error_sys(err, ENOMEM, "open a session");
    session->base.store = base;
    st = exchange_create(&session->exchange, &config, err);
    if (st != ST_OK) {
        azure_session_close(&session->base);
        return st;
    }
    *out = &session->base;
    return ST_OK;
}

/* ---- one request ---- */

struct signed_headers {
    struct exchange_header list[SHAREDKEY_HEADERS_MAX];
    size_t count;
    char date[DATE_SIZE];
    char md5[MD5_BASE64_SIZE];
    char authorization[SHAREDKEY_AUTHORIZATION_SIZE];
};

static void add_header(struct signed_headers *headers, const char *name,
                       const char *value)
{
    assert(headers->count < SHAREDKEY_HEADERS_MAX);
    headers->list[headers->count++] = (struct exchange_header){name, value};
}

static enum status build_url(struct azure_session *session,
                             const struct azure_call *call, struct error *err)
{
    const struct azure_store *store = store_of(&session->base);
    const char *separator = "?";
    struct text path, url;

    text_init(&path, session->path, sizeof session->path);
    text_add(&path, store->base_path);
    if (call->key) {
        text_add(&path, "/");
        text_percent(&path, call->key, TEXT_PATH);
    }
    text_init(&url, session->url, sizeof session->url);
    text_format(&url, "%s://%s", endpoint_scheme(&store->endpoint),
                store->endpoint.host);
    text_add(&url, session->path);
    for (size_t i = 0; i < call->param_count; i++) {
        text_format(&url, "%s%s=", separator, call->params[i].name);
        text_percent(&url, call->params[i].value, TEXT_WORD);
        separator = "&";
    }
    if (store->settings.key_length == 0 && !call->as_stranger)
        text_format(&url, "%s%s", separator, store->settings.sas);
    if (path.overflow || url.overflow)
        return error_set(err, ST_INVALID, "key too long for a URL");
    return ST_OK;
}

static enum status sign(struct azure_session *session, const struct azure_call *call,
                        struct signed_headers *headers, struct error *err)
{
    const struct azure_store *store = store_of(&session->base);
    const struct sharedkey_request request = {
        .method = call->method,
        .account = store->settings.account,
        .path = session->path,
        .params = call->params,
        .param_count = call->param_count,
        .headers = headers->list,
        .header_count = headers->count,
        .content_length = call->body ? call->body->size : 0,
    };
    enum status st;

    if (store->settings.key_length == 0 || call->as_stranger)
        return ST_OK;
    st = sharedkey_authorize(store->settings.key, store->settings.key_length, &request,
                             headers->authorization, err);
    if (st == ST_OK)
        add_header(headers, "Authorization", headers->authorization);
    return st;
}

/* No request of this run will fare better. That says nothing against blocks that wait,
 * which a later run may commit. */
static bool is_hopeless(const char *code)
{
    static const char *const codes[] = {
        "AuthenticationFailed", "InvalidAuthenticationInfo", "AccountIsDisabled",
        "ContainerNotFound",    "ContainerDisabled",         "ContainerBeingDeleted",
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i], code) == 0)
            return true;
    }
    return false;
}

/* The bytes that came are not those of the MD5; Azurite has another word for it. */
static bool is_damage(const struct azure_call *call, const struct object_answer *answer)
{
    return call->md5 && answer->http_status == 400 &&
           (strcmp(answer->code, "Md5Mismatch") == 0 ||
            strcmp(answer->code, "InvalidOperation") == 0);
}

static enum status explain(struct azure_session *session, const struct azure_call *call,
                           struct error *err)
{
    struct object_answer *answer = &session->base.answer;
    int http_status = answer->http_status;
    enum status verdict = exchange_verdict(http_status);

    if (!exchange_response_header(session->exchange, "x-ms-error-code", answer->code,
                                  sizeof answer->code))
        answer->code[0] = '\0';
    answer->throttled = http_status == 503 || http_status == 429;
    answer->hopeless = !call->as_stranger && is_hopeless(answer->code);
    if (answer->hopeless)
        verdict = ST_AGAIN;
    else if (is_damage(call, answer))
        verdict = ST_CORRUPT;
    return error_set(err, verdict, "%s answered %d%s%s", call->method, http_status,
                     *answer->code ? " " : "", answer->code);
}

enum status azure_call(struct azure_session *session, const struct azure_call *call,
                       struct exchange_response *response, struct error *err)
{
    const struct azure_store *store = store_of(&session->base);
    struct object_answer *answer = &session->base.answer;
    struct signed_headers headers = {.count = 0};
    struct exchange_request request = {
        .method = call->method,
        .url = session->url,
        .headers = headers.list,
        .body = call->body,
        .sink = call->sink,
        .stall_bytes_per_s = STALL_BYTES_PER_S,
        .stall_ms = store->options.stall_ms,
    };
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm utc;
    enum status st;

    *answer = (struct object_answer){.http_status = 0};
    gmtime_r(&now, &utc);
    strftime(headers.date, sizeof headers.date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    for (size_t i = 0; i < call->header_count; i++)
        add_header(&headers, call->headers[i].name, call->headers[i].value);
    add_header(&headers, "x-ms-date", headers.date);
    add_header(&headers, "x-ms-version", api_version);
    if (call->md5)
        add_header(&headers, "Content-MD5", md5_to_base64(headers.md5, call->md5));
    st = build_url(session, call, err);
    if (st == ST_OK)
        st = sign(session, call, &headers, err);
    if (st != ST_OK)
        return st;
    add_header(&headers, "Expect", "");
    request.header_count = headers.count;
    st = exchange_perform(session->exchange, &request, response, err);
    if (st != ST_OK)
        return st;
    answer->http_status = response->status;
    answer->retry_after_ms = response->retry_after_ms;
    if (exchange_verdict(response->status) == ST_OK)
        return ST_OK;
    return explain(session, call, err);
}

/* ---- blobs ---- */

const struct metadata_dialect azure_dialect = {
    .modified = "x-ms-meta-mtime",
    .mode = "x-ms-meta-mode",
    .uid = "x-ms-meta-uid",
    .gid = "x-ms-meta-gid",
    .digest = "x-ms-meta-sha256",
    .format_time = metadata_format_date,
    .parse_time = metadata_parse_date,
};

static enum status azure_put(struct object_session *base, const char *key,
                             const struct object_description *description,
                             const struct object_body *body, struct error *err)
{
    struct metadata_headers headers;
    struct exchange_response response;
    struct azure_call call = {.method = "PUT",
                              .key = key,
                              .headers = headers.list,
                              .body = &body->source,
                              .md5 = body->sum.md5};

    metadata_headers_write(&headers, &azure_dialect, description);
    metadata_headers_add(&headers, "x-ms-blob-type", "BlockBlob");
    metadata_headers_add(&headers, "x-ms-blob-content-type",
                         "application/octet-stream");
    call.header_count = headers.count;
    return azure_call((struct azure_session *)base, &call, &response, err);
}

static enum status azure_look(struct object_session *base, const char *key,
                              struct object_description *out, struct error *err)
{
    struct azure_session *session = (struct azure_session *)base;
    const struct azure_call call = {.method = "HEAD", .key = key};
    struct exchange_response response;
    enum status st = azure_call(session, &call, &response, err);

    if (st != ST_OK && base->answer.http_status == 404)
        return ST_END;
    if (st == ST_OK)
        metadata_headers_read(out, &azure_dialect, session->exchange);
    return st;
}

/* Azure has no unfinished uploads to list or abort: it forgets uncommitted blocks by
 * itself, after a week. */
static enum status azure_abort(struct object_session *session, const char *key,
                               const char *upload, struct error *err)
{
    (void)key;
    (void)upload;
    (void)err;
    session->answer = (struct object_answer){.http_status = 0};
    return ST_OK;
}

static enum status azure_uploads(struct object_session *session, const char *prefix,
                                 object_upload_visit *visit, void *context,
                                 struct error *err)
{
    (void)prefix;
    (void)visit;
    (void)context;
    (void)err;
    session->answer = (struct object_answer){.http_status = 0};
    return ST_OK;
}

const struct object_store_ops object_store_azure = {
    .scheme = "az",
    .title = "container",
    .open = azure_open,
    .destroy = azure_destroy,
    .objection = azure_objection,
    .session_open = azure_session_open,
    .session_close = azure_session_close,
    .prepare = azure_prepare,
    .put = azure_put,
    .look = azure_look,
    .begin = azure_begin,
    .put_part = azure_put_part,
    .parts = azure_parts,
    .finish = azure_finish,
    .abort = azure_abort,
    .uploads = azure_uploads,
};
