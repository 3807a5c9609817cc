/* SPDX-License-Identifier: MIT */
/*
 * Listing without an index and in fixed memory: of each directory only the smallest
 * names after the cursor are kept, so a page costs one pass over one or two directories
 * however many blobs there are.
 */
#include "receiver/store.h"
#include "receiver/store_private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The smallest entry of `path` above `above` that has the right shape. */
static enum status next_entry(struct store *store, const char *path, const char *above,
                              bool (*fits)(const char *), struct store_shard *out,
                              struct error *err)
{
    struct store_shard best = {""};
    const struct dirent *entry;
    DIR *stream = NULL;
    enum status st;

    st = open_stream(store, path, &stream, err);
    if (st != ST_OK)
        return st;
    while ((entry = readdir(stream)) != NULL) {
        if (!fits(entry->d_name) || strcmp(entry->d_name, above) <= 0)
            continue;
        if (best.path[0] == '\0' || strcmp(entry->d_name, best.path) < 0)
            memcpy(best.path, entry->d_name, strlen(entry->d_name) + 1);
    }
    closedir(stream);
    if (best.path[0] == '\0')
        return ST_END;
    *out = best;
    return ST_OK;
}

/* The hours in order of time, then other/00 to other/ff. */
static enum status next_shard(struct store *store, struct store_shard *shard,
                              struct error *err)
{
    static const char other[] = "other/";
    const size_t prefix = sizeof(other) - 1;
    struct store_shard found;
    const char *above = "";
    enum status st;

    if (strncmp(shard->path, other, prefix) != 0) {
        st = next_entry(store, ".", shard->path, is_hour, &found, err);
        if (st != ST_END) {
            *shard = st == ST_OK ? found : *shard;
            return st;
        }
    } else {
        above = shard->path + prefix;
    }
    st = next_entry(store, "other", above, is_hex_pair, &found, err);
    if (st != ST_OK)
        return st;
    memcpy(shard->path, other, prefix);
    memcpy(shard->path + prefix, found.path, sizeof("ff"));
    return ST_OK;
}

static int compare(const void *a, const void *b)
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

/* Keeps the `limit` smallest ids of a shard. `room` holds twice that: it is sorted and
 * cut whenever it is full, which costs O(log limit) an entry. */
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
    while ((entry = readdir(stream)) != NULL) {
        struct uuid id;

        if (!blob_file_name_parse(entry->d_name, &id))
            continue;
        if (after && uuid_compare(&id, after) <= 0)
            continue;
        if (!belongs(&id, shard))
            continue;
        room[held++] = id;
        if (held == 2 * limit) {
            qsort(room, held, sizeof(*room), compare);
            held = limit;
        }
    }
    closedir(stream);
    qsort(room, held, sizeof(*room), compare);
    *count = held < limit ? held : limit;
    return ST_OK;
}

enum status store_list(struct store *store, const struct uuid *after, struct uuid *ids,
                       size_t limit, size_t *count, struct error *err)
{
    struct store_shard shard = {""};
    struct uuid *room = malloc(2 * limit * sizeof(*room));
    enum status st = ST_OK;
    size_t total = 0;

    if (!room)
        return error_sys(err, ENOMEM, "list the store");
    if (after)
        shard = store_shard_of(after);
    else
        st = next_shard(store, &shard, err);
    while (st == ST_OK && total < limit) {
        size_t n;

        st = smallest(store, &shard, after, room, limit - total, &n, err);
        if (st != ST_OK)
            break;
        memcpy(ids + total, room, n * sizeof(*ids));
        total += n;
        after = NULL;
        if (total < limit)
            st = next_shard(store, &shard, err);
    }
    free(room);
    if (st != ST_OK && st != ST_END)
        return st;
    *count = total;
    return ST_OK;
}
