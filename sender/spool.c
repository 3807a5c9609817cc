/* SPDX-License-Identifier: MIT */
#include "sender/spool.h"

#include "common/durable_file.h"
#include "common/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ATTRIBUTE_REASON "user.blob.reason"

enum { DIR_MODE = 0750 };

struct spool {
    struct spool_config config;
    int dir_fd, dead_fd;
    int sent_fd;        /* -1: delivered blobs are removed */
    struct sha256 *sha; /* this and chunk: of spool_store */
    uint8_t chunk[SPOOL_CHUNK_BYTES];
};

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static enum status open_directory(int parent_fd, const char *name, int *out,
                                  struct error *err)
{
    int fd;

    if (mkdirat(parent_fd, name, DIR_MODE) != 0 && errno != EEXIST)
        return error_sys(err, errno, "create directory '%s'", name);
    fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, errno, "open directory '%s'", name);
    *out = fd;
    return ST_OK;
}

static enum status open_directories(struct spool *spool, struct error *err)
{
    enum status st;

    st = open_directory(AT_FDCWD, spool->config.dir, &spool->dir_fd, err);
    if (st != ST_OK)
        return st;
    if (flock(spool->dir_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? error_set(err, ST_REFUSED, "in use by another sender")
                   : error_sys(err, errno, "lock directory");
    st = blob_file_probe_attributes(spool->dir_fd, err);
    if (st != ST_OK)
        return st;
    st = open_directory(spool->dir_fd, "dead", &spool->dead_fd, err);
    if (st == ST_OK && spool->config.keep)
        st = open_directory(spool->dir_fd, "sent", &spool->sent_fd, err);
    return st;
}

enum status spool_open(struct spool **out, const struct spool_config *config,
                       unsigned *swept, struct error *err)
{
    struct spool *spool = calloc(1, sizeof *spool);
    enum status st;

    if (!spool)
        return error_sys(err, ENOMEM, "open spool '%s'", config->dir);
    spool->config = *config;
    spool->dir_fd = spool->dead_fd = spool->sent_fd = -1;
    st = open_directories(spool, err);
    if (st == ST_OK)
        st = durable_file_sweep(spool->dir_fd, swept, err);
    if (st == ST_OK)
        st = sha256_create(&spool->sha, err);
    if (st != ST_OK) {
        spool_close(&spool);
        return error_prefix(err, "spool '%s'", config->dir);
    }
    *out = spool;
    return ST_OK;
}

enum status spool_open_beside(struct spool **out, const char *dir, struct error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    struct spool *spool = calloc(1, sizeof *spool);

    if (!spool)
        return error_sys(err, ENOMEM, "open spool '%s'", dir);
    spool->config.dir = dir;
    spool->sent_fd = -1;
    spool->dir_fd = open(dir, flags);
    spool->dead_fd = spool->dir_fd < 0 ? -1 : openat(spool->dir_fd, "dead", flags);
    if (spool->dead_fd < 0) {
        error_sys(err, errno, "open spool '%s'", dir);
        spool_close(&spool);
        return ST_SYSTEM;
    }
    *out = spool;
    return ST_OK;
}

void spool_close(struct spool **spool)
{
    if (!*spool)
        return;
    close_if_open((*spool)->dir_fd); /* and with it the lock */
    close_if_open((*spool)->dead_fd);
    close_if_open((*spool)->sent_fd);
    sha256_destroy(&(*spool)->sha);
    free(*spool);
    *spool = NULL;
}

static int by_age(const void *a, const void *b)
{
    return uuid_compare(a, b); /* version 7 begins with the time */
}

static enum status append_id(struct uuid **ids, size_t *count, size_t *capacity,
                             const struct uuid *id, struct error *err)
{
    if (*count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 64;
        struct uuid *grown = reallocarray(*ids, more, sizeof *grown);

        if (!grown)
            return error_sys(err, ENOMEM, "list %zu blobs", more);
        *ids = grown;
        *capacity = more;
    }
    (*ids)[(*count)++] = *id;
    return ST_OK;
}

static enum status list(const struct spool *spool, int dir_fd, struct uuid **ids,
                        size_t *count, struct error *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct uuid *found = NULL, id;
    size_t n = 0, capacity = 0;
    enum status st = ST_OK;
    struct dirent *entry;

    if (!dir) {
        st = error_sys(err, errno, "list spool '%s'", spool->config.dir);
        close_if_open(fd);
        return st;
    }
    while (errno = 0, st == ST_OK && (entry = readdir(dir)) != NULL)
        if (blob_file_name_parse(entry->d_name, &id))
            st = append_id(&found, &n, &capacity, &id, err);
    if (st == ST_OK && errno != 0)
        st = error_sys(err, errno, "list spool '%s'", spool->config.dir);
    closedir(dir);
    if (st != ST_OK) {
        free(found);
        return st;
    }
    if (n > 1)
        qsort(found, n, sizeof *found, by_age);
    *ids = found;
    *count = n;
    return ST_OK;
}

enum status spool_list(struct spool *spool, struct uuid **ids, size_t *count,
                       struct error *err)
{
    return list(spool, spool->dir_fd, ids, count, err);
}

enum status spool_list_dead(struct spool *spool, struct uuid **ids, size_t *count,
                            struct error *err)
{
    return list(spool, spool->dead_fd, ids, count, err);
}

static enum status write_and_hash(struct spool *spool, struct durable_file *file,
                                  uint64_t bytes, spool_fill *fill, void *context,
                                  struct blob_info *info, struct error *err)
{
    sha256_start(spool->sha);
    for (uint64_t offset = 0; offset < bytes;) {
        uint64_t rest = bytes - offset;
        size_t n = rest < sizeof spool->chunk ? (size_t)rest : sizeof spool->chunk;
        enum status st;

        fill(context, offset, spool->chunk, n);
        sha256_update(spool->sha, spool->chunk, n);
        st = durable_file_write(file, spool->chunk, n, err);
        if (st != ST_OK)
            return st;
        offset += n;
    }
    info->has_digest = true;
    return sha256_finish(spool->sha, &info->digest, err);
}

enum status spool_store(struct spool *spool, const struct uuid *id, uint64_t bytes,
                        spool_fill *fill, void *context, struct error *err)
{
    struct blob_info info = {.type = BLOB_TYPE_INT16LE};
    struct durable_file *file = NULL;
    char name[BLOB_FILE_NAME_SIZE];
    enum status st;

    blob_file_name(name, id);
    st = durable_file_create(&file, spool->dir_fd, err);
    if (st != ST_OK)
        goto out;
    st = write_and_hash(spool, file, bytes, fill, context, &info, err);
    if (st != ST_OK)
        goto out;
    st = blob_file_describe(file, &info, err);
    if (st == ST_OK && spool->config.strict)
        st = durable_file_sync(file, err);
    if (st != ST_OK)
        goto out;
    st = durable_file_publish(&file, spool->dir_fd, name, err);
    if (st == ST_OK && spool->config.strict)
        st = durable_directory_sync(spool->dir_fd, err);
out:
    durable_file_discard(&file);
    if (st != ST_OK)
        return error_prefix(err, "spool '%s'", spool->config.dir);
    return ST_OK;
}

static enum status check_sendable(const struct blob_info *info, struct error *err)
{
    if (!info->has_digest)
        return error_set(err, ST_CORRUPT, "it has no digest attribute");
    if (strcmp(info->type, BLOB_TYPE_INT16LE) == 0 && info->size % 2 != 0)
        return error_set(err, ST_CORRUPT,
                         "its %llu bytes are not a whole number of samples",
                         (unsigned long long)info->size);
    return ST_OK;
}

/* below: "", or a directory with its slash. */
static enum status open_blob(const struct spool *spool, int dir_fd, const char *below,
                             const struct uuid *id, int *fd, struct blob_info *info,
                             struct error *err)
{
    char name[BLOB_FILE_NAME_SIZE];
    enum status st;
    int opened = openat(dir_fd, blob_file_name(name, id),
                        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (opened < 0) {
        error_sys(err, errno, "open '%s/%s%s'", spool->config.dir, below, name);
        err->status = err->sys == ENOENT ? ST_END : ST_SYSTEM;
        return err->status;
    }
    st = blob_file_inspect(opened, info, err);
    if (st != ST_OK) {
        close(opened);
        error_prefix(err, "'%s/%s%s'", spool->config.dir, below, name);
        return st;
    }
    *fd = opened;
    return ST_OK;
}

enum status spool_fetch(struct spool *spool, const struct uuid *id, int *fd,
                        struct blob_info *info, struct error *err)
{
    struct blob_info found;
    char name[BLOB_FILE_NAME_SIZE];
    enum status st;
    int opened;

    st = open_blob(spool, spool->dir_fd, "", id, &opened, &found, err);
    if (st != ST_OK)
        return st;
    st = check_sendable(&found, err);
    if (st != ST_OK) {
        close(opened);
        return error_prefix(err, "'%s/%s'", spool->config.dir,
                            blob_file_name(name, id));
    }
    *fd = opened;
    *info = found;
    return ST_OK;
}

enum status spool_fetch_dead(struct spool *spool, const struct uuid *id, int *fd,
                             struct blob_info *info, char reason[SPOOL_REASON_SIZE],
                             struct error *err)
{
    enum status st = open_blob(spool, spool->dead_fd, "dead/", id, fd, info, err);
    ssize_t n;

    if (st != ST_OK)
        return st;
    n = fgetxattr(*fd, ATTRIBUTE_REASON, reason, SPOOL_REASON_SIZE - 1);
    reason[n > 0 ? n : 0] = '\0';
    return ST_OK;
}

enum status spool_forget(struct spool *spool, const struct uuid *id, struct error *err)
{
    char name[BLOB_FILE_NAME_SIZE];
    int rc;

    blob_file_name(name, id);
    if (spool->sent_fd >= 0)
        rc = renameat(spool->dir_fd, name, spool->sent_fd, name);
    else
        rc = unlinkat(spool->dir_fd, name, 0);
    if (rc != 0)
        return error_sys(err, errno, "take '%s/%s' out of the spool", spool->config.dir,
                         name);
    return ST_OK;
}

/* A dead letter without its reason is better than none: failures are no matter. */
static void note_reason(struct spool *spool, const char *name, const char *reason)
{
    int fd = openat(spool->dir_fd, name,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return;
    fsetxattr(fd, ATTRIBUTE_REASON, reason, strlen(reason), 0);
    if (spool->config.strict)
        fsync(fd);
    close(fd);
}

enum status spool_bury(struct spool *spool, const struct uuid *id, const char *reason,
                       struct error *err)
{
    char name[BLOB_FILE_NAME_SIZE];
    enum status st = ST_OK;

    blob_file_name(name, id);
    note_reason(spool, name, reason);
    if (renameat2(spool->dir_fd, name, spool->dead_fd, name, RENAME_NOREPLACE) != 0) {
        error_sys(err, errno, "move '%s/%s' to dead/", spool->config.dir, name);
        if (err->sys == ENOENT)
            err->status = ST_END;
        return err->status;
    }
    if (spool->config.strict)
        st = durable_directory_sync(spool->dead_fd, err);
    if (st == ST_OK && spool->config.strict)
        st = durable_directory_sync(spool->dir_fd, err);
    return st;
}

enum status spool_requeue(struct spool *spool, const struct uuid *id, struct error *err)
{
    char name[BLOB_FILE_NAME_SIZE];
    enum status st = ST_OK;

    blob_file_name(name, id);
    if (renameat2(spool->dead_fd, name, spool->dir_fd, name, RENAME_NOREPLACE) != 0) {
        error_sys(err, errno, "move '%s/dead/%s' back", spool->config.dir, name);
        if (err->sys == ENOENT)
            err->status = ST_END;
        return err->status;
    }
    if (spool->config.strict)
        st = durable_directory_sync(spool->dir_fd, err);
    if (st == ST_OK && spool->config.strict)
        st = durable_directory_sync(spool->dead_fd, err);
    return st;
}
