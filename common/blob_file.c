/* SPDX-License-Identifier: MIT */
#include "common/blob_file.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ATTRIBUTE_SHA256 "user.blob.sha256"
#define ATTRIBUTE_TYPE   "user.blob.type"
#define ATTRIBUTE_PROBE  "user.blob.probe"

enum { READ_BYTES = 256 * 1024, HEX_LENGTH = SHA256_HEX_SIZE - 1 };

static const char suffix[] = ".bin";

const char *blob_file_name(char out[BLOB_FILE_NAME_SIZE], const struct uuid *id)
{
    uuid_format(out, id);
    memcpy(out + UUID_TEXT_SIZE - 1, suffix, sizeof suffix);
    return out;
}

bool blob_file_name_parse(const char *name, struct uuid *out)
{
    char canonical[BLOB_FILE_NAME_SIZE];
    struct uuid id;

    if (strlen(name) != BLOB_FILE_NAME_SIZE - 1 ||
        !uuid_parse(name, UUID_TEXT_SIZE - 1, &id))
        return false;
    /* An id in upper case would be found by nobody who asks for it. */
    if (strcmp(blob_file_name(canonical, &id), name) != 0)
        return false;
    *out = id;
    return true;
}

enum status blob_file_describe(struct durable_file *file, const struct blob_info *info,
                               struct error *err)
{
    char hex[SHA256_HEX_SIZE];

    if (info->has_digest) {
        enum status st = durable_file_set_attribute(
            file, ATTRIBUTE_SHA256, sha256_to_hex(hex, &info->digest), HEX_LENGTH, err);
        if (st != ST_OK)
            return st;
    }
    if (info->type[0] == '\0' || strcmp(info->type, BLOB_TYPE_DEFAULT) == 0)
        return ST_OK;
    return durable_file_set_attribute(file, ATTRIBUTE_TYPE, info->type,
                                      strlen(info->type), err);
}

static bool read_digest(int fd, struct sha256_digest *out)
{
    char hex[HEX_LENGTH];
    ssize_t n = fgetxattr(fd, ATTRIBUTE_SHA256, hex, sizeof hex);

    return n == (ssize_t)sizeof hex && sha256_from_hex(hex, sizeof hex, out);
}

/* The type ends up in an HTTP header, and anybody with a shell can set it. */
static void read_type(int fd, char type[BLOB_TYPE_SIZE])
{
    ssize_t n = fgetxattr(fd, ATTRIBUTE_TYPE, type, BLOB_TYPE_SIZE - 1);
    bool good = n > 0;

    for (ssize_t i = 0; i < n; i++)
        good = good && type[i] >= 0x20 && type[i] < 0x7f;
    if (good)
        type[n] = '\0';
    else
        memcpy(type, BLOB_TYPE_DEFAULT, sizeof BLOB_TYPE_DEFAULT);
}

enum status blob_file_inspect(int fd, struct blob_info *out, struct error *err)
{
    struct blob_info info = {.has_digest = false};
    struct stat about;

    if (fstat(fd, &about) != 0)
        return error_sys(err, errno, "inspect blob");
    if (!S_ISREG(about.st_mode))
        return error_set(err, ST_INVALID, "not a regular file");
    info.has_digest = read_digest(fd, &info.digest);
    read_type(fd, info.type);
    info.size = (uint64_t)about.st_size;
    info.modified_s = about.st_mtim.tv_sec;
    *out = info;
    return ST_OK;
}

static enum status hash_file(int fd, struct sha256 *sha, void *buffer,
                             struct error *err)
{
    off_t offset = 0;
    ssize_t n;

    while ((n = pread(fd, buffer, READ_BYTES, offset)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, errno, "read blob");
        sha256_update(sha, buffer, (size_t)n);
        offset += n;
    }
    return ST_OK;
}

enum status blob_file_digest(int fd, struct sha256_digest *out, struct error *err)
{
    struct sha256 *sha = NULL;
    void *buffer = malloc(READ_BYTES);
    enum status st;

    if (buffer == NULL)
        return error_sys(err, ENOMEM, "read blob");
    st = sha256_create(&sha, err);
    if (st != ST_OK)
        goto out;
    st = hash_file(fd, sha, buffer, err);
    if (st != ST_OK)
        goto out;
    st = sha256_finish(sha, out, err);
out:
    sha256_destroy(&sha);
    free(buffer);
    return st;
}

enum status blob_file_remember_digest(int fd, const struct sha256_digest *digest,
                                      struct error *err)
{
    char hex[SHA256_HEX_SIZE];

    /* Replaces: what could not be read as a digest is worth nothing. */
    if (fsetxattr(fd, ATTRIBUTE_SHA256, sha256_to_hex(hex, digest), HEX_LENGTH, 0) != 0)
        return error_sys(err, errno, "set attribute '%s'", ATTRIBUTE_SHA256);
    return ST_OK;
}

/* Those people meet without user attributes: by nature, or by kernel or mount option.
 */
static const struct {
    unsigned long magic;
    const char *name;
} file_systems[] = {
    {TMPFS_MAGIC, "tmpfs"},     {RAMFS_MAGIC, "ramfs"},
    {NFS_SUPER_MAGIC, "nfs"},   {MSDOS_SUPER_MAGIC, "vfat"},
    {FUSE_SUPER_MAGIC, "fuse"}, {OVERLAYFS_SUPER_MAGIC, "overlay"},
    {V9FS_MAGIC, "9p"},         {EXT4_SUPER_MAGIC, "ext4"},
    {PROC_SUPER_MAGIC, "proc"}, {0x2011BAB0UL, "exfat"},
};

static enum status refuse_file_system(int dir_fd, struct error *err)
{
    struct statfs about;
    unsigned long magic;

    if (fstatfs(dir_fd, &about) != 0)
        return error_sys(err, errno, "inspect file system");
    magic = (unsigned long)about.f_type & 0xffffffffUL;
    for (size_t i = 0; i < sizeof file_systems / sizeof file_systems[0]; i++) {
        if (file_systems[i].magic == magic)
            return error_set(err, ST_REFUSED,
                             "this %s file system keeps no user attributes",
                             file_systems[i].name);
    }
    return error_set(err, ST_REFUSED,
                     "this file system (type 0x%lx) keeps no user attributes", magic);
}

enum status blob_file_probe_attributes(int dir_fd, struct error *err)
{
    struct durable_file *file = NULL;
    enum status st = durable_file_create(&file, dir_fd, err);

    if (st != ST_OK)
        return st;
    st = durable_file_set_attribute(file, ATTRIBUTE_PROBE, "1", 1, err);
    durable_file_discard(&file);
    if (st != ST_OK && (err->sys == ENOTSUP || err->sys == EPERM))
        return refuse_file_system(dir_fd, err);
    return st;
}
