/* SPDX-License-Identifier: MIT */
#include "sender/upload/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

/* How long a change can go unseen: some ticks, or two seconds where the file system
 * keeps whole seconds. */
static const double tick_s = 0.02, coarse_s = 2;

enum status source_file_open(struct source_file *out, const struct walk_entry *entry,
                             bool follow, struct error *err)
{
    /* O_NONBLOCK: what was a file may be a pipe by now. */
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
                (follow ? 0 : O_NOFOLLOW);
    struct source_file file;

    file.fd = openat(walk_entry_directory(entry), entry->name, flags);
    if (file.fd < 0 && errno == ELOOP)
        return error_set(err, ST_REFUSED, "no regular file any more");
    if (file.fd < 0)
        return error_sys(err, errno, "open");
    if (fstat(file.fd, &file.stat) != 0) {
        error_sys(err, errno, "look at");
        close(file.fd);
        return ST_SYSTEM;
    }
    if (!S_ISREG(file.stat.st_mode)) {
        close(file.fd);
        return error_set(err, ST_REFUSED, "no regular file any more");
    }
    *out = file;
    return ST_OK;
}

void source_file_close(struct source_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

uint64_t source_file_size(const struct source_file *file)
{
    return (uint64_t)file->stat.st_size;
}

enum status source_file_read(const struct source_file *file, uint64_t offset,
                             void *into, size_t n, struct error *err)
{
    uint8_t *to = into;

    while (n > 0) {
        ssize_t got = pread(file->fd, to, n, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_sys(err, errno, "read");
        if (got == 0)
            return error_set(err, ST_CORRUPT, "it became shorter while it was read");
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return ST_OK;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static double seconds_between(struct timespec a, struct timespec b)
{
    return fabs(difftime(a.tv_sec, b.tv_sec) + (double)(a.tv_nsec - b.tv_nsec) / 1e9);
}

enum status source_file_settled(const struct source_file *file, struct error *err)
{
    struct timespec now;
    struct stat st;

    clock_gettime(CLOCK_REALTIME, &now); /* before fstat: the stricter order */
    if (fstat(file->fd, &st) != 0)
        return error_sys(err, errno, "look at");
    if (st.st_size != file->stat.st_size ||
        !is_same_time(st.st_mtim, file->stat.st_mtim) ||
        !is_same_time(st.st_ctim, file->stat.st_ctim))
        return error_set(err, ST_CORRUPT, "it changed while it was read");
    /* Before or after: between clock and fstat, or by another machine's clock. */
    if (seconds_between(now, st.st_ctim) <
        (st.st_ctim.tv_nsec == 0 ? coarse_s : tick_s))
        return error_set(err, ST_CORRUPT, "it was being written just now");
    return ST_OK;
}

enum status source_file_blame(const struct source_file *file, enum status st)
{
    struct error ignored;

    if (st == ST_CORRUPT && source_file_settled(file, &ignored) == ST_OK)
        return ST_AGAIN;
    return st;
}
