/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "receiver/fetch/transfer_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    REDIRECTS_MAX = 10,
    DISCARD_MAX = 64 * 1024, /* of an unwanted body; beyond, the connection goes */
    STALL_BYTES_PER_S = 64,  /* less is not worth waiting for */
    OWN_HEADERS_MAX = 4,
    RANGE_TEXT_SIZE = 64,
};

static bool get_header(void *context, const char *name, char *out, size_t size)
{
    return exchange_response_header(context, name, out, size);
}

static bool is_planned(struct transfer *t)
{
    bool planned;

    pthread_mutex_lock(&t->shared.lock);
    planned = t->shared.planned;
    pthread_mutex_unlock(&t->shared.lock);
    return planned;
}

static enum answer_kind judge(struct worker *w)
{
    const struct state *state = w->transfer->config.state;
    bool known = w->transfer->pieces != NULL;
    struct question question = {
        .ranged = w->ranged,
        .range = w->asked,
        .known = known ? &state->validators : NULL,
        .total = state->total,
    };

    return answer_judge(&w->answer, &question, &w->verdict);
}

static enum status begin(void *context, struct exchange *exchange,
                         const struct exchange_response *response, struct error *err)
{
    struct worker *w = context;
    enum status st = ST_OK;

    w->first_byte_ns = clock_monotonic_ns() - w->start_ns;
    answer_read(&w->answer, response->status, response->retry_after_ms, get_header,
                exchange);
    w->answered = true;
    w->kind = judge(w);
    if ((w->kind == ANSWER_PART || w->kind == ANSWER_WHOLE ||
         w->kind == ANSWER_EMPTY) &&
        !is_planned(w->transfer))
        st = plan_make(w, err);
    if (st != ST_OK)
        return st;
    if (w->kind == ANSWER_PART)
        w->expected = w->answer.range.range.last - w->answer.range.range.first + 1;
    else if (w->kind == ANSWER_WHOLE)
        w->expected = w->answer.has_length ? w->answer.length : UINT64_MAX;
    else
        w->discard = true;
    if (w->piece == NULL)
        w->discard = true;
    if (w->discard && (response->status == 200 || response->status == 206) &&
        w->kind != ANSWER_EMPTY && w->kind != ANSWER_PART)
        return error_set(err, ST_END, "not what was asked for");
    return ST_OK;
}

static enum status keep(struct worker *w, const char *bytes, size_t n,
                        struct error *err)
{
    struct transfer *t = w->transfer;
    uint64_t offset;
    size_t ours = pieces_reserve(t->pieces, w->piece, n, &offset);
    enum status st;

    assert(ours == 0 || w->kind == ANSWER_WHOLE ||
           offset == w->answer.range.range.first + w->received);
    if (ours > 0) {
        /* Reserved before it is slept on, or a waiting worker would be robbed. */
        limiter_take(t->config.limiter, ours, &t->stop);
        st = part_write(t->config.part, bytes, ours, offset, err);
        if (st != ST_OK)
            return st;
        pieces_written(t->pieces, w->piece, ours, clock_monotonic_ns());
        w->received += ours;
    }
    if (ours < n)
        return error_set(err, ST_END, "the rest is another worker's");
    return ST_OK;
}

static enum status write_body(void *context, const void *bytes, size_t n,
                              struct error *err)
{
    struct worker *w = context;
    uint64_t due = w->expected - w->received;
    enum status st;

    if (w->discard) {
        w->discarded += n;
        if (w->discarded > DISCARD_MAX)
            return error_set(err, ST_END, "not what was asked for");
        return ST_OK;
    }
    st = keep(w, bytes, n < due ? n : (size_t)due, err);
    if (st == ST_OK && n > due)
        st = error_set(err, ST_AGAIN,
                       "the server sent more than the %" PRIu64 " bytes it announced",
                       w->expected);
    return st;
}

static void choose_range(struct worker *w)
{
    struct transfer *t = w->transfer;
    struct extent missing;

    w->ranged = t->config.ranged;
    if (w->piece != NULL && pieces_remaining(t->pieces, w->piece, &missing))
        w->asked = (struct http_range){missing.first, missing.end - 1};
    else if (t->pieces != NULL) /* all is there: only ask whether it is still right */
        w->asked = (struct http_range){0, 0};
    else
        w->asked = (struct http_range){0, t->config.least_bytes - 1};
}

/* Then every answer has to bring it. */
static bool only_digest_tells(const struct validators *known)
{
    return known->has_digest && known->etag[0] == '\0' && known->modified[0] == '\0';
}

static size_t own_headers(struct worker *w, bool use_if_range,
                          char range_text[RANGE_TEXT_SIZE],
                          struct exchange_header out[OWN_HEADERS_MAX])
{
    struct transfer *t = w->transfer;
    const char *if_range = NULL;
    size_t n = 0;

    out[n++] = (struct exchange_header){"Accept-Encoding", "identity"};
    if (!w->ranged || t->pieces == NULL || w->index == 0 ||
        only_digest_tells(&t->config.state->validators))
        out[n++] = (struct exchange_header){"Want-Repr-Digest", "sha-256=10"};
    if (!w->ranged)
        return n;
    snprintf(range_text, RANGE_TEXT_SIZE, "bytes=%" PRIu64 "-%" PRIu64, w->asked.first,
             w->asked.last);
    out[n++] = (struct exchange_header){"Range", range_text};
    if (use_if_range && t->pieces != NULL)
        if_range = validators_if_range(&t->config.state->validators);
    if (if_range != NULL)
        out[n++] = (struct exchange_header){"If-Range", if_range};
    assert(n <= OWN_HEADERS_MAX);
    return n;
}

enum status worker_request(struct worker *w, struct error *err)
{
    struct transfer *t = w->transfer;
    const struct transfer_config *config = &t->config;
    char range_text[RANGE_TEXT_SIZE];
    struct exchange_header headers[OWN_HEADERS_MAX];
    const struct exchange_sink sink = {
        .begin = begin, .write = write_body, .context = w};
    struct exchange_request request = {
        .method = "GET", .headers = headers, .sink = &sink};
    struct exchange_response response;
    bool use_if_range, use_source;
    enum status st;

    pthread_mutex_lock(&t->shared.lock);
    use_if_range = t->shared.use_if_range;
    use_source = t->shared.use_source && t->shared.planned;
    pthread_mutex_unlock(&t->shared.lock);
    use_source = use_source && t->source_url[0] != '\0';

    w->answered = w->discard = false;
    w->received = w->discarded = 0;
    choose_range(w);
    request.header_count = own_headers(w, use_if_range, range_text, headers);
    request.url = use_source ? t->source_url : config->url;
    w->redirected = use_source && strcmp(t->source_url, config->url) != 0;
    request.max_redirects = REDIRECTS_MAX;
    if (!use_source || t->source_trusted) {
        request.private_headers = config->headers;
        request.private_header_count = config->header_count;
        request.netrc = config->netrc;
    }
    request.stall_ms = config->stall_ms;
    request.stall_bytes_per_s = config->limiter->bytes_per_s > 0 ? 1
                                                                 : STALL_BYTES_PER_S;
    w->start_ns = clock_monotonic_ns();
    st = exchange_perform(w->exchange, &request, &response, err);
    if (w->received > 0) {
        uint64_t elapsed_ns = clock_monotonic_ns() - w->start_ns - w->first_byte_ns;

        w->rate = (uint64_t)((double)w->received * 1e9 / (double)(elapsed_ns + 1));
    }
    return st;
}
