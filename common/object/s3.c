/* SPDX-License-Identifier: MIT */
#include "common/object/s3.h"

#include "common/clock.h"
#include "common/object/providers.h"
#include "common/object/text.h"
#include "common/units.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char empty_digest[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static const struct object_limits s3_limits = {
    .key_bytes = 1024,
    .single_bytes = UINT64_C(5) << 30,
    .part_min_bytes = UINT64_C(5) << 20,
    .part_max_bytes = UINT64_C(5) << 30,
    .parts = 10000,
};

enum { CONNECT_TIMEOUT_MS = 10000, STALL_BYTES_PER_S = 16 };

struct s3_store *s3_store_of(struct object_session *session)
{
    return (struct s3_store *)session->store;
}

/* ---- store and session ---- */

static void s3_destroy(struct object_store *base)
{
    struct s3_store *store = (struct s3_store *)base;

    aws_settings_release(&store->settings);
    free(store);
}

static enum status s3_open(struct object_store **out,
                           const struct object_location *where,
                           const struct object_options *options, struct error *err)
{
    const struct aws_wishes wishes = {.profile = options->profile,
                                      .region = options->region,
                                      .endpoint_url = options->endpoint_url};
    struct s3_store *store = calloc(1, sizeof *store);
    enum status st;

    if (!store)
        return error_sys(err, ENOMEM, "open a bucket");
    store->base = (struct object_store){.ops = &object_store_s3, .limits = s3_limits};
    store->options = *options;
    strcpy(store->bucket, where->bucket);
    st = aws_settings_load(&store->settings, &wishes, err);
    if (st == ST_OK)
        st = s3_aim(store, err);
    if (st != ST_OK) {
        s3_destroy(&store->base);
        return st;
    }
    *out = &store->base;
    return ST_OK;
}

static void s3_session_close(struct object_session *base)
{
    struct s3_session *session = (struct s3_session *)base;

    exchange_destroy(&session->exchange);
    sigv4_destroy(&session->signer);
    free(session);
}

enum status s3_renew_signer(struct s3_session *session, struct error *err)
{
    const struct aws_settings *settings = &s3_store_of(&session->base)->settings;
    const struct sigv4_scope scope = {.access_key = settings->access_key,
                                      .secret_key = settings->secret_key,
                                      .region = settings->region,
                                      .service = "s3"};

    sigv4_destroy(&session->signer);
    return sigv4_create(&session->signer, &scope, err);
}

static enum status s3_session_open(struct object_store *base,
                                   struct object_session **out, struct error *err)
{
    struct s3_store *store = (struct s3_store *)base;
    const struct exchange_config config = {.connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                           .ca_file = store->options.ca_file,
                                           .cancel = store->options.cancel};
    struct s3_session *session = calloc(1, sizeof *session);
    enum status st;

    if (!session)
        return error_sys(err, ENOMEM, "open a session");
    session->base.store = base;
    st = exchange_create(&session->exchange, &config, err);
    if (st == ST_OK)
        st = s3_renew_signer(session, err);
    if (st != ST_OK) {
        s3_session_close(&session->base);
        return st;
    }
    *out = &session->base;
    return ST_OK;
}

/* ---- one request ---- */

struct signed_headers {
    struct exchange_header list[SIGV4_HEADERS_MAX + 2];
    size_t count;
    char time[SIGV4_TIME_SIZE];
    char payload[SHA256_HEX_SIZE];
    char authorization[SIGV4_AUTHORIZATION_SIZE];
};

static void add_header(struct signed_headers *headers, const char *name,
                       const char *value)
{
    assert(headers->count < SIGV4_HEADERS_MAX + 2);
    headers->list[headers->count++] = (struct exchange_header){name, value};
}

static enum status build_url(struct s3_session *session, const struct s3_call *call,
                             struct error *err)
{
    struct s3_store *store = s3_store_of(&session->base);
    struct text path, url;

    text_init(&path, session->path, sizeof session->path);
    text_add(&path, store->base_path);
    if (call->key) {
        text_add(&path, "/");
        text_percent(&path, call->key, TEXT_PATH);
    } else if (path.length == 0) {
        text_add(&path, "/");
    }
    text_init(&url, session->url, sizeof session->url);
    text_format(&url, "%s://%s", endpoint_scheme(&store->endpoint),
                store->endpoint.host);
    text_add(&url, session->path);
    if (call->query) {
        text_add(&url, "?");
        text_add(&url, call->query);
    }
    if (path.overflow || url.overflow)
        return error_set(err, ST_INVALID, "key too long for a URL");
    return ST_OK;
}

static enum status sign(struct s3_session *session, const struct s3_call *call,
                        struct signed_headers *headers, struct error *err)
{
    struct s3_store *store = s3_store_of(&session->base);
    struct sigv4_request request = {
        .method = call->method,
        .path = session->path,
        .query = call->query ? call->query : "",
        .headers = headers->list,
        .time = headers->time,
        .payload_hash = headers->payload,
    };
    enum status st;

    sigv4_time(headers->time,
               clock_wall_ms() + (uint64_t)atomic_load(&store->clock_offset_ms));
    if (call->digest)
        sha256_to_hex(headers->payload, call->digest);
    else
        strcpy(headers->payload, empty_digest);
    add_header(headers, "host", store->endpoint.host);
    add_header(headers, "x-amz-content-sha256", headers->payload);
    add_header(headers, "x-amz-date", headers->time);
    if (*store->settings.session_token)
        add_header(headers, "x-amz-security-token", store->settings.session_token);
    request.header_count = headers->count;
    st = sigv4_authorize(session->signer, &request, headers->authorization, err);
    if (st == ST_OK)
        add_header(headers, "authorization", headers->authorization);
    return st;
}

/* Amazon's own header counts milliseconds. */
static uint64_t retry_after_ms(struct exchange *exchange,
                               const struct exchange_response *response)
{
    char text[32];
    uint64_t ms;

    if (response->retry_after_ms == 0 &&
        exchange_response_header(exchange, "x-amz-retry-after", text, sizeof text) &&
        units_parse_count(text, &ms))
        return ms;
    return response->retry_after_ms;
}

enum status s3_call(struct s3_session *session, const struct s3_call *call,
                    struct exchange_response *response, struct error *err)
{
    struct s3_store *store = s3_store_of(&session->base);
    struct object_answer *answer = &session->base.answer;
    struct signed_headers headers = {.count = 0};
    struct exchange_request request = {
        .method = call->method,
        .url = session->url,
        .headers = headers.list,
        .body = call->body,
        .stall_bytes_per_s = STALL_BYTES_PER_S,
        .stall_ms = store->options.stall_ms,
    };
    enum status st;

    *answer = (struct object_answer){.http_status = 0};
    session->region[0] = '\0';
    st = build_url(session, call, err);
    for (size_t i = 0; i < call->header_count; i++)
        add_header(&headers, call->headers[i].name, call->headers[i].value);
    if (st == ST_OK && !call->as_stranger)
        st = sign(session, call, &headers, err);
    if (st != ST_OK)
        return st;
    add_header(&headers, "Expect", "");
    request.header_count = headers.count;
    st = exchange_perform(session->exchange, &request, response, err);
    if (st != ST_OK)
        return st;
    answer->http_status = response->status;
    answer->retry_after_ms = retry_after_ms(session->exchange, response);
    if (exchange_verdict(response->status) == ST_OK)
        return ST_OK;
    return s3_explain(session, call, response, err);
}

static enum status read_text(void *context, uint64_t offset, void *into, size_t n,
                             struct error *err)
{
    (void)err;
    memcpy(into, (const char *)context + offset, n);
    return ST_OK;
}

enum status s3_text_body(char *text, struct exchange_body *body,
                         struct sha256_digest *digest, struct error *err)
{
    struct sha256 *sha = NULL;
    enum status st = sha256_create(&sha, err);

    if (st != ST_OK)
        return st;
    sha256_update(sha, text, strlen(text));
    st = sha256_finish(sha, digest, err);
    sha256_destroy(&sha);
    *body = (struct exchange_body){
        .size = strlen(text), .read = read_text, .context = text};
    return st;
}

/* ---- objects ---- */

const struct metadata_dialect s3_dialect = {
    .modified = "x-amz-meta-mtime",
    .mode = "x-amz-meta-mode",
    .uid = "x-amz-meta-uid",
    .gid = "x-amz-meta-gid",
    .digest = "x-amz-meta-sha256",
    .format_time = metadata_format_time,
    .parse_time = metadata_parse_time,
};

static enum status s3_put(struct object_session *base, const char *key,
                          const struct object_description *description,
                          const struct object_body *body, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    struct metadata_headers headers;
    struct exchange_response response;
    struct s3_call call = {.method = "PUT",
                           .key = key,
                           .headers = headers.list,
                           .body = &body->source,
                           .digest = &body->sum.digest};

    metadata_headers_write(&headers, &s3_dialect, description);
    metadata_headers_add(&headers, "content-type", "application/octet-stream");
    call.header_count = headers.count;
    return s3_call(session, &call, &response, err);
}

static enum status s3_look(struct object_session *base, const char *key,
                           struct object_description *out, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    const struct s3_call call = {.method = "HEAD", .key = key};
    struct exchange_response response;
    enum status st = s3_call(session, &call, &response, err);

    if (st != ST_OK && base->answer.http_status == 404)
        return ST_END;
    if (st == ST_OK)
        metadata_headers_read(out, &s3_dialect, session->exchange);
    return st;
}

const struct object_store_ops object_store_s3 = {
    .scheme = "s3",
    .title = "bucket",
    .open = s3_open,
    .destroy = s3_destroy,
    .session_open = s3_session_open,
    .session_close = s3_session_close,
    .prepare = s3_prepare,
    .put = s3_put,
    .look = s3_look,
    .is_public = s3_is_public,
    .begin = s3_begin,
    .put_part = s3_put_part,
    .parts = s3_parts,
    .finish = s3_finish,
    .abort = s3_abort,
    .uploads = s3_uploads,
};
