/* SPDX-License-Identifier: MIT */
#include "receiver/store.h"

#include "receiver/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    RECENT_SHARDS = 32,
    DIRECTORY_MODE = 0750,
    DIRECTORY_FLAGS = O_DIRECTORY | O_CLOEXEC
};

struct store {
    int root; /* set once: read freely */
    struct {  /* store_sync_shard's alone, which is one thread at a time */
        ino_t
            shard[RECENT_SHARDS]; /* directories whose parents are known to be synced */
        unsigned next;
    } synced;
};

struct blob_path {
    char text[sizeof(((struct store_shard *)0)->path) + 1 + BLOB_FILE_NAME_SIZE];
};

static struct blob_path path_of(const struct uuid *id)
{
    struct store_shard shard = store_shard_of(id);
    char name[BLOB_FILE_NAME_SIZE];
    struct blob_path path;

    snprintf(path.text, sizeof(path.text), "%s/%s", shard.path,
             blob_file_name(name, id));
    return path;
}

struct store_shard store_shard_of(const struct uuid *id)
{
    const uint64_t year_10000_ms = UINT64_C(253402300800000);
    struct store_shard shard;
    struct tm utc;
    time_t seconds;

    if (uuid_version(id) != 7 || uuid_unix_ms(id) >= year_10000_ms) {
        snprintf(shard.path, sizeof(shard.path), "other/%02x",
                 id->bytes[UUID_BYTES - 1]);
        return shard;
    }
    seconds = (time_t)(uuid_unix_ms(id) / 1000);
    gmtime_r(&seconds, &utc);
    strftime(shard.path, sizeof(shard.path), "%Y-%m-%dT%H", &utc);
    return shard;
}

static enum status sync_parent_of(int root, const char *directory, struct error *err)
{
    enum status st = ST_OK;
    int fd = openat(root, "..", O_RDONLY | DIRECTORY_FLAGS);

    if (fd < 0 && errno == EACCES) /* not ours to make durable */
        return ST_OK;
    if (fd < 0 || fsync(fd) != 0)
        st = error_sys(err, errno, "sync the parent of '%s'", directory);
    if (fd >= 0)
        close(fd);
    return st;
}

static enum status open_root(const char *directory, int *out, struct error *err)
{
    enum status st = ST_OK;
    int fd;

    if (mkdir(directory, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return error_sys(err, errno, "create directory '%s'", directory);
    fd = open(directory, O_RDONLY | DIRECTORY_FLAGS);
    if (fd < 0)
        return error_sys(err, errno, "open directory '%s'", directory);
    if (faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        st = error_sys(err, errno, "write in directory '%s'", directory);
    else
        st = sync_parent_of(fd, directory, err);
    if (st == ST_OK)
        *out = fd;
    else
        close(fd);
    return st;
}

static enum status prepare(int root, unsigned *swept, struct error *err)
{
    enum status st;

    if (flock(root, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return error_set(err, ST_REFUSED, "another receiver stores there");
    if (flock(root, LOCK_EX | LOCK_NB) != 0)
        return error_sys(err, errno, "lock the directory");
    st = blob_file_probe_attributes(root, err);
    if (st != ST_OK)
        return st;
    st = durable_file_sweep(root, swept, err);
    if (st != ST_OK)
        return st;
    if (mkdirat(root, "other", DIRECTORY_MODE) != 0 && errno != EEXIST)
        return error_sys(err, errno, "create 'other'");
    return durable_directory_sync(root, err);
}

enum status store_open(struct store **out, const char *directory, unsigned *swept,
                       struct error *err)
{
    struct store *store;
    enum status st;
    int root = -1;

    st = open_root(directory, &root, err);
    if (st != ST_OK)
        return st;
    st = prepare(root, swept, err);
    if (st != ST_OK) {
        error_prefix(err, "'%s'", directory);
        goto fail;
    }
    store = calloc(1, sizeof(*store));
    if (!store) {
        st = error_sys(err, ENOMEM, "open the store");
        goto fail;
    }
    store->root = root;
    *out = store;
    return ST_OK;
fail:
    close(root);
    return st;
}

enum status store_open_beside(struct store **out, const char *directory,
                              struct error *err)
{
    int root = open(directory, O_RDONLY | DIRECTORY_FLAGS);
    struct store *store;

    if (root < 0)
        return error_sys(err, errno, "open directory '%s'", directory);
    if (faccessat(root, "other", F_OK, 0) != 0) { /* each store has it from its start */
        close(root);
        return error_set(err, ST_REFUSED, "'%s' is not a store of blobs", directory);
    }
    store = calloc(1, sizeof(*store));
    if (!store) {
        close(root);
        return error_sys(err, ENOMEM, "open the store");
    }
    store->root = root;
    *out = store;
    return ST_OK;
}

void store_close(struct store **store)
{
    if (!*store)
        return;
    close((*store)->root);
    free(*store);
    *store = NULL;
}

enum status store_room(const struct store *store, uint64_t *bytes, struct error *err)
{
    struct statvfs state;

    if (fstatvfs(store->root, &state) != 0)
        return error_sys(err, errno, "inspect the file system");
    *bytes = state.f_files > 0 && state.f_favail == 0
                 ? 0
                 : (uint64_t)state.f_bavail * state.f_frsize;
    return ST_OK;
}

enum status store_create_file(struct store *store, struct durable_file **out,
                              struct error *err)
{
    return durable_file_create(out, store->root, err);
}

/* A symlink that somebody put into the store leads nowhere, and a FIFO holds nobody up.
 */
static int open_beneath(const struct store *store, const char *path, int flags)
{
    const struct open_how how = {
        .flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    long fd = syscall(SYS_openat2, store->root, path, &how, sizeof(how));

    if (fd < 0 && errno == ENOSYS)
        return openat(store->root, path, flags | O_NOFOLLOW | O_CLOEXEC);
    return (int)fd;
}

/* The first blob of an hour makes its shard. */
static enum status open_shard(struct store *store, const struct store_shard *shard,
                              int flags, int *out, struct error *err)
{
    int fd = open_beneath(store, shard->path, flags | O_DIRECTORY);

    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(store->root, shard->path, DIRECTORY_MODE) != 0 && errno != EEXIST)
            return error_sys(err, errno, "create shard '%s'", shard->path);
        fd = open_beneath(store, shard->path, flags | O_DIRECTORY);
    }
    if (fd < 0)
        return error_sys(err, errno, "open shard '%s'", shard->path);
    *out = fd;
    return ST_OK;
}

enum status store_publish(struct store *store, struct durable_file **file,
                          const struct uuid *id, struct error *err)
{
    struct store_shard shard = store_shard_of(id);
    char name[BLOB_FILE_NAME_SIZE];
    enum status st;
    int fd = -1;

    st = open_shard(store, &shard, O_PATH, &fd, err);
    if (st != ST_OK)
        return st;
    st = durable_file_publish(file, fd, blob_file_name(name, id), err);
    close(fd);
    return st;
}

void store_withdraw(struct store *store, const struct uuid *id)
{
    struct blob_path path = path_of(id);

    (void)unlinkat(store->root, path.text, 0);
}

static bool parent_synced(const struct store *store, ino_t shard)
{
    for (unsigned i = 0; i < RECENT_SHARDS; i++)
        if (store->synced.shard[i] == shard)
            return true;
    return false;
}

/* A shard seen for the first time since start may be new, or its creator may have been
 * killed before its parent was synced; one that was moved away may have been made
 * again. */
static enum status sync_parent(struct store *store, const struct store_shard *shard,
                               ino_t inode, struct error *err)
{
    enum status st = ST_OK;
    int fd;

    if (parent_synced(store, inode))
        return ST_OK;
    fd = openat(store->root, strncmp(shard->path, "other/", 6) == 0 ? "other" : ".",
                O_RDONLY | DIRECTORY_FLAGS);
    if (fd < 0)
        return error_sys(err, errno, "open the parent of shard '%s'", shard->path);
    st = durable_directory_sync(fd, err);
    close(fd);
    if (st == ST_OK) {
        store->synced.shard[store->synced.next] = inode;
        store->synced.next = (store->synced.next + 1) % RECENT_SHARDS;
    }
    return st;
}

enum status store_sync_shard(struct store *store, const struct store_shard *shard,
                             struct error *err)
{
    struct stat about;
    enum status st;
    int fd;

    fd = open_beneath(store, shard->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return error_sys(err, errno, "open shard '%s'", shard->path);
    if (fstat(fd, &about) != 0)
        st = error_sys(err, errno, "stat");
    else
        st = durable_directory_sync(fd, err);
    close(fd);
    if (st == ST_OK)
        st = sync_parent(store, shard, about.st_ino, err);
    if (st != ST_OK)
        error_prefix(err, "shard '%s'", shard->path);
    return st;
}

enum status store_find(struct store *store, const struct uuid *id, int *fd,
                       struct blob_info *info, struct error *err)
{
    struct blob_path path = path_of(id);
    enum status st;
    int opened;

    opened = open_beneath(store, path.text, O_RDONLY | O_NONBLOCK);
    if (opened < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return ST_END;
    if (opened < 0)
        return error_sys(err, errno, "open '%s'", path.text);
    st = blob_file_inspect(opened, info, err);
    if (st != ST_OK) {
        close(opened);
        return st == ST_INVALID ? ST_END : st; /* not a regular file: not a blob */
    }
    *fd = opened;
    return ST_OK;
}

enum status store_quarantine(struct store *store, const struct uuid *id,
                             struct error *err)
{
    struct blob_path from = path_of(id);
    char name[BLOB_FILE_NAME_SIZE], to[sizeof("quarantine/") + BLOB_FILE_NAME_SIZE];

    if (mkdirat(store->root, "quarantine", DIRECTORY_MODE) != 0 && errno != EEXIST)
        return error_sys(err, errno, "create 'quarantine'");
    snprintf(to, sizeof(to), "quarantine/%s", blob_file_name(name, id));
    if (renameat(store->root, from.text, store->root, to) != 0)
        return error_sys(err, errno, "move '%s' to '%s'", from.text, to);
    return ST_OK;
}

int store_root(const struct store *store)
{
    return store->root;
}
