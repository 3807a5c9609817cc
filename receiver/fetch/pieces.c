/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/pieces_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void pieces_insert_locked(struct pieces *p, struct piece *before, struct piece *fresh)
{
    fresh->before = before;
    fresh->after = before == NULL ? p->shared.head : before->after;
    if (fresh->after != NULL)
        fresh->after->before = fresh;
    if (before == NULL)
        p->shared.head = fresh;
    else
        before->after = fresh;
    fresh->listed = true;
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

struct piece *piece_create(uint64_t first, uint64_t end)
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
void pieces_retire_locked(struct pieces *p, struct piece *piece)
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
        struct piece *piece = piece_create(missing[i].first, missing[i].end);

        if (piece == NULL) {
            pieces_destroy(&p);
            return error_sys(err, ENOMEM, "plan a file");
        }
        pieces_insert_locked(p, last, piece);
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
    for (struct piece *piece = p->shared.head, *after; piece != NULL; piece = after) {
        after = piece->after;
        free(piece);
    }
    pthread_cond_destroy(&p->shared.grown);
    pthread_mutex_destroy(&p->shared.lock);
    free(p);
    *pieces = NULL;
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
    piece->robbed = 0;
    piece->progress_ns = now_ns;
    p->shared.written += n;
    p->shared.version++;
    pieces_retire_locked(p, piece);
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
    pieces_retire_locked(p, piece);
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
