/* SPDX-License-Identifier: MIT */
#include "common/exchange.h"

#include "common/clock.h"
#include "version.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SMALL_BODY_MAX = 64 * 1024 - 1,   /* libcurl sends less than 64 KiB of POSTFIELDS in
                                         one send with the headers */
    UPLOAD_BUFFER_BYTES = 512 * 1024, /* larger brings nothing but page faults */
    IDLE_CONNECTION_MAX_S = 30,       /* below the idle timeout of any sane server */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    ORIGIN_TEXT_SIZE = 160,
    REDIRECT_BODY_MAX = 64 * 1024,   /* read, so that the connection can be kept */
    DISCARDED_MAX = 4 * 1024 * 1024, /* beyond what is kept of an answer */
};

/* One request on the wire and its answer; a redirect that is followed makes another. */
struct leg {
    const struct exchange_request *request;
    const char *url;
    uint64_t timeout_ms;   /* 0: none */
    unsigned redirects;    /* still allowed */
    bool with_credentials; /* false once a redirect has led to another origin */

    uint64_t sent;                          /* bytes of the body handed to libcurl */
    uint64_t window_start_ns, window_bytes; /* of the stall watch */
    uint64_t discarded;                     /* bytes of the answer nobody wants */
    size_t gathered;                        /* bytes of it the sink is yet to get */
    bool headers_ended; /* of the last answer, interim ones included */
    bool answered;
    char *next_url; /* libcurl's to free; NULL: no redirect to follow */
    bool next_same_origin;
    struct exchange_response response;
    struct error failure; /* of a callback; ST_OK: none */
};

struct exchange {
    CURL *curl;
    struct exchange_config config;
    char curl_text[CURL_ERROR_SIZE];
    uint8_t *small; /* SMALL_BODY_MAX bytes, from the first small body on */
    char *gather;   /* receive_buffer_bytes; NULL: not wanted */
    struct leg *leg;
    char answer[EXCHANGE_BODY_MAX + 1];
};

enum status exchange_global_init(struct error *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

    if (code != CURLE_OK)
        return error_set(err, ST_SYSTEM, "initialise libcurl: %s",
                         curl_easy_strerror(code));
    return ST_OK;
}

void exchange_global_cleanup(void)
{
    curl_global_cleanup();
}

static size_t read_body(char *into, size_t size, size_t count, void *context)
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

static int seek_body(void *context, curl_off_t offset, int origin)
{
    struct leg *leg = ((struct exchange *)context)->leg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > leg->request->body->size)
        return CURL_SEEKFUNC_CANTSEEK;
    leg->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static const char *header_value(CURL *curl, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* Redirects are ours to follow, so that credentials never leave their origin. */

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *in_a = NULL, *in_b = NULL;
    bool same = curl_url_get(a, part, &in_a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &in_b, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                strcasecmp(in_a, in_b) == 0;

    curl_free(in_a);
    curl_free(in_b);
    return same;
}

static bool is_http(CURLU *url)
{
    char *scheme = NULL;
    bool http = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);

    curl_free(scheme);
    return http;
}

/* Resolves Location against the leg's URL; what leads nowhere is not followed. */
static void resolve_redirect(CURL *curl, struct leg *leg)
{
    const char *location = header_value(curl, "Location");
    const unsigned flags = CURLU_PATH_AS_IS | CURLU_URLENCODE;
    CURLU *from = curl_url(), *to = curl_url();

    if (from && to && location &&
        curl_url_set(from, CURLUPART_URL, leg->url, flags) == CURLUE_OK &&
        curl_url_set(to, CURLUPART_URL, leg->url, flags) == CURLUE_OK &&
        curl_url_set(to, CURLUPART_URL, location, flags) == CURLUE_OK && is_http(to) &&
        curl_url_get(to, CURLUPART_URL, &leg->next_url, 0) == CURLUE_OK)
        leg->next_same_origin = same_part(from, to, CURLUPART_SCHEME) &&
                                same_part(from, to, CURLUPART_HOST) &&
                                same_part(from, to, CURLUPART_PORT);
    curl_url_cleanup(from);
    curl_url_cleanup(to);
}

static bool should_follow(const struct exchange *exchange, int status)
{
    const struct leg *leg = exchange->leg;
    const char *method = leg->request->method;
    bool reading = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    if (leg->redirects == 0)
        return false;
    if (status == 307 || status == 308)
        return true;
    return reading && (status == 301 || status == 302 || status == 303);
}

/* Once per leg, when the final headers are known. */
static enum status begin_answer(struct exchange *exchange)
{
    struct leg *leg = exchange->leg;
    const struct exchange_sink *sink = leg->request->sink;
    long status = 0;
    curl_off_t retry_after_s = 0;

    leg->answered = true;
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(exchange->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    leg->response.status = (int)status;
    leg->response.retry_after_ms = retry_after_s > 0
                                       ? (uint64_t)retry_after_s * UINT64_C(1000)
                                       : 0;
    if (should_follow(exchange, leg->response.status))
        resolve_redirect(exchange->curl, leg);
    if (leg->next_url || !sink || !sink->begin)
        return ST_OK;
    return sink->begin(sink->context, exchange, &leg->response, &leg->failure);
}

/* libcurl takes an answer that ends amid its headers for a whole one. */
static size_t see_header(const char *line, size_t size, size_t count, void *context)
{
    struct leg *leg = ((struct exchange *)context)->leg;
    size_t n = size * count;

    leg->headers_ended = n > 0 && (line[0] == '\r' || line[0] == '\n');
    return n;
}

/* Returns n, or what makes libcurl end the transfer. */
static size_t discard(struct leg *leg, size_t n, uint64_t max)
{
    leg->discarded += n;
    if (leg->discarded <= max)
        return n;
    error_set(&leg->failure, ST_AGAIN, "the server sends without end with %s",
              leg->next_url ? "a redirect" : "an answer that should be short");
    return n + 1;
}

static enum status give_gathered(struct exchange *exchange)
{
    struct leg *leg = exchange->leg;
    const struct exchange_sink *sink = leg->request->sink;
    size_t n = leg->gathered;

    leg->gathered = 0;
    return n > 0 ? sink->write(sink->context, exchange->gather, n, &leg->failure)
                 : ST_OK;
}

/* libcurl hands over what it has received in steps of 16 KiB, each of which would cost
 * a sink that writes files a system call: they are put together again. Nothing waits
 * here for bytes that are still to come. */
static enum status fill_sink(struct exchange *exchange, const char *bytes, size_t n)
{
    struct leg *leg = exchange->leg;
    const struct exchange_sink *sink = leg->request->sink;
    size_t room = exchange->config.receive_buffer_bytes;

    if (n == 0)
        return ST_OK;
    if (n > room - leg->gathered && give_gathered(exchange) != ST_OK)
        return leg->failure.status;
    if (n > room)
        return sink->write(sink->context, bytes, n, &leg->failure);
    memcpy(exchange->gather + leg->gathered, bytes, n);
    leg->gathered += n;
    return ST_OK;
}

static size_t write_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    struct leg *leg = exchange->leg;
    const struct exchange_sink *sink = leg->request->sink;
    struct exchange_response *response = &leg->response;
    size_t n = size * count, keep;

    if (!leg->answered && begin_answer(exchange) != ST_OK)
        return 0;
    if (leg->next_url)
        return discard(leg, n, REDIRECT_BODY_MAX);
    if (sink) {
        /* anything but n ends the transfer, also when n is 0 */
        return fill_sink(exchange, bytes, n) == ST_OK ? n : n + 1;
    }
    keep = EXCHANGE_BODY_MAX - response->body_length;
    if (keep > n)
        keep = n;
    memcpy(exchange->answer + response->body_length, bytes, keep);
    response->body_length += keep;
    return discard(leg, n - keep, DISCARDED_MAX) == n - keep ? n : n + 1;
}

static bool has_stalled(struct leg *leg, uint64_t bytes)
{
    const struct exchange_request *request = leg->request;
    uint64_t now_ns, elapsed_ms;

    if (request->stall_bytes_per_s == 0 || request->stall_ms == 0)
        return false;
    now_ns = clock_monotonic_ns();
    elapsed_ms = (now_ns - leg->window_start_ns) / 1000000;
    if (elapsed_ms < request->stall_ms)
        return false;
    if ((double)(bytes - leg->window_bytes) * 1000 <
        (double)request->stall_bytes_per_s * (double)elapsed_ms)
        return true;
    leg->window_start_ns = now_ns;
    leg->window_bytes = bytes;
    return false;
}

/* Called after everything that has been received, and once a second. */
static int watch(void *context, curl_off_t to_get, curl_off_t got, curl_off_t to_put,
                 curl_off_t put)
{
    struct exchange *exchange = context;
    struct leg *leg = exchange->leg;

    (void)to_get;
    (void)to_put;
    if (give_gathered(exchange) != ST_OK)
        return 1;
    if (exchange->config.cancel && latch_is_set(exchange->config.cancel)) {
        error_set(&leg->failure, ST_CLOSED, "cancelled");
        return 1;
    }
    if (has_stalled(leg, (uint64_t)got + (uint64_t)put)) {
        error_set(&leg->failure, ST_AGAIN, "slower than %llu bytes/s for %llu ms",
                  (unsigned long long)leg->request->stall_bytes_per_s,
                  (unsigned long long)leg->request->stall_ms);
        return 1;
    }
    return 0;
}

/* What stays the same for every request. Of these only strings can fail, for want of
 * memory. Set once: setting the upload buffer's size again would reallocate it. */
static CURLcode configure(struct exchange *exchange)
{
    const struct exchange_config *config = &exchange->config;
    CURL *curl = exchange->curl;
    const struct {
        CURLoption option;
        const char *value;
    } strings[] = {
        {CURLOPT_PROTOCOLS_STR, "http,https"},
        {CURLOPT_USERAGENT, "blobstream/" BLOBSTREAM_VERSION},
        {CURLOPT_CAINFO, config->ca_file},
        {CURLOPT_SSLCERT, config->cert_file},
        {CURLOPT_SSLKEY, config->key_file},
        {CURLOPT_UNIX_SOCKET_PATH, config->unix_socket},
    };

    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->curl_text);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_MAX_S);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER_BYTES);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, seek_body);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, see_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
    if (exchange->gather)
        curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)config->receive_buffer_bytes);
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        CURLcode code = CURLE_OK;

        if (strings[i].value)
            code = curl_easy_setopt(curl, strings[i].option, strings[i].value);
        if (code != CURLE_OK)
            return code;
    }
    return CURLE_OK;
}

enum status exchange_create(struct exchange **out, const struct exchange_config *config,
                            struct error *err)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (!exchange)
        return error_sys(err, ENOMEM, "create an HTTP client");
    exchange->config = *config;
    exchange->curl = curl_easy_init();
    if (config->receive_buffer_bytes > 0)
        exchange->gather = malloc(config->receive_buffer_bytes);
    if (exchange->curl && (exchange->gather || config->receive_buffer_bytes == 0))
        code = configure(exchange);
    if (code != CURLE_OK) {
        exchange_destroy(&exchange);
        return error_set(err, ST_SYSTEM, "create an HTTP client: %s",
                         curl_easy_strerror(code));
    }
    *out = exchange;
    return ST_OK;
}

void exchange_destroy(struct exchange **exchange)
{
    if (!*exchange)
        return;
    curl_easy_cleanup((*exchange)->curl);
    free((*exchange)->small);
    free((*exchange)->gather);
    free(*exchange);
    *exchange = NULL;
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

static bool is_loopback(const char *url)
{
    CURLU *parsed = curl_url();
    char *host = NULL;
    bool loopback = false;

    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        loopback = strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0 ||
                   strcasecmp(host, "localhost") == 0;
    curl_free(host);
    curl_url_cleanup(parsed);
    return loopback;
}

/* scheme://host:port: what a person needs, without what may be secret. */
static const char *origin_of(char out[ORIGIN_TEXT_SIZE], const char *url)
{
    const char *authority = strstr(url, "://");
    size_t scheme_length = authority ? (size_t)(authority + 3 - url) : 0;
    size_t length;
    const char *at;

    authority = url + scheme_length;
    length = strcspn(authority, "/?#");
    at = memrchr(authority, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - authority);
        authority = at + 1;
    }
    snprintf(out, ORIGIN_TEXT_SIZE, "%.*s%.*s", (int)scheme_length, url, (int)length,
             authority);
    return out;
}

static enum status prepare(struct exchange *exchange, struct curl_slist **headers,
                           struct error *err)
{
    struct leg *leg = exchange->leg;
    CURL *curl = exchange->curl;
    bool watched = exchange->config.cancel || leg->request->stall_ms > 0 ||
                   exchange->gather;
    char origin[ORIGIN_TEXT_SIZE];
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
                         origin_of(origin, leg->url));
    /* A proxy of the environment cannot reach this machine by that name. */
    curl_easy_setopt(curl, CURLOPT_PROXY, is_loopback(leg->url) ? "" : NULL);
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

static enum status classify(CURL *curl, CURLcode code)
{
    long request_bytes = 0;

    switch ((int)code) {
    case CURLE_OK:
        return ST_OK;
    case CURLE_UNSUPPORTED_PROTOCOL:
        /* libcurl says so of a bad URL, but also of an answer that is not HTTP */
        curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &request_bytes);
        return request_bytes > 0 ? ST_AGAIN : ST_INVALID;
    case CURLE_URL_MALFORMAT:
        return ST_INVALID;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_LOGIN_DENIED:
    case CURLE_AUTH_ERROR:
        return ST_REFUSED;
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
        return ST_SYSTEM;
    default: /* all else happens on the wire */
        return ST_AGAIN;
    }
}

static enum status explain(struct exchange *exchange, CURLcode code, struct error *err)
{
    enum status st = classify(exchange->curl, code);
    char origin[ORIGIN_TEXT_SIZE];
    const char *why = exchange->curl_text[0] ? exchange->curl_text
                                             : curl_easy_strerror(code);
    long sys = 0;

    origin_of(origin, exchange->leg->url);
    if (code == CURLE_COULDNT_CONNECT) {
        curl_easy_getinfo(exchange->curl, CURLINFO_OS_ERRNO, &sys);
        error_set(err, st, "cannot connect to %s: %s", origin,
                  sys ? strerrordesc_np((int)sys) : why);
        err->sys = (int)sys;
        return st;
    }
    return error_set(err, st, "%s: %s", origin, why);
}

/* An error status seen while the peer was already closing: the reset that cost us the
 * rest of its explanation does not make the refusal less final. */
static bool is_cut_refusal(const struct leg *leg, CURLcode code, long status)
{
    return !leg->request->sink && status >= 400 && leg->failure.status == ST_OK &&
           (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
            code == CURLE_PARTIAL_FILE);
}

static enum status conclude(struct exchange *exchange, CURLcode code, struct error *err)
{
    struct leg *leg = exchange->leg;
    long status = 0;

    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && !leg->answered && !leg->headers_ended) {
        code = CURLE_PARTIAL_FILE;
        snprintf(exchange->curl_text, sizeof exchange->curl_text,
                 "the answer ended amid its headers");
    }
    if (leg->failure.status == ST_OK && give_gathered(exchange) != ST_OK) {
        *err = leg->failure;
        return err->status;
    }
    if (code == CURLE_OK || is_cut_refusal(leg, code, status)) {
        if (!leg->answered && begin_answer(exchange) != ST_OK) {
            *err = leg->failure;
            return err->status;
        }
        exchange->answer[leg->response.body_length] = '\0';
        leg->response.body = exchange->answer;
        return ST_OK;
    }
    if (leg->failure.status != ST_OK) {
        *err = leg->failure;
        return err->status;
    }
    return explain(exchange, code, err);
}

static enum status perform_leg(struct exchange *exchange, struct leg *leg,
                               struct error *err)
{
    struct curl_slist *headers = NULL;
    enum status st;

    exchange->leg = leg;
    st = prepare(exchange, &headers, err);
    if (st == ST_OK)
        st = conclude(exchange, curl_easy_perform(exchange->curl), err);
    curl_easy_setopt(exchange->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    exchange->leg = NULL;
    return st;
}

/* Milliseconds left of a timeout that began at start_ns; never 0, which means none. */
static uint64_t remaining_ms(uint64_t timeout_ms, uint64_t start_ns)
{
    uint64_t elapsed_ms = (clock_monotonic_ns() - start_ns) / 1000000;

    if (timeout_ms == 0)
        return 0;
    return elapsed_ms < timeout_ms ? timeout_ms - elapsed_ms : 1;
}

enum status exchange_perform(struct exchange *exchange,
                             const struct exchange_request *request,
                             struct exchange_response *response, struct error *err)
{
    uint64_t start_ns = request->max_redirects > 0 ? clock_monotonic_ns() : 0;
    struct leg leg = {.url = request->url,
                      .timeout_ms = request->timeout_ms,
                      .redirects = request->max_redirects,
                      .with_credentials = true};
    char *url = NULL;
    enum status st;

    for (;;) {
        leg.request = request;
        st = perform_leg(exchange, &leg, err);
        if (st != ST_OK || !leg.next_url)
            break;
        curl_free(url);
        url = leg.next_url;
        leg = (struct leg){
            .url = url,
            .timeout_ms = remaining_ms(request->timeout_ms, start_ns),
            .redirects = leg.redirects - 1,
            .with_credentials = leg.with_credentials && leg.next_same_origin,
        };
    }
    if (st == ST_OK)
        *response = leg.response;
    curl_free(leg.next_url);
    curl_free(url);
    return st;
}

bool exchange_response_header(struct exchange *exchange, const char *name, char *out,
                              size_t size)
{
    const char *value = header_value(exchange->curl, name);

    assert(size > 0);
    if (!value)
        return false;
    snprintf(out, size, "%s", value);
    return true;
}

bool exchange_source(struct exchange *exchange, char *url, size_t size,
                     bool *same_origin)
{
    const struct leg *leg = exchange->leg;

    assert(leg);
    *same_origin = leg->with_credentials;
    return (size_t)snprintf(url, size, "%s", leg->url) < size;
}

enum status exchange_verdict(int http_status)
{
    if (http_status >= 200 && http_status < 300)
        return ST_OK;
    if (http_status == 408 || http_status == 425 || http_status == 429 ||
        http_status >= 500)
        return ST_AGAIN;
    return ST_REFUSED;
}
