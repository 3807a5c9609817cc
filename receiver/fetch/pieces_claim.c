/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/pieces_private.h"

enum {
    PAGE_BYTES = 4096,
    PATIENCE_DOUBLINGS_MAX = 4, /* 32 s: by then the exchange has given up itself */
};

static const uint64_t second_ns = 1000000000;
static const uint64_t stalled_ns = 2 * 1000000000ull; /* no byte for this long */
static const uint64_t settled_ns = 100000000;         /* a rate means something */
static const uint64_t worthwhile_ns = 50000000; /* less is not worth a new connection */

static struct piece *first_free_locked(const struct pieces *p, uint64_t *free_bytes)
{
    struct piece *first = NULL;

    *free_bytes = 0;
    for (struct piece *i = p->shared.head; i != NULL; i = i->after) {
        if (i->held)
            continue;
        if (first == NULL)
            first = i;
        *free_bytes += i->end - i->next;
    }
    return first;
}

/* The sizes shrink towards the end, so that all workers finish at about one time. */
static uint64_t fair_size(const struct pieces *p, const struct piece *from,
                          uint64_t wish, uint64_t free_bytes)
{
    uint64_t length = from->end - from->next;
    uint64_t share = free_bytes / (2 * (uint64_t)p->parallel);
    uint64_t size = wish;

    if (size > share)
        size = share;
    if (size < p->least_bytes)
        size = p->least_bytes;
    if (p->shared.end == PIECES_UNKNOWN_END || length < p->least_bytes ||
        size > length - p->least_bytes)
        return length;
    return size;
}

static void hold_locked(struct piece *piece, uint64_t now_ns)
{
    piece->held = true;
    piece->reserved = piece->next;
    piece->claimed_ns = piece->progress_ns = now_ns;
    piece->written = 0;
}

/* Cuts `piece` at `cut`; what is below becomes a new piece in front of it. */
static struct piece *cut_front_locked(struct pieces *p, struct piece *piece,
                                      uint64_t cut)
{
    struct piece *front = piece_create(piece->next, cut);

    if (front == NULL)
        return NULL;
    front->robbed = piece->robbed;
    piece->next = piece->reserved = cut;
    pieces_insert_locked(p, piece->before, front);
    return front;
}

static uint64_t rate_locked(const struct piece *piece, uint64_t now_ns)
{
    uint64_t elapsed = now_ns - piece->claimed_ns;

    if (now_ns - piece->progress_ns >= stalled_ns || elapsed == 0)
        return 0;
    return (uint64_t)((double)piece->written * 1e9 / (double)elapsed);
}

static uint64_t eta_ns(uint64_t bytes, uint64_t bytes_per_s)
{
    double eta = (double)bytes * 1e9 / (double)(bytes_per_s == 0 ? 1 : bytes_per_s);

    return eta > 1e18 ? (uint64_t)1e18 : (uint64_t)eta;
}

/* Too young to be judged. A connection that is silent may only have a server that is
 * slow to begin: whoever took its piece over would wait as long again, so each one who
 * does gets twice the time of the one before. */
static bool is_young_locked(const struct piece *piece, uint64_t now_ns)
{
    uint64_t age_ns = now_ns - piece->claimed_ns;
    unsigned doublings = piece->robbed;

    if (piece->written > 0)
        return age_ns < settled_ns;
    if (doublings > PATIENCE_DOUBLINGS_MAX)
        doublings = PATIENCE_DOUBLINGS_MAX;
    return age_ns < stalled_ns << doublings;
}

static struct piece *slowest_locked(const struct pieces *p, uint64_t now_ns,
                                    uint64_t *eta)
{
    struct piece *slowest = NULL;

    *eta = 0;
    for (struct piece *i = p->shared.head; i != NULL; i = i->after) {
        uint64_t left = i->end - i->reserved, this_eta;

        if (!i->held || left == 0 || is_young_locked(i, now_ns))
            continue;
        this_eta = eta_ns(left, rate_locked(i, now_ns));
        if (this_eta > *eta) {
            *eta = this_eta;
            slowest = i;
        }
    }
    return slowest;
}

/* Where to cut a piece in two so that both workers finish together. */
static uint64_t cut_for(const struct piece *victim, uint64_t victim_rate,
                        uint64_t thief_rate)
{
    uint64_t left = victim->end - victim->reserved;
    double keep = 0;

    if (victim_rate > 0) {
        double both = (double)victim_rate + (double)thief_rate;

        keep = (double)left * (double)victim_rate / both;
    }
    if (keep < PAGE_BYTES)
        return victim->reserved;
    return (victim->reserved + (uint64_t)keep) / PAGE_BYTES * PAGE_BYTES;
}

static struct piece *take_over_locked(struct pieces *p, const struct pieces_wish *wish)
{
    uint64_t eta, left, rate, thief_rate, cut;
    struct piece *victim = slowest_locked(p, wish->now_ns, &eta);
    struct piece *upper;

    if (victim == NULL || p->shared.end == PIECES_UNKNOWN_END)
        return NULL;
    left = victim->end - victim->reserved;
    rate = rate_locked(victim, wish->now_ns);
    thief_rate = wish->bytes_per_s != 0 ? wish->bytes_per_s : rate;
    if (eta < worthwhile_ns || (left / 2 < p->least_bytes && rate > 0 &&
                                eta < second_ns + 2 * eta_ns(left, thief_rate)))
        return NULL;
    cut = cut_for(victim, rate, thief_rate);
    if (cut < victim->reserved)
        cut = victim->reserved;
    if (cut >= victim->end)
        return NULL;
    upper = piece_create(cut, victim->end);
    if (upper == NULL)
        return NULL;
    upper->robbed = rate > 0 ? 0 : victim->robbed + 1;
    victim->end = cut;
    pieces_insert_locked(p, victim, upper);
    pieces_retire_locked(p, victim);
    return upper;
}

enum status pieces_claim(struct pieces *p, const struct pieces_wish *wish,
                         struct piece **out)
{
    uint64_t free_bytes;
    struct piece *from, *piece = NULL;
    enum status st = ST_AGAIN;

    pthread_mutex_lock(&p->shared.lock);
    if (p->shared.head == NULL) {
        st = ST_END;
        goto out;
    }
    from = first_free_locked(p, &free_bytes);
    if (from == NULL) {
        piece = take_over_locked(p, wish);
    } else {
        uint64_t cut = from->next + fair_size(p, from, wish->bytes, free_bytes);

        if (cut < from->end && cut / PAGE_BYTES * PAGE_BYTES > from->next)
            cut = cut / PAGE_BYTES * PAGE_BYTES;
        piece = cut < from->end ? cut_front_locked(p, from, cut) : from;
    }
    if (piece != NULL) {
        hold_locked(piece, wish->now_ns);
        *out = piece;
        st = ST_OK;
    }
out:
    pthread_mutex_unlock(&p->shared.lock);
    return st;
}
