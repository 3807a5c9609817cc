/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "receiver/fetch/transfer_private.h"

enum {
    MIB = 1024 * 1024,
    PIECE_MAX = 16 * MIB,  /* unless answers that begin slowly ask for more */
    PIECES_PER_WORKER = 4, /* at least, so that slow ones can be evened out */
};

static bool is_whole(const struct answer *answer)
{
    const struct http_content_range *range = &answer->range;

    return answer->status == 200 ||
           (range->range.first == 0 && range->range.last + 1 == range->total);
}

/* Nothing else tells two versions of the file apart: do not put parts together, not
 * even in a file that fits into one: its answer may be cut. */
static bool may_be_pieced(const struct transfer *t, const struct answer *answer)
{
    return t->config.digest_known || t->offer.kind != OFFER_NONE ||
           validators_are_strong(&answer->validators);
}

/* A fresh file of `end` bytes. */
static enum status begin_file(struct transfer *t, uint64_t end, uint64_t least_bytes,
                              struct error *err)
{
    const struct pieces_config config = {
        .end = end, .least_bytes = least_bytes, .parallel = t->parallel};
    const struct extent all = {0, end};
    enum status st = ST_OK;

    if (end != PIECES_UNKNOWN_END)
        st = part_allocate(t->config.part, end, err);
    if (st == ST_OK)
        st = pieces_create(&t->pieces, &config, &all, end > 0 ? 1 : 0, err);
    return st;
}

static uint64_t piece_bytes_for(const struct transfer *t, uint64_t total)
{
    uint64_t bytes = total / (t->parallel * PIECES_PER_WORKER);

    if (bytes > PIECE_MAX)
        bytes = PIECE_MAX;
    return bytes < t->config.least_bytes ? t->config.least_bytes : bytes;
}

static enum status plan_pieces(struct transfer *t, struct worker *w, struct error *err)
{
    struct state *state = t->config.state;
    enum status st;

    if (t->pieces == NULL) {
        if (!may_be_pieced(t, &w->answer)) {
            w->kind = ANSWER_UNRANGED;
            return error_set(err, ST_END, "nothing tells two versions apart");
        }
        st = begin_file(t, w->answer.range.total, t->config.least_bytes, err);
        if (st != ST_OK)
            return st;
        state->validators = w->answer.validators;
        state->total = w->answer.range.total;
        state->synced.count = pieces_missing(t->pieces, state->synced.of,
                                             PIECES_EXTENTS_MAX);
        state->written = state->synced;
    }
    t->piece_bytes = piece_bytes_for(t, state->total);
    checkpoint_init(&t->checkpoint, t->config.part, t->pieces, state);
    t->checkpointed = true;
    t->facts.ranged = true;
    return ST_OK;
}

static enum status plan_stream(struct transfer *t, struct worker *w, struct error *err)
{
    const struct answer *answer = &w->answer;
    uint64_t end = answer->has_length ? answer->length : PIECES_UNKNOWN_END;

    if (w->kind == ANSWER_EMPTY)
        end = 0;
    t->facts.length_unproven = end == PIECES_UNKNOWN_END && !answer->chunked;
    return begin_file(t, end, UINT64_MAX, err); /* one piece */
}

static bool get_header(void *context, const char *name, char *out, size_t size)
{
    return exchange_response_header(context, name, out, size);
}

/* A request for a fresh file is made without a piece, for the file's beginning. */
static void give_first_piece(struct transfer *t, struct worker *w)
{
    const struct pieces_wish wish = {.bytes = w->asked.last - w->asked.first + 1,
                                     .now_ns = clock_monotonic_ns()};

    if (pieces_claim(t->pieces, &wish, &w->piece) != ST_OK)
        w->piece = NULL; /* an empty file */
}

static void announce(struct transfer *t, bool one_stream)
{
    pthread_mutex_lock(&t->shared.lock);
    if (one_stream)
        t->shared.allowed = t->shared.most_allowed = 1;
    t->shared.planned = true;
    pthread_cond_broadcast(&t->shared.changed);
    pthread_mutex_unlock(&t->shared.lock);
}

enum status plan_make(struct worker *w, struct error *err)
{
    struct transfer *t = w->transfer;
    bool fresh = t->pieces == NULL;
    enum status st;

    offer_from_headers(&t->offer, is_whole(&w->answer), get_header, w->exchange);
    if (!exchange_source(w->exchange, t->source_url, sizeof t->source_url,
                         &t->source_trusted))
        t->source_url[0] = '\0';
    st = w->kind == ANSWER_PART ? plan_pieces(t, w, err) : plan_stream(t, w, err);
    if (st != ST_OK)
        return st;
    if (!http_date_parse(w->answer.validators.modified, &t->facts.modified_s))
        t->facts.modified_s = -1;
    if (fresh)
        give_first_piece(t, w);
    announce(t, w->kind != ANSWER_PART);
    return ST_OK;
}
