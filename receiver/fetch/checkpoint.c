/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/checkpoint.h"

#include <errno.h>
#include <stdlib.h>

void checkpoint_init(struct checkpoint *c, struct part *part, struct pieces *pieces,
                     struct state *state)
{
    *c = (struct checkpoint){.part = part, .pieces = pieces};
    pthread_mutex_init(&c->shared.lock, NULL);
    c->shared.state = state;
}

void checkpoint_release(struct checkpoint *c)
{
    pthread_mutex_destroy(&c->shared.lock);
}

static void take_extents(struct pieces *pieces, struct extents *out)
{
    out->count = pieces_missing(pieces, out->of, PIECES_EXTENTS_MAX);
}

enum status checkpoint_save(struct checkpoint *c, struct error *err)
{
    unsigned version = pieces_version(c->pieces);
    enum status st = ST_OK;

    pthread_mutex_lock(&c->shared.lock);
    if ((int)(version - c->shared.version) > 0) { /* nobody else saved it meanwhile */
        c->shared.version = pieces_version(c->pieces);
        take_extents(c->pieces, &c->shared.state->written);
        st = state_save(c->part->dir_fd, c->part->name, c->shared.state, false, err);
    }
    pthread_mutex_unlock(&c->shared.lock);
    return st;
}

enum status checkpoint_sync(struct checkpoint *c, struct error *err)
{
    struct extents *missing = malloc(sizeof *missing);
    enum status st;

    if (missing == NULL)
        return error_sys(err, ENOMEM, "save the state of '%.100s'", c->part->name);
    take_extents(c->pieces, missing);
    st = part_sync(c->part, err); /* without the lock: it may take long */
    if (st != ST_OK)
        goto out;
    pthread_mutex_lock(&c->shared.lock);
    c->shared.state->synced = *missing;
    c->shared.version = pieces_version(c->pieces);
    take_extents(c->pieces, &c->shared.state->written);
    st = state_save(c->part->dir_fd, c->part->name, c->shared.state, true, err);
    pthread_mutex_unlock(&c->shared.lock);
out:
    free(missing);
    return st;
}

void checkpoint_remove(struct checkpoint *c)
{
    pthread_mutex_lock(&c->shared.lock);
    c->shared.version = pieces_version(c->pieces) - 1; /* which asks to be saved */
    state_remove(c->part->dir_fd, c->part->name);
    pthread_mutex_unlock(&c->shared.lock);
}
