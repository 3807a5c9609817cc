/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/pieces.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { PAGE_BYTES = 4096 };

static const uint64_t second_ns = 1000000000;
static const uint64_t stalled_ns = 2 * 1000000000ull; /* no byte for this long */
static const uint64_t settled_ns = 100000000;         /* a rate means something */
static const uint64_t worthwhile_ns = 50000000; /* less is not worth a new connection */

struct piece {
    struct piece *before, *after; /* in the list, while listed */
    uint64_t next, reserved, end; /* written up to, promised up to */
    uint64_t claimed_ns, progress_ns, written;
    bool held, listed;
};

struct pieces {
    uint64_t least_bytes; /* set once */
    unsigned parallel;
    struct {
        pthread_mutex_t lock; /* guards everything in here, and every piece */
        pthread_cond_t grown; /* the frontier reached `wanted`, or will not move */
        struct piece *head;
        uint64_t end, wanted, written;
        unsigned version;
        bool abandoned;
    } shared;
};

static void list_insert_locked(struct pieces *p, struct piece *before,
                               struct piece *new)
{
    new->before = before;
    new->after = before == NULL ? p->shared.head : before->after;
    if (new->after != NULL)
        new->after->before = new;
    if (before == NULL)
        p->shared.head = new;
    else
        before->after = new;
    new->listed = true;
}

static void list_remove_locked(struct pieces *p, struct piece *old)
{
    if (old->before == NULL)
        p->shared.head = old->after;
    else
        old->before->after = old->after;
    if (old->after != NULL)
        old->after->before = old->before;
    old->listed = false;
}

static struct piece *piece_new(uint64_t first, uint64_t end)
{
    struct piece *piece = calloc(1, sizeof *piece);

    if (piece != NULL) {
        piece->next = piece->reserved = first;
        piece->end = end;
    }
    return piece;
}

static uint64_t frontier_locked(const struct pieces *p)
{
    return p->shared.head == NULL ? p->shared.end : p->shared.head->next;
}

static void announce_locked(struct pieces *p)
{
    if (p->shared.head == NULL || p->shared.abandoned ||
        frontier_locked(p) >= p->shared.wanted)
        pthread_cond_broadcast(&p->shared.grown);
}

/* Nothing of it is missing any more: its worker may still hold it, the list does not.
 */
static void retire_if_done_locked(struct pieces *p, struct piece *piece)
{
    if (piece->next == piece->end && piece->listed)
        list_remove_locked(p, piece);
}

enum status pieces_create(struct pieces **out, const struct pieces_config *config,
                          const struct extent *missing, size_t count, struct error *err)
{
    struct pieces *p = calloc(1, sizeof *p);
    struct piece *last = NULL;

    if (p == NULL)
        return error_sys(err, ENOMEM, "plan a file");
    p->least_bytes = config->least_bytes;
    p->parallel = config->parallel;
    p->shared.end = config->end;
    p->shared.wanted = UINT64_MAX;
    pthread_mutex_init(&p->shared.lock, NULL);
    pthread_cond_init(&p->shared.grown, NULL);
    for (size_t i = 0; i < count; i++) {
        struct piece *piece = piece_new(missing[i].first, missing[i].end);

        if (piece == NULL) {
            pieces_destroy(&p);
            return error_sys(err, ENOMEM, "plan a file");
        }
        list_insert_locked(p, last, piece);
        last = piece;
    }
    *out = p;
    return ST_OK;
}

void pieces_destroy(struct pieces **pieces)
{
    struct pieces *p = *pieces;

    if (p == NULL)
        return;
    while (p->shared.head != NULL) {
        struct piece *piece = p->shared.head;

        list_remove_locked(p, piece);
        free(piece);
    }
    pthread_cond_destroy(&p->shared.grown);
    pthread_mutex_destroy(&p->shared.lock);
    free(p);
    *pieces = NULL;
}

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
    struct piece *front = piece_new(piece->next, cut);

    if (front == NULL)
        return NULL;
    piece->next = piece->reserved = cut;
    list_insert_locked(p, piece->before, front);
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

static struct piece *slowest_locked(const struct pieces *p, uint64_t now_ns,
                                    uint64_t *eta)
{
    struct piece *slowest = NULL;

    *eta = 0;
    for (struct piece *i = p->shared.head; i != NULL; i = i->after) {
        uint64_t left = i->end - i->reserved, this_eta;

        if (!i->held || left == 0 || now_ns - i->claimed_ns < settled_ns)
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
    if (eta < worthwhile_ns || (left < 2 * p->least_bytes && rate > 0 &&
                                eta < second_ns + 2 * eta_ns(left, thief_rate)))
        return NULL;
    cut = cut_for(victim, rate, thief_rate);
    if (cut < victim->reserved)
        cut = victim->reserved;
    if (cut >= victim->end)
        return NULL;
    upper = piece_new(cut, victim->end);
    if (upper == NULL)
        return NULL;
    victim->end = cut;
    list_insert_locked(p, victim, upper);
    retire_if_done_locked(p, victim);
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

bool pieces_remaining(struct pieces *p, const struct piece *piece, struct extent *out)
{
    bool some;

    pthread_mutex_lock(&p->shared.lock);
    some = piece->reserved < piece->end;
    if (some)
        *out = (struct extent){piece->reserved, piece->end};
    pthread_mutex_unlock(&p->shared.lock);
    return some;
}

size_t pieces_reserve(struct pieces *p, struct piece *piece, size_t n, uint64_t *offset)
{
    pthread_mutex_lock(&p->shared.lock);
    if (n > piece->end - piece->reserved)
        n = (size_t)(piece->end - piece->reserved);
    *offset = piece->reserved;
    piece->reserved += n;
    pthread_mutex_unlock(&p->shared.lock);
    return n;
}

void pieces_written(struct pieces *p, struct piece *piece, size_t n, uint64_t now_ns)
{
    pthread_mutex_lock(&p->shared.lock);
    assert(n <= piece->reserved - piece->next);
    piece->next += n;
    piece->written += n;
    piece->progress_ns = now_ns;
    p->shared.written += n;
    p->shared.version++;
    retire_if_done_locked(p, piece);
    announce_locked(p);
    pthread_mutex_unlock(&p->shared.lock);
}

static void join_free_neighbours_locked(struct pieces *p, struct piece *piece)
{
    struct piece *before = piece->before, *after = piece->after;

    if (before != NULL && !before->held && before->end == piece->next) {
        before->end = piece->end;
        list_remove_locked(p, piece);
        free(piece);
        piece = before;
    }
    if (after != NULL && !after->held && piece->end == after->next) {
        piece->end = after->end;
        list_remove_locked(p, after);
        free(after);
    }
}

void pieces_release(struct pieces *p, struct piece **piece)
{
    struct piece *released = *piece;

    if (released == NULL)
        return;
    *piece = NULL;
    pthread_mutex_lock(&p->shared.lock);
    if (released->listed) {
        released->held = false;
        released->reserved = released->next;
        join_free_neighbours_locked(p, released);
    } else {
        free(released);
    }
    pthread_mutex_unlock(&p->shared.lock);
}

void pieces_finish(struct pieces *p, struct piece *piece)
{
    pthread_mutex_lock(&p->shared.lock);
    assert(p->shared.end == PIECES_UNKNOWN_END && piece->next == piece->reserved);
    piece->end = p->shared.end = piece->next;
    retire_if_done_locked(p, piece);
    announce_locked(p);
    pthread_mutex_unlock(&p->shared.lock);
}

bool pieces_complete(struct pieces *p)
{
    bool complete;

    pthread_mutex_lock(&p->shared.lock);
    complete = p->shared.head == NULL;
    pthread_mutex_unlock(&p->shared.lock);
    return complete;
}

uint64_t pieces_end(struct pieces *p)
{
    uint64_t end;

    pthread_mutex_lock(&p->shared.lock);
    end = p->shared.end;
    pthread_mutex_unlock(&p->shared.lock);
    return end;
}

uint64_t pieces_written_bytes(struct pieces *p)
{
    uint64_t bytes;

    pthread_mutex_lock(&p->shared.lock);
    bytes = p->shared.written;
    pthread_mutex_unlock(&p->shared.lock);
    return bytes;
}

unsigned pieces_version(struct pieces *p)
{
    unsigned version;

    pthread_mutex_lock(&p->shared.lock);
    version = p->shared.version;
    pthread_mutex_unlock(&p->shared.lock);
    return version;
}

size_t pieces_missing(struct pieces *p, struct extent *out, size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&p->shared.lock);
    for (const struct piece *i = p->shared.head; i != NULL; i = i->after) {
        if (n > 0 && (out[n - 1].end == i->next || n == max))
            out[n - 1].end = i->end;
        else
            out[n++] = (struct extent){i->next, i->end};
    }
    pthread_mutex_unlock(&p->shared.lock);
    return n;
}

uint64_t pieces_wait_frontier(struct pieces *p, uint64_t from, uint64_t step,
                              bool *last)
{
    uint64_t frontier;

    pthread_mutex_lock(&p->shared.lock);
    p->shared.wanted = from + step;
    while (p->shared.head != NULL && !p->shared.abandoned &&
           frontier_locked(p) < p->shared.wanted)
        pthread_cond_wait(&p->shared.grown, &p->shared.lock);
    p->shared.wanted = UINT64_MAX;
    frontier = frontier_locked(p);
    *last = p->shared.head == NULL || p->shared.abandoned;
    pthread_mutex_unlock(&p->shared.lock);
    return frontier;
}

void pieces_abandon(struct pieces *p)
{
    pthread_mutex_lock(&p->shared.lock);
    p->shared.abandoned = true;
    pthread_cond_broadcast(&p->shared.grown);
    pthread_mutex_unlock(&p->shared.lock);
}

bool pieces_abandoned(struct pieces *p)
{
    bool abandoned;

    pthread_mutex_lock(&p->shared.lock);
    abandoned = p->shared.abandoned;
    pthread_mutex_unlock(&p->shared.lock);
    return abandoned;
}
