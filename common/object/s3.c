/* SPDX-License-Identifier: MIT */
#include "common/object/s3.h"

#include "common/clock.h"
#include "common/object/metadata.h"
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
    .verifies_digest = true,
};

enum { CONNECT_TIMEOUT_MS = 10000, STALL_BYTES_PER_S = 16 };

struct s3_store *s3_store_of(struct object_session *session)
{
    return (struct s3_store *)session->store;
}

/* ---- where ---- */

/* A bucket whose name can stand in a host name under one wildcard certificate. */
static bool is_host_label(const char *bucket)
{
    size_t n = strlen(bucket);

    return n >= 3 && n <= 63 && bucket[0] != '-' && bucket[n - 1] != '-' &&
           strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static enum status aim_at_amazon(struct s3_store *store, struct error *err)
{
    const char *region = store->settings.region;
    const char *suffix = strncmp(region, "cn-", 3) == 0 ? ".cn" : "";
    bool in_host = is_host_label(store->bucket);
    char url[AWS_URL_SIZE];

    snprintf(url, sizeof url, "https://%s%ss3.%s.amazonaws.com%s",
             in_host ? store->bucket : "", in_host ? "." : "", region, suffix);
    store->base_path[0] = '\0';
    if (!in_host)
        snprintf(store->base_path, sizeof store->base_path, "/%s", store->bucket);
    return endpoint_parse(&store->endpoint, url, err);
}

static enum status aim_at_endpoint(struct s3_store *store, struct error *err)
{
    struct text path;
    enum status st;

    st = endpoint_parse(&store->endpoint, store->settings.endpoint_url, err);
    if (st != ST_OK)
        return st;
    text_init(&path, store->base_path, sizeof store->base_path);
    text_add(&path, store->endpoint.path);
    text_add(&path, "/");
    text_percent(&path, store->bucket, TEXT_WORD);
    assert(!path.overflow);
    return ST_OK;
}

static enum status aim(struct s3_store *store, struct error *err)
{
    enum status st = *store->settings.endpoint_url ? aim_at_endpoint(store, err)
                                                   : aim_at_amazon(store, err);

    if (st == ST_OK)
        snprintf(store->base.place, sizeof store->base.place, "%s://%s%s",
                 endpoint_scheme(&store->endpoint), store->endpoint.host,
                 store->base_path);
    return st;
}

enum status s3_aim(struct s3_session *session, struct error *err)
{
    struct s3_store *store = s3_store_of(&session->base);
    const struct sigv4_scope scope = {.access_key = store->settings.access_key,
                                      .secret_key = store->settings.secret_key,
                                      .region = store->settings.region,
                                      .service = "s3"};
    enum status st = aim(store, err);

    if (st != ST_OK)
        return st;
    sigv4_destroy(&session->signer);
    return sigv4_create(&session->signer, &scope, err);
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
        st = aim(store, err);
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

static enum status s3_session_open(struct object_store *base,
                                   struct object_session **out, struct error *err)
{
    struct s3_store *store = (struct s3_store *)base;
    const struct exchange_config config = {.connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                           .ca_file = store->options.ca_file,
                                           .cancel = store->options.cancel};
    struct s3_session *session = calloc(1, sizeof *session);
    const struct sigv4_scope scope = {.access_key = store->settings.access_key,
                                      .secret_key = store->settings.secret_key,
                                      .region = store->settings.region,
                                      .service = "s3"};
    enum status st;

    if (!session)
        return error_sys(err, ENOMEM, "open a session");
    session->base.store = base;
    st = exchange_create(&session->exchange, &config, err);
    if (st == ST_OK)
        st = sigv4_create(&session->signer, &scope, err);
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
    answer->retry_after_ms = response->retry_after_ms;
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

static void add_metadata(struct s3_metadata *out, const char *name, const char *value)
{
    assert(out->count < S3_META_HEADERS);
    out->headers[out->count++] = (struct exchange_header){name, value};
}

void s3_metadata_write(struct s3_metadata *out,
                       const struct object_description *description)
{
    out->count = 0;
    add_metadata(out, "content-type", "application/octet-stream");
    if (description->has_modified)
        add_metadata(out, "x-amz-meta-mtime",
                     metadata_format_time(out->modified, description->modified));
    if (description->has_mode)
        add_metadata(out, "x-amz-meta-mode",
                     metadata_format_mode(out->mode, description->mode));
    if (description->has_owner) {
        snprintf(out->uid, sizeof out->uid, "%u", (unsigned)description->uid);
        snprintf(out->gid, sizeof out->gid, "%u", (unsigned)description->gid);
        add_metadata(out, "x-amz-meta-uid", out->uid);
        add_metadata(out, "x-amz-meta-gid", out->gid);
    }
    if (description->has_digest)
        add_metadata(out, "x-amz-meta-sha256",
                     sha256_to_hex(out->digest, &description->digest));
}

static enum status s3_put(struct object_session *base, const char *key,
                          const struct object_description *description,
                          const struct object_body *body, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    struct s3_metadata metadata;
    struct exchange_response response;
    struct s3_call call = {.method = "PUT",
                           .key = key,
                           .headers = metadata.headers,
                           .body = &body->source,
                           .digest = &body->digest};

    s3_metadata_write(&metadata, description);
    call.header_count = metadata.count;
    return s3_call(session, &call, &response, err);
}

static void read_description(struct exchange *exchange, struct object_description *out)
{
    char text[128];

    if (exchange_response_header(exchange, "Content-Length", text, sizeof text) &&
        !units_parse_count(text, &out->size))
        out->size = 0;
    if (exchange_response_header(exchange, "x-amz-meta-mtime", text, sizeof text))
        out->has_modified = metadata_parse_time(text, &out->modified);
    if (exchange_response_header(exchange, "x-amz-meta-mode", text, sizeof text))
        out->has_mode = metadata_parse_mode(text, &out->mode);
    if (exchange_response_header(exchange, "x-amz-meta-sha256", text, sizeof text))
        out->has_digest = sha256_from_hex(text, strlen(text), &out->digest);
}

static enum status s3_look(struct object_session *base, const char *key,
                           struct object_description *out, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    const struct s3_call call = {.method = "HEAD", .key = key};
    struct object_description description = {.size = 0};
    struct exchange_response response;
    enum status st = s3_call(session, &call, &response, err);

    if (st != ST_OK && base->answer.http_status == 404)
        return ST_END;
    if (st != ST_OK)
        return st;
    read_description(session->exchange, &description);
    *out = description;
    return ST_OK;
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
    .begin = s3_begin,
    .put_part = s3_put_part,
    .parts = s3_parts,
    .finish = s3_finish,
    .abort = s3_abort,
    .uploads = s3_uploads,
};
