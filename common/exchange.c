/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/exchange_private.h"
#include "common/url.h"
#include "version.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    UPLOAD_BUFFER_BYTES = 512 * 1024, /* larger brings nothing but page faults */
    IDLE_CONNECTION_MAX_S = 30,       /* below the idle timeout of any sane server */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    REDIRECT_BODY_MAX = 64 * 1024,   /* read, so that the connection can be kept */
    DISCARDED_MAX = 4 * 1024 * 1024, /* beyond what is kept of an answer */
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

static const char *header_value(CURL *curl, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* Redirects are ours to follow, so that credentials never leave their origin. */
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
    const char *location;
    long status = 0;
    curl_off_t retry_after_s = 0;

    leg->answered = true;
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(exchange->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    leg->response.status = (int)status;
    leg->response.retry_after_ms = retry_after_s > 0
                                       ? (uint64_t)retry_after_s * UINT64_C(1000)
                                       : 0;
    location = header_value(exchange->curl, "Location");
    if (location && should_follow(exchange, leg->response.status))
        leg->next_url = url_resolve(leg->url, location, &leg->next_same_origin);
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
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, exchange_read_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, exchange);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, exchange_seek_body);
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
    char origin[URL_ORIGIN_SIZE];
    const char *why = exchange->curl_text[0] ? exchange->curl_text
                                             : curl_easy_strerror(code);
    long sys = 0;

    url_origin(origin, exchange->leg->url);
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
    st = exchange_prepare(exchange, &headers, err);
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
        url_free(url);
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
    url_free(leg.next_url);
    url_free(url);
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
