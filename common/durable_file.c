/* SPDX-License-Identifier: MIT */
#include "common/durable_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define HIDDEN_PREFIX ".incoming-"

enum {
    FILE_MODE = 0640,
    RANDOM_BYTES = 16,
    HIDDEN_NAME_SIZE = sizeof HIDDEN_PREFIX + 2 * RANDOM_BYTES,
};

struct durable_file {
    int fd;
    uint64_t size;
    int home_fd; /* directory of the hidden name; -1: the file has no name at all */
    char name[HIDDEN_NAME_SIZE];
};

static struct durable_file *file_new(void)
{
    struct durable_file *file = calloc(1, sizeof *file);

    if (file != NULL) {
        file->fd = -1;
        file->home_fd = -1;
    }
    return file;
}

static void file_free(struct durable_file **file)
{
    if ((*file)->fd >= 0)
        close((*file)->fd);
    if ((*file)->home_fd >= 0)
        close((*file)->home_fd);
    free(*file);
    *file = NULL;
}

enum status durable_file_create_named(struct durable_file **out, int dir_fd,
                                      struct error *err)
{
    struct durable_file *file = file_new();
    uint8_t random[RANDOM_BYTES];
    size_t prefix = sizeof HIDDEN_PREFIX - 1;
    enum status st;

    if (file == NULL)
        return error_sys(err, ENOMEM, "create hidden file");
    randombytes_buf(random, sizeof random);
    memcpy(file->name, HIDDEN_PREFIX, prefix);
    sodium_bin2hex(file->name + prefix, sizeof file->name - prefix, random,
                   sizeof random);
    file->home_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (file->home_fd >= 0)
        file->fd = openat(file->home_fd, file->name,
                          O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, FILE_MODE);
    if (file->fd < 0) {
        st = error_sys(err, errno, "create hidden file");
        file_free(&file);
        return st;
    }
    *out = file;
    return ST_OK;
}

/* What open(2) says where there is no O_TMPFILE: the file system lacks it, or the
 * kernel does not know the flag and sees a directory opened for writing. */
static bool lacks_tmpfile(int sys)
{
    return sys == EOPNOTSUPP || sys == EISDIR || sys == ENOENT || sys == EINVAL;
}

enum status durable_file_create(struct durable_file **out, int dir_fd,
                                struct error *err)
{
    struct durable_file *file;
    int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);

    if (fd < 0 && lacks_tmpfile(errno))
        return durable_file_create_named(out, dir_fd, err);
    if (fd < 0)
        return error_sys(err, errno, "create hidden file");
    file = file_new();
    if (file == NULL) {
        close(fd);
        return error_sys(err, ENOMEM, "create hidden file");
    }
    file->fd = fd;
    *out = file;
    return ST_OK;
}

enum status durable_file_reserve(struct durable_file *file, uint64_t bytes,
                                 struct error *err)
{
    while (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) != 0)
        if (errno != EINTR)
            return error_sys(err, errno, "reserve %ju bytes", (uintmax_t)bytes);
    return ST_OK;
}

enum status durable_file_write(struct durable_file *file, const void *bytes, size_t n,
                               struct error *err)
{
    const char *at = bytes;

    while (n > 0) {
        ssize_t written = write(file->fd, at, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_sys(err, written < 0 ? errno : EIO, "write");
        at += written;
        n -= (size_t)written;
        file->size += (uint64_t)written;
    }
    return ST_OK;
}

enum status durable_file_set_attribute(struct durable_file *file, const char *name,
                                       const void *value, size_t n, struct error *err)
{
    if (fsetxattr(file->fd, name, value, n, 0) != 0)
        return error_sys(err, errno, "set attribute '%s'", name);
    return ST_OK;
}

enum status durable_file_sync(struct durable_file *file, struct error *err)
{
    /* Not fdatasync: the attributes have to survive, too. */
    if (fsync(file->fd) != 0)
        return error_sys(err, errno, "fsync");
    return ST_OK;
}

/* Gives a file without a name its first one. */
static int link_unnamed(const struct durable_file *file, int dir_fd, const char *name)
{
    char self[32];

    snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
    return linkat(AT_FDCWD, self, dir_fd, name, AT_SYMLINK_FOLLOW);
}

static int rename_hidden(const struct durable_file *file, int dir_fd, const char *name)
{
    if (renameat2(file->home_fd, file->name, dir_fd, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(file->home_fd, file->name, dir_fd, name, 0) != 0)
        return -1;
    unlinkat(file->home_fd, file->name, 0); /* else the next sweep does */
    return 0;
}

enum status durable_file_publish(struct durable_file **file, int dir_fd,
                                 const char *name, struct error *err)
{
    int rc = (*file)->home_fd < 0 ? link_unnamed(*file, dir_fd, name)
                                  : rename_hidden(*file, dir_fd, name);

    if (rc != 0) {
        error_sys(err, errno, "publish '%s'", name);
        if (err->sys == EEXIST)
            err->status = ST_REFUSED;
        return err->status;
    }
    file_free(file);
    return ST_OK;
}

void durable_file_discard(struct durable_file **file)
{
    if (*file == NULL)
        return;
    if ((*file)->home_fd >= 0)
        unlinkat((*file)->home_fd, (*file)->name, 0);
    file_free(file);
}

uint64_t durable_file_size(const struct durable_file *file)
{
    return file->size;
}

enum status durable_directory_sync(int dir_fd, struct error *err)
{
    if (fsync(dir_fd) != 0)
        return error_sys(err, errno, "fsync directory");
    return ST_OK;
}

static bool is_hidden_file(int dir_fd, const char *name)
{
    struct stat about;

    return strncmp(name, HIDDEN_PREFIX, sizeof HIDDEN_PREFIX - 1) == 0 &&
           fstatat(dir_fd, name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(about.st_mode);
}

/* A second descriptor, so that the caller's keeps its position. */
static DIR *open_again(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && dir == NULL)
        close(fd);
    return dir;
}

enum status durable_file_sweep(int dir_fd, unsigned *count, struct error *err)
{
    DIR *dir = open_again(dir_fd);
    enum status st = ST_OK;
    unsigned swept = 0;
    struct dirent *entry;

    if (dir == NULL)
        return error_sys(err, errno, "list directory");
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        if (!is_hidden_file(dir_fd, entry->d_name))
            continue;
        if (unlinkat(dir_fd, entry->d_name, 0) != 0) {
            st = error_sys(err, errno, "remove '%s'", entry->d_name);
            goto out;
        }
        swept++;
    }
    if (errno != 0) {
        st = error_sys(err, errno, "list directory");
        goto out;
    }
    *count = swept;
out:
    closedir(dir);
    return st;
}
