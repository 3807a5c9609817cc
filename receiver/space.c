/* SPDX-License-Identifier: MIT */
#include "receiver/space.h"

#include "common/clock.h"
#include "common/units.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* Asking costs a microsecond or two. */
#define SAMPLE_NS UINT64_C(2000000)
#define PROBE_NS  UINT64_C(1000000000)

enum { PROBE_BYTES = 16 * 1024 };

struct space {
    struct space_config config; /* set once: read freely */
    struct store *store;
    atomic_uint_fast64_t inflight;
    atomic_uint_fast64_t promised; /* announced, and not allocated */
    atomic_int_fast64_t free;      /* the last sample, less what was written since */
    atomic_uint_fast64_t sampled_ns;
    atomic_bool refused;
    atomic_uint_fast64_t probed_ns;
};

static void sample(struct space *space, uint64_t now_ns)
{
    uint64_t free;
    struct error err;

    /* A disk that cannot even say this will show its trouble elsewhere. */
    atomic_store(&space->sampled_ns, now_ns);
    if (store_room(space->store, &free, &err) == ST_OK)
        atomic_store(&space->free, free < INT64_MAX ? (int64_t)free : INT64_MAX);
}

enum status space_create(struct space **out, struct store *store,
                         const struct space_config *config, struct error *err)
{
    struct space *space = calloc(1, sizeof(*space));

    if (!space)
        return error_sys(err, ENOMEM, "watch the disk");
    space->config = *config;
    space->store = store;
    sample(space, clock_monotonic_ns());
    *out = space;
    return ST_OK;
}

void space_destroy(struct space **space)
{
    free(*space);
    *space = NULL;
}

static bool leaves(int64_t free, uint64_t need)
{
    return free >= 0 && (uint64_t)free >= need;
}

/* Whether `bytes` more fit when all promises are kept and the minimum stays free. What
 * says no is always a fresh number. */
static bool has_room(struct space *space, uint64_t bytes)
{
    uint64_t need = space->config.min_free_bytes + atomic_load(&space->promised);
    uint64_t now_ns = clock_monotonic_ns();
    bool fresh = now_ns - atomic_load(&space->sampled_ns) >= SAMPLE_NS;

    if (bytes > INT64_MAX - need)
        return false;
    need += bytes;
    if (fresh)
        sample(space, now_ns);
    if (!fresh && !leaves(atomic_load(&space->free), need))
        sample(space, now_ns);
    return leaves(atomic_load(&space->free), need);
}

static enum status no_room(struct space *space, struct error *err)
{
    char free[UNITS_TEXT_SIZE];
    int64_t left = atomic_load(&space->free);

    units_format_size(free, left > 0 ? (uint64_t)left : 0);
    (void)error_set(err, ST_SYSTEM, "no room on the disk: %s free", free);
    err->sys = ENOSPC;
    return ST_SYSTEM;
}

static enum status enter(struct space *space, struct space_share *share, uint64_t n,
                         struct error *err)
{
    uint64_t others = atomic_fetch_add(&space->inflight, n) - share->inflight;
    uint64_t max = space->config.max_inflight_bytes;

    share->inflight += n;
    if (max > 0 && others > 0 && (others >= max || share->inflight > max - others))
        return error_set(err, ST_AGAIN, "too many bytes of uploads are under way");
    return ST_OK;
}

static void promise(struct space *space, struct space_share *share, uint64_t bytes)
{
    share->promised += bytes;
    atomic_fetch_add(&space->promised, bytes);
}

static void unpromise(struct space *space, struct space_share *share)
{
    atomic_fetch_sub(&space->promised, share->promised);
    share->promised = 0;
}

/* A file system that cannot allocate ahead leaves it at the promise. */
static enum status allocate(struct space *space, struct space_share *share,
                            struct durable_file *file, struct error *err)
{
    struct error why;
    enum status st = durable_file_reserve(file, share->promised, &why);

    if (st != ST_OK && (why.sys == EOPNOTSUPP || why.sys == ENOSYS))
        return ST_OK;
    if (st == ST_OK)
        atomic_fetch_sub(&space->free, (int64_t)share->promised);
    else
        *err = why;
    unpromise(space, share);
    return st;
}

enum status space_take(struct space *space, struct space_share *share,
                       struct durable_file *file, uint64_t bytes, struct error *err)
{
    enum status st = enter(space, share, bytes, err);

    if (st != ST_OK || !file)
        return st;
    if (!has_room(space, bytes))
        return no_room(space, err);
    promise(space, share, bytes);
    /* Others may have promised at the same moment. */
    if (!has_room(space, 0)) {
        unpromise(space, share);
        return no_room(space, err);
    }
    return bytes >= SPACE_ALLOCATE_BYTES ? allocate(space, share, file, err) : ST_OK;
}

enum status space_grow(struct space *space, struct space_share *share, uint64_t n,
                       struct error *err)
{
    enum status st = enter(space, share, n, err);

    if (st != ST_OK)
        return st;
    atomic_fetch_sub(&space->free, (int64_t)n);
    return has_room(space, 0) ? ST_OK : no_room(space, err);
}

void space_give_back(struct space *space, struct space_share *share)
{
    /* It may be on disk by now; if it is not, the next sample says so. */
    atomic_fetch_sub(&space->free, (int64_t)share->promised);
    unpromise(space, share);
    atomic_fetch_sub(&space->inflight, share->inflight);
    share->inflight = 0;
}

void space_refused(struct space *space)
{
    atomic_store(&space->refused, true);
}

static bool probe(struct space *space)
{
    static const char bytes[PROBE_BYTES];
    struct durable_file *file = NULL;
    struct error err;
    bool good;

    good = store_create_file(space->store, &file, &err) == ST_OK &&
           durable_file_write(file, bytes, sizeof(bytes), &err) == ST_OK;
    durable_file_discard(&file);
    return good;
}

/* Whether what was refused is still refused. */
static bool still_refused(struct space *space)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t probed_ns = atomic_load(&space->probed_ns);

    if (!atomic_load(&space->refused))
        return false;
    if (now_ns - probed_ns >= PROBE_NS &&
        atomic_compare_exchange_strong(&space->probed_ns, &probed_ns, now_ns) &&
        probe(space))
        atomic_store(&space->refused, false);
    return atomic_load(&space->refused);
}

const char *space_unready(struct space *space)
{
    if (space_free_bytes(space) < space->config.min_free_bytes)
        return "less than --min-free is left on the disk";
    if (still_refused(space))
        return "the disk is full, or its quota is used up";
    return NULL;
}

uint64_t space_free_bytes(struct space *space)
{
    int64_t free;

    sample(space, clock_monotonic_ns());
    free = atomic_load(&space->free);
    return free > 0 ? (uint64_t)free : 0;
}

uint64_t space_inflight_bytes(const struct space *space)
{
    return atomic_load(&space->inflight);
}
