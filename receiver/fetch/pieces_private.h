/* SPDX-License-Identifier: MIT */
/*
 * pieces_private -- what the two files of pieces share.
 *
 * pieces.c        the list of what is missing, and who waits for it
 * pieces_claim.c  which piece a worker gets
 */
#ifndef RECEIVER_FETCH_PIECES_PRIVATE_H
#define RECEIVER_FETCH_PIECES_PRIVATE_H

#include "receiver/fetch/pieces.h"

#include <pthread.h>

struct piece {
    struct piece *before, *after; /* in the list, while listed */
    uint64_t next, reserved, end; /* written up to, promised up to */
    uint64_t claimed_ns, progress_ns, written;
    unsigned robbed; /* how often these bytes were taken from a silent connection */
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

/* NULL: no memory. */
struct piece *piece_create(uint64_t first, uint64_t end);

/* Behind `before`; NULL: as the first. */
void pieces_insert_locked(struct pieces *pieces, struct piece *before,
                          struct piece *fresh);

/* Nothing of it may be missing any more: then its worker still holds it, but the list
 * does not. */
void pieces_retire_locked(struct pieces *pieces, struct piece *piece);

#endif
