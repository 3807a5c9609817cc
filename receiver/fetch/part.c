/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    FILE_MODE = 0666, /* less the umask */
    BAD_NAMES_MAX = 1000,
};

static const char mark[] = "user.blob.part";

/* Without extended attributes, a part file that is not empty is ours only if its state
 * says so. One with another name has been published by a run that crashed before it
 * could take this one away. */
static void claim_file(struct part *part)
{
    struct stat about;
    bool alone = fstat(part->fd, &about) == 0 && about.st_nlink == 1;
    bool empty = alone && about.st_size == 0;

    if (empty)
        (void)!fsetxattr(part->fd, mark, "", 0, 0);
    part->ours = empty || (alone && fgetxattr(part->fd, mark, NULL, 0) >= 0);
}

/* The name may have been given to another file while we waited for nothing: a run that
 * finished renames the file it held. */
static bool still_has_its_name(struct part *part)
{
    struct stat ours, named;

    if (fstat(part->fd, &ours) != 0 ||
        fstatat(part->dir_fd, part->part_name, &named, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    part->inode = ours.st_ino;
    return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static enum status open_once(struct part *part, bool *settled, struct error *err)
{
    struct stat about;

    part->fd = openat(part->dir_fd, part->part_name,
                      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                      FILE_MODE);
    if (part->fd < 0)
        return error_sys(err, errno, "open '%.160s'", part->part_name);
    if (fstat(part->fd, &about) != 0 || !S_ISREG(about.st_mode))
        return error_set(err, ST_REFUSED, "'%.160s' is not a regular file",
                         part->part_name);
    if (flock(part->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return error_set(err, ST_REFUSED, "another run is fetching '%.160s'",
                             part->name);
        return error_sys(err, errno, "lock '%.160s'", part->part_name);
    }
    *settled = still_has_its_name(part);
    if (*settled)
        claim_file(part);
    return ST_OK;
}

enum status part_open(struct part *part, int dir_fd, const char *name,
                      struct error *err)
{
    enum status st;
    bool settled = false;

    *part = (struct part){
        .dir_fd = dir_fd, .fd = -1, .writing = PTHREAD_MUTEX_INITIALIZER};
    snprintf(part->name, sizeof part->name, "%s", name);
    snprintf(part->part_name, sizeof part->part_name, "%s.part", name);
    do {
        part_close(part);
        st = open_once(part, &settled, err);
    } while (st == ST_OK && !settled);
    if (st != ST_OK)
        part_close(part);
    return st;
}

void part_close(struct part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    part->fd = -1;
}

enum status part_size(const struct part *part, uint64_t *out, struct error *err)
{
    struct stat about;

    if (fstat(part->fd, &about) != 0)
        return error_sys(err, errno, "look at '%.160s'", part->part_name);
    *out = (uint64_t)about.st_size;
    return ST_OK;
}

enum status part_truncate(const struct part *part, uint64_t size, struct error *err)
{
    if (ftruncate(part->fd, (off_t)size) != 0)
        return error_sys(err, errno, "set the size of '%.160s'", part->part_name);
    return ST_OK;
}

enum status part_allocate(const struct part *part, uint64_t size, struct error *err)
{
    if (size > 0 && fallocate(part->fd, 0, 0, (off_t)size) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS)
        return error_sys(err, errno, "make room for %" PRIu64 " bytes in '%.120s'",
                         size, part->part_name);
    return part_truncate(part, size, err);
}

/* One after the other, as in the kernel, where those who wait would burn the processor
 * time that the one who copies needs. */
static ssize_t write_some(struct part *part, const void *bytes, size_t n,
                          uint64_t offset)
{
    ssize_t wrote;

    pthread_mutex_lock(&part->writing);
    wrote = pwrite(part->fd, bytes, n, (off_t)offset);
    pthread_mutex_unlock(&part->writing);
    return wrote;
}

enum status part_write(struct part *part, const void *bytes, size_t n, uint64_t offset,
                       struct error *err)
{
    const char *at = bytes;

    while (n > 0) {
        ssize_t wrote = write_some(part, at, n, offset);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return error_sys(err, errno, "write '%.160s'", part->part_name);
        at += wrote;
        n -= (size_t)wrote;
        offset += (uint64_t)wrote;
    }
    return ST_OK;
}

enum status part_read(const struct part *part, void *into, size_t n, uint64_t offset,
                      struct error *err)
{
    char *at = into;

    while (n > 0) {
        ssize_t got = pread(part->fd, at, n, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_sys(err, errno, "read '%.160s'", part->part_name);
        if (got == 0)
            return error_set(err, ST_CORRUPT, "'%.160s' was cut short by someone else",
                             part->part_name);
        at += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return ST_OK;
}

void part_start_writeback(const struct part *part, uint64_t offset, uint64_t n)
{
    (void)sync_file_range(part->fd, (off64_t)offset, (off64_t)n, SYNC_FILE_RANGE_WRITE);
}

enum status part_sync(struct part *part, struct error *err)
{
    if (fsync(part->fd) == 0)
        return ST_OK;
    part->sync_failed = true;
    return error_sys(err, errno, "sync '%.160s'", part->part_name);
}

/* Where the file system cannot rename without replacing, a link does the same. */
static int rename_to_free_name(const struct part *part, const char *name)
{
    if (renameat2(part->dir_fd, part->part_name, part->dir_fd, name,
                  RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(part->dir_fd, part->part_name, part->dir_fd, name, 0) != 0)
        return -1;
    return unlinkat(part->dir_fd, part->part_name, 0);
}

enum status part_publish(struct part *part, unsigned flags, struct error *err)
{
    int rc;

    if (flags & PART_KEEP_EXISTING)
        rc = rename_to_free_name(part, part->name);
    else
        rc = renameat(part->dir_fd, part->part_name, part->dir_fd, part->name);
    if (rc != 0 && errno == EEXIST) {
        error_set(err, ST_REFUSED, "'%.160s' exists by now", part->name);
        err->sys = EEXIST;
        return err->status;
    }
    if (rc != 0)
        return error_sys(err, errno, "rename '%.100s' to '%.100s'", part->part_name,
                         part->name);
    (void)!fremovexattr(part->fd, mark);
    part_close(part);
    if (flags & PART_DURABLE && fsync(part->dir_fd) != 0)
        return error_sys(err, errno, "sync the directory of '%.160s'", part->name);
    return ST_OK;
}

enum status part_set_time(const struct part *part, int64_t modified_s,
                          struct error *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = modified_s}};

    if (futimens(part->fd, times) != 0)
        return error_sys(err, errno, "set the time of '%.160s'", part->part_name);
    return ST_OK;
}

void part_discard(struct part *part)
{
    if (part->fd < 0)
        return;
    unlinkat(part->dir_fd, part->part_name, 0);
    part_close(part);
}

enum status part_keep_bad(struct part *part, char kept_as[PART_NAME_SIZE],
                          struct error *err)
{
    char number[8] = "";
    int rc = -1;

    errno = EEXIST;
    for (unsigned i = 1; rc != 0 && errno == EEXIST && i <= BAD_NAMES_MAX; i++) {
        snprintf(kept_as, PART_NAME_SIZE, "%s.bad%s", part->name, number);
        rc = rename_to_free_name(part, kept_as);
        snprintf(number, sizeof number, ".%u", i);
    }
    if (rc != 0)
        return error_sys(err, errno, "rename '%.100s' to '%.100s'", part->part_name,
                         kept_as);
    (void)!fremovexattr(part->fd, mark);
    part_close(part);
    return ST_OK;
}
