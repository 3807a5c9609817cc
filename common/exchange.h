/* SPDX-License-Identifier: MIT */
/*
 * exchange -- one HTTP request and its answer, on a connection that is kept alive.
 *
 * An exchange owns one libcurl easy handle for life; a worker thread owns one exchange.
 * HTTP/1.1 only, no redirects unless asked for, no cookies, no decompression.
 *
 * Errors:  exchange_perform returns ST_OK whenever an HTTP answer arrived, whatever its
 *          status code; otherwise ST_AGAIN (network, or an unwanted body without end:
 *          worth another attempt), ST_REFUSED
 *          (TLS or credentials: not), ST_INVALID (URL), ST_CLOSED (cancelled), or what
 *          the body's read or the sink returned.
 * Owner:   request and everything it points to stay the caller's.
 * Threads: one thread at a time; exchange_global_init once, in main, before threads.
 * Source:  libcurl 7.88.
 */
#ifndef COMMON_EXCHANGE_H
#define COMMON_EXCHANGE_H

#include "common/latch.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;

struct exchange_config { /* strings must outlive the exchange */
    uint64_t connect_timeout_ms;
    const char *ca_file;         /* NULL: the system's */
    const char *cert_file;       /* client certificate; NULL: none */
    const char *key_file;        /* its key; NULL: in cert_file */
    const char *unix_socket;     /* connect here instead; NULL: by the URL */
    size_t receive_buffer_bytes; /* the most a sink gets at once; 0: 16 KiB */
    const struct latch *cancel;  /* set: abort within a second; NULL: never */
};

/* The body of a request: bytes by offset, so that a resend needs no rewinding. */
struct exchange_body {
    uint64_t size;
    /* Fills into[0..n) from offset, all of it; a failure ends the exchange. */
    enum status (*read)(void *context, uint64_t offset, void *into, size_t n,
                        struct error *err);
    void *context;
};

struct exchange_response {
    int status;              /* HTTP status code */
    uint64_t retry_after_ms; /* 0: none named */
    const char *body;        /* without a sink: the first EXCHANGE_BODY_MAX bytes of the
                                answer's body; NUL-terminated, valid until the next
                                perform */
    size_t body_length;
};

enum { EXCHANGE_BODY_MAX = 64 * 1024 };

/* Where the answer's body goes, when it is not small. */
struct exchange_sink {
    /* Once, after the final headers and before the first byte; status and headers can
     * be looked at. NULL: not wanted. A failure ends the exchange. */
    enum status (*begin)(void *context, struct exchange *exchange,
                         const struct exchange_response *response, struct error *err);
    enum status (*write)(void *context, const void *bytes, size_t n, struct error *err);
    void *context;
};

struct exchange_header {
    const char *name,
        *value; /* value "": libcurl's own header of that name is not sent */
};

struct exchange_request {
    const char *method; /* "GET", "HEAD", "POST", "PUT", ... */
    const char *url;
    const struct exchange_header *headers;
    size_t header_count;
    /* Not sent on to another origin by a redirect, as Authorization and Cookie among
     * `headers` are not either. */
    const struct exchange_header *private_headers;
    size_t private_header_count;
    bool netrc; /* user and password for the URL's own origin from ~/.netrc */
    const struct exchange_body *body; /* NULL: none */
    const struct exchange_sink *sink; /* NULL: keep it in response.body */
    uint64_t timeout_ms;              /* for the whole exchange; 0: none */
    uint64_t stall_bytes_per_s; /* slower than this for stall_ms: ST_AGAIN; 0: off */
    uint64_t stall_ms;
    /* 301 to 303 are followed for GET and HEAD only, 307 and 308 for any method, to
     * http and https. Past this many, or with 0, a 3xx is an answer like any other; so
     * is one that leads nowhere. */
    unsigned max_redirects;
};

enum status exchange_global_init(struct error *err) MUST_CHECK;
void exchange_global_cleanup(void);

enum status exchange_create(struct exchange **out, const struct exchange_config *config,
                            struct error *err) MUST_CHECK;
void exchange_destroy(struct exchange **exchange);

enum status exchange_perform(struct exchange *exchange,
                             const struct exchange_request *request,
                             struct exchange_response *response,
                             struct error *err) MUST_CHECK;

/* Copies a header of the last answer into out (cut to fit, NUL-terminated). False when
 * it was not there. */
bool exchange_response_header(struct exchange *exchange, const char *name, char *out,
                              size_t size);

/* Inside a sink's begin: the URL this answer is from, after redirects, and whether the
 * origin was the same all the way. False when it does not fit. */
bool exchange_source(struct exchange *exchange, char *url, size_t size,
                     bool *same_origin) MUST_CHECK;

/* ST_OK for 2xx, ST_AGAIN for 408 425 429 and 5xx, else ST_REFUSED. */
enum status exchange_verdict(int http_status);

#endif
