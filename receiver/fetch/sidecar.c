/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/sidecar.h"

#include <stdio.h>
#include <string.h>

enum { REDIRECTS_MAX = 10, TIMEOUT_MS = 10 * 1000 };

/* The suffix belongs to the path, not to the query behind it. */
static bool sidecar_url(char *out, size_t size, const char *url)
{
    int n = snprintf(out, size, "%.*s.sha256%.*s", (int)strcspn(url, "?#"), url,
                     (int)strcspn(url + strcspn(url, "?#"), "#"),
                     url + strcspn(url, "?#"));

    return n > 0 && (size_t)n < size;
}

enum status sidecar_fetch(struct offer *out, const struct fetch_config *config,
                          const char *url, const char *name, struct error *err)
{
    const struct exchange_config exchange_config = {
        .connect_timeout_ms = config->connect_timeout_ms, .ca_file = config->ca_file};
    char sidecar[TRANSFER_URL_SIZE];
    struct exchange_request request = {
        .method = "GET",
        .url = sidecar,
        .private_headers = config->request_headers,
        .private_header_count = config->request_header_count,
        .netrc = config->netrc,
        .timeout_ms = TIMEOUT_MS,
        .max_redirects = REDIRECTS_MAX,
    };
    struct exchange_response response;
    struct exchange *exchange = NULL;
    enum status st;

    if (!sidecar_url(sidecar, sizeof sidecar, url))
        return error_set(err, ST_INVALID, "no sidecar: the URL is too long");
    st = exchange_create(&exchange, &exchange_config, err);
    if (st != ST_OK)
        return st;
    st = exchange_perform(exchange, &request, &response, err);
    if (st == ST_OK && response.status != 200)
        st = error_set(err, ST_REFUSED, "no sidecar: the server answered %d",
                       response.status);
    else if (st == ST_OK &&
             !offer_from_sidecar(out, response.body, response.body_length, name))
        st = error_set(err, ST_CORRUPT, "the sidecar has no digest for '%.80s' in it",
                       name);
    exchange_destroy(&exchange);
    return st;
}
