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
    atomic_uint_fast64_t promised;  /* set aside, and not allocated */
    atomic_uint_fast64_t allocated; /* set aside, for uploads under way */
    atomic_int_fast64_t free;       /* the last sample, less what was written since */
    atomic_uint_fast64_t sampled_ns;
    atomic_bool refused; /* something, since the last probe that worked */
    atomic_bool full;    /* so said the last probe */
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

/* How much of an announcement may be set aside. */
static uint64_t fair_part(struct space *space, uint64_t bytes)
{
    uint64_t allocated = atomic_load(&space->allocated);
    uint64_t aside = allocated + atomic_load(&space->promised);
    int64_t free = atomic_load(&space->free);
    uint64_t room = allocated + (free > 0 ? (uint64_t)free : 0);
    uint64_t min_free = space->config.min_free_bytes;
    uint64_t half = room > min_free ? (room - min_free) / 2 : 0;
    uint64_t left = half > aside ? half - aside : 0;

    return bytes < left ? bytes : left;
}

static void promise(struct space *space, struct space_share *share, uint64_t bytes)
{
    share->aside = bytes;
    atomic_fetch_add(&space->promised, bytes);
}

static void unpromise(struct space *space, struct space_share *share)
{
    atomic_fetch_sub(&space->promised, share->aside);
    share->aside = 0;
}

/* It may be on disk by now; if it is not, the next sample says so. */
static void keep_promise(struct space *space, struct space_share *share)
{
    atomic_fetch_sub(&space->free, (int64_t)share->aside);
    unpromise(space, share);
}

/* A file system that cannot allocate ahead leaves it at the promise. */
static enum status allocate(struct space *space, struct space_share *share,
                            struct durable_file *file, struct error *err)
{
    uint64_t bytes = share->aside;
    struct error why;
    enum status st = durable_file_reserve(file, bytes, &why);

    if (st != ST_OK && (why.sys == EOPNOTSUPP || why.sys == ENOSYS))
        return ST_OK;
    unpromise(space, share);
    if (st != ST_OK) {
        *err = why;
        return st;
    }
    share->allocated = true;
    share->aside = bytes;
    atomic_fetch_add(&space->allocated, bytes);
    atomic_fetch_sub(&space->free, (int64_t)bytes);
    return ST_OK;
}

enum status space_take(struct space *space, struct space_share *share,
                       struct durable_file *file, uint64_t bytes, struct error *err)
{
    enum status st = enter(space, share, bytes, err);

    share->unwritten = !file;
    if (st != ST_OK || share->unwritten)
        return st;
    if (!has_room(space, bytes))
        return no_room(space, err);
    promise(space, share, fair_part(space, bytes));
    /* Others may have promised at the same moment. */
    if (!has_room(space, 0)) {
        unpromise(space, share);
        return no_room(space, err);
    }
    return share->aside >= SPACE_ALLOCATE_BYTES ? allocate(space, share, file, err)
                                                : ST_OK;
}

enum status space_use(struct space *space, struct space_share *share, uint64_t n,
                      struct error *err)
{
    enum status st = ST_OK;

    share->used += n;
    if (share->used > share->inflight)
        st = enter(space, share, share->used - share->inflight, err);
    if (st != ST_OK || share->unwritten || share->used <= share->aside)
        return st;
    if (!share->allocated) /* else what came would count twice */
        keep_promise(space, share);
    atomic_fetch_sub(&space->free, (int64_t)n);
    return has_room(space, 0) ? ST_OK : no_room(space, err);
}

void space_give_back(struct space *space, struct space_share *share)
{
    if (share->allocated) {
        atomic_fetch_sub(&space->allocated, share->aside);
    } else {
        keep_promise(space, share);
    }
    atomic_fetch_sub(&space->inflight, share->inflight);
    *share = (struct space_share){0};
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

/* Whether the disk refuses whatever comes, and not only what somebody announced. */
static bool still_refused(struct space *space)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t probed_ns = atomic_load(&space->probed_ns);
    bool full;

    if (!atomic_load(&space->refused))
        return false;
    if (now_ns - probed_ns < PROBE_NS ||
        !atomic_compare_exchange_strong(&space->probed_ns, &probed_ns, now_ns))
        return atomic_load(&space->full);
    full = !probe(space);
    atomic_store(&space->full, full);
    atomic_store(&space->refused, full);
    return full;
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
