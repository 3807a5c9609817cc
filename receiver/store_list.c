/* SPDX-License-Identifier: MIT */
/*
 * Listing without an index and in fixed memory: of each directory only the smallest
 * names after the cursor are kept. A page costs one pass over the shards it takes blobs
 * from, and one over the store's directory for every WINDOW of them.
 */
#include "receiver/store.h"
#include "receiver/store_private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WINDOW = 256 };

/* The shards that come next. */
struct window {
    struct store_shard shard[2 * WINDOW]; /* twice, see keep_smallest */
    size_t count, next;
};

static enum status open_stream(struct store *store, const char *path, DIR **out,
                               struct error *err)
{
    int fd = openat(store_root(store), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (!stream) {
        int sys = errno;

        if (fd >= 0)
            close(fd);
        if (sys == ENOENT || sys == ENOTDIR)
            return ST_END;
        return error_sys(err, sys, "list '%s'", path);
    }
    *out = stream;
    return ST_OK;
}

/* A directory that cannot be read to its end must not pass for a short one. */
static const struct dirent *next_entry(DIR *stream, const char *path, enum status *st,
                                       struct error *err)
{
    const struct dirent *entry;

    errno = 0;
    entry = readdir(stream);
    if (!entry && errno != 0)
        *st = error_sys(err, errno, "list '%s'", path);
    return entry;
}

/* Called for each addition: sorts and cuts to the `limit` smallest whenever there are
 * twice as many, which costs O(log limit) an entry. */
static size_t keep_smallest(void *base, size_t held, size_t size, size_t limit,
                            int (*compare)(const void *, const void *))
{
    if (held < 2 * limit)
        return held;
    qsort(base, held, size, compare);
    return limit;
}

static size_t finish_smallest(void *base, size_t held, size_t size, size_t limit,
                              int (*compare)(const void *, const void *))
{
    qsort(base, held, size, compare);
    return held < limit ? held : limit;
}

/* "2026-11-21T18": as strftime wrote it, and nothing an operator put beside it. */
static bool is_hour(const char *name)
{
    static const char shape[] = "dddd-dd-ddTdd";

    for (size_t i = 0; i < sizeof(shape); i++) {
        if (shape[i] == 'd' ? !isdigit((unsigned char)name[i]) : name[i] != shape[i])
            return false;
    }
    return true;
}

static bool is_hex_pair(const char *name)
{
    return strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2;
}

static int compare_shards(const void *a, const void *b)
{
    const struct store_shard *x = a, *y = b;

    return strcmp(x->path, y->path);
}

/* Fills the window from one directory with names above `above`. */
static enum status gather(struct store *store, const char *path, const char *prefix,
                          bool (*fits)(const char *), const char *above,
                          struct window *window, struct error *err)
{
    const struct dirent *entry;
    DIR *stream = NULL;
    size_t held = 0;
    enum status st;

    st = open_stream(store, path, &stream, err);
    if (st != ST_OK)
        return st == ST_END ? ST_OK : st;
    while ((entry = next_entry(stream, path, &st, err)) != NULL) {
        struct store_shard *shard = &window->shard[held];

        if (!fits(entry->d_name))
            continue;
        snprintf(shard->path, sizeof(shard->path), "%s%.13s", prefix, entry->d_name);
        if (strcmp(shard->path, above) > 0)
            held = keep_smallest(window->shard, held + 1, sizeof(*shard), WINDOW,
                                 compare_shards);
    }
    closedir(stream);
    window->count = finish_smallest(window->shard, held, sizeof(window->shard[0]),
                                    WINDOW, compare_shards);
    return st;
}

/* The hours in order of time, then other/00 to other/ff: which is also the order of
 * their names. ST_END behind the last. */
static enum status next_shard(struct store *store, struct window *window,
                              struct store_shard *shard, struct error *err)
{
    enum status st = ST_OK;

    if (window->next == window->count) {
        window->next = window->count = 0;
        if (shard->path[0] != 'o')
            st = gather(store, ".", "", is_hour, shard->path, window, err);
        if (st == ST_OK && window->count == 0)
            st = gather(store, "other", "other/", is_hex_pair, shard->path, window,
                        err);
        if (st != ST_OK)
            return st;
    }
    if (window->count == 0)
        return ST_END;
    *shard = window->shard[window->next++];
    return ST_OK;
}

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

/* A blob that somebody put into another shard cannot be found, and as a cursor it would
 * lead back to where the list has been. */
static bool belongs(const struct uuid *id, const struct store_shard *shard)
{
    struct store_shard home = store_shard_of(id);

    return strcmp(home.path, shard->path) == 0;
}

/* The `limit` smallest ids of a shard; `room` holds twice that. */
static enum status smallest(struct store *store, const struct store_shard *shard,
                            const struct uuid *after, struct uuid *room, size_t limit,
                            size_t *count, struct error *err)
{
    const struct dirent *entry;
    size_t held = 0;
    DIR *stream = NULL;
    enum status st;

    *count = 0;
    st = open_stream(store, shard->path, &stream, err);
    if (st != ST_OK)
        return st == ST_END ? ST_OK : st;
    while ((entry = next_entry(stream, shard->path, &st, err)) != NULL) {
        struct uuid id;

        if (!blob_file_name_parse(entry->d_name, &id) || !belongs(&id, shard) ||
            (after && uuid_compare(&id, after) <= 0))
            continue;
        room[held] = id;
        held = keep_smallest(room, held + 1, sizeof(*room), limit, compare_ids);
    }
    closedir(stream);
    *count = finish_smallest(room, held, sizeof(*room), limit, compare_ids);
    return st;
}

/* In `room` there is space for twice what is wanted. */
static enum status collect(struct store *store, const struct uuid *after,
                           struct window *window, struct uuid *room, struct uuid *ids,
                           size_t limit, size_t *total, struct error *err)
{
    struct store_shard shard = {""};
    enum status st = ST_OK;

    *total = 0;
    if (after)
        shard = store_shard_of(after);
    else
        st = next_shard(store, window, &shard, err);
    while (st == ST_OK && *total < limit) {
        size_t n;

        st = smallest(store, &shard, after, room, limit - *total, &n, err);
        if (st != ST_OK)
            break;
        memcpy(ids + *total, room, n * sizeof(*ids));
        *total += n;
        after = NULL;
        if (*total < limit)
            st = next_shard(store, window, &shard, err);
    }
    return st == ST_END ? ST_OK : st;
}

enum status store_list(struct store *store, const struct uuid *after, struct uuid *ids,
                       size_t limit, size_t *count, struct error *err)
{
    struct window *window = calloc(1, sizeof(*window));
    struct uuid *room = malloc(2 * limit * sizeof(*room));
    enum status st;
    size_t total = 0;

    if (!window || !room)
        st = error_sys(err, ENOMEM, "list the store");
    else
        st = collect(store, after, window, room, ids, limit, &total, err);
    if (st == ST_OK)
        *count = total;
    free(window);
    free(room);
    return st;
}

static enum status visit_page(const struct uuid *page, size_t count, store_visit *visit,
                              void *context, struct error *err)
{
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < count; i++)
        st = visit(context, &page[i], err);
    return st;
}

enum status store_each(struct store *store, store_visit *visit, void *context,
                       struct error *err)
{
    enum { PAGE = 1000 };
    struct uuid *page = calloc(PAGE, sizeof(*page)), after;
    size_t count = 0;
    enum status st;

    if (!page)
        return error_sys(err, ENOMEM, "list the store");
    st = store_list(store, NULL, page, PAGE, &count, err);
    while (st == ST_OK && count > 0) {
        st = visit_page(page, count, visit, context, err);
        after = page[count - 1];
        if (st == ST_OK)
            st = store_list(store, &after, page, PAGE, &count, err);
    }
    free(page);
    return st;
}
