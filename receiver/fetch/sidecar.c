/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/sidecar.h"

#include "common/crew.h"
#include "common/latch.h"
#include "common/retry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REDIRECTS_MAX = 10, TIMEOUT_MS = 10 * 1000 };

struct sidecar {
    const struct fetch_config *config; /* these are set once: read freely */
    const char *name;
    char *url;
    struct crew *crew;
    struct latch cancel, finished;

    /* The thread's until it is joined. */
    struct offer offer;
    enum status st;
    struct error err;
};

/* The suffix belongs to the path, not to the query behind it. NULL: no memory. */
static char *sidecar_url(const char *url)
{
    const char *query = url + strcspn(url, "?#");
    char *out;
    int n = asprintf(&out, "%.*s.sha256%.*s", (int)(query - url), url,
                     (int)strcspn(query, "#"), query);

    return n >= 0 ? out : NULL;
}

/* One request. ST_AGAIN: another one may do better. */
static enum status ask(struct sidecar *s, struct exchange *exchange,
                       uint64_t *retry_after_ms)
{
    const struct exchange_request request = {
        .method = "GET",
        .url = s->url,
        .private_headers = s->config->request_headers,
        .private_header_count = s->config->request_header_count,
        .netrc = s->config->netrc,
        .timeout_ms = TIMEOUT_MS,
        .max_redirects = REDIRECTS_MAX,
    };
    struct exchange_response response;
    enum status st;

    *retry_after_ms = 0;
    st = exchange_perform(exchange, &request, &response, &s->err);
    if (st != ST_OK)
        return st;
    if (response.status != 200) {
        st = exchange_verdict(response.status);
        *retry_after_ms = response.retry_after_ms;
        return error_set(&s->err, st == ST_AGAIN ? ST_AGAIN : ST_REFUSED,
                         "the server answered %d", response.status);
    }
    if (!offer_from_sidecar(&s->offer, response.body, response.body_length, s->name))
        return error_set(&s->err, ST_CORRUPT, "it has no digest for '%.80s' in it",
                         s->name);
    return ST_OK;
}

static void fetch(void *context, unsigned index)
{
    static const struct retry_policy policy = {
        .base_ms = 250, .cap_ms = 5000, .retry_after_cap_ms = TIMEOUT_MS};
    struct sidecar *s = context;
    const struct exchange_config config = {
        .connect_timeout_ms = s->config->connect_timeout_ms,
        .ca_file = s->config->ca_file,
        .cancel = &s->cancel,
    };
    struct exchange *exchange = NULL;
    uint64_t retry_after_ms;

    (void)index;
    s->st = exchange_create(&exchange, &config, &s->err);
    for (unsigned tries = 1; exchange != NULL; tries++) {
        s->st = ask(s, exchange, &retry_after_ms);
        if (s->st != ST_AGAIN || tries >= s->config->max_tries ||
            retry_after_ms > policy.retry_after_cap_ms ||
            latch_wait(&s->cancel, retry_delay_ms(&policy, tries, retry_after_ms)))
            break;
    }
    exchange_destroy(&exchange);
    latch_set(&s->finished);
}

static void destroy(struct sidecar *s)
{
    latch_release(&s->cancel);
    latch_release(&s->finished);
    free(s->url);
    free(s);
}

enum status sidecar_start(struct sidecar **out, const struct fetch_config *config,
                          const char *url, const char *name, struct error *err)
{
    struct sidecar *s = calloc(1, sizeof *s);
    enum status st = ST_OK;

    if (s == NULL)
        return error_sys(err, ENOMEM, "look for a sidecar");
    s->config = config;
    s->name = name;
    s->url = sidecar_url(url);
    latch_init(&s->cancel);
    latch_init(&s->finished);
    if (s->url == NULL)
        st = error_sys(err, ENOMEM, "look for a sidecar");
    else
        st = crew_start(&s->crew, "sidecar", 1, fetch, s, err);
    if (st != ST_OK)
        destroy(s);
    else
        *out = s;
    return st;
}

bool sidecar_wait(struct sidecar *s, uint64_t ms)
{
    return latch_wait(&s->finished, ms);
}

enum status sidecar_stop(struct sidecar **sidecar, struct offer *out, struct error *err)
{
    struct sidecar *s = *sidecar;
    enum status st;

    latch_set(&s->cancel);
    crew_join(&s->crew);
    st = s->st;
    if (st == ST_OK) {
        *out = s->offer;
    } else {
        *err = s->err;
        error_prefix(err, "no sidecar");
    }
    destroy(s);
    *sidecar = NULL;
    return st;
}
