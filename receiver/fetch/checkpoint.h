/* SPDX-License-Identifier: MIT */
/*
 * checkpoint -- keeps the state file of a running fetch true.
 *
 * save after every piece costs no sync and outlives the program; sync, now and then,
 * also outlives the machine: the data reach the disk before the state says so.
 * Owner:   part, pieces and state must outlive it; state is the checkpoint's meanwhile.
 * Threads: save from any, sync from one.
 */
#ifndef RECEIVER_FETCH_CHECKPOINT_H
#define RECEIVER_FETCH_CHECKPOINT_H

#include "receiver/fetch/part.h"
#include "receiver/fetch/pieces.h"
#include "receiver/fetch/state.h"

#include <pthread.h>

struct checkpoint {
    struct part *part;
    struct pieces *pieces;
    struct {
        pthread_mutex_t lock; /* guards everything in here, and the file */
        struct state *state;
        unsigned version; /* of the pieces, when last saved */
    } shared;
};

/* state: all but the extents filled in; what it calls synced is believed. */
void checkpoint_init(struct checkpoint *checkpoint, struct part *part,
                     struct pieces *pieces, struct state *state);
void checkpoint_release(struct checkpoint *checkpoint);

enum status checkpoint_save(struct checkpoint *checkpoint,
                            struct error *err) MUST_CHECK;
enum status checkpoint_sync(struct checkpoint *checkpoint,
                            struct error *err) MUST_CHECK;

/* Until it is saved again. */
void checkpoint_remove(struct checkpoint *checkpoint);

#endif
