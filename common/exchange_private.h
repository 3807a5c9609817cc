/* SPDX-License-Identifier: MIT */
/* exchange_private -- what exchange.c shares with exchange_request.c, and nobody else.
 */
#ifndef COMMON_EXCHANGE_PRIVATE_H
#define COMMON_EXCHANGE_PRIVATE_H

#include "common/exchange.h"

#include <curl/curl.h>

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
    char *next_url; /* url_free; NULL: no redirect to follow */
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

/* Makes libcurl send the leg's request. *headers must be freed after it was performed,
 * also on failure. */
enum status exchange_prepare(struct exchange *exchange, struct curl_slist **headers,
                             struct error *err) MUST_CHECK;

/* For CURLOPT_READFUNCTION and CURLOPT_SEEKFUNCTION; the context is the exchange. */
size_t exchange_read_body(char *into, size_t size, size_t count, void *context);
int exchange_seek_body(void *context, curl_off_t offset, int origin);

#endif
