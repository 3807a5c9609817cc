/* SPDX-License-Identifier: MIT */
#include "sender/upload/manifest.h"

#include "common/durable_file.h"
#include "common/object/metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct manifest {
    char *path, *partial; /* set once */
    pthread_mutex_t lock; /* guards file */
    FILE *file;
};

/* "dir/.NAME.partial" for "dir/NAME". */
static char *partial_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *partial;

    if (asprintf(&partial, "%.*s.%s.partial", (int)(name - path), path, name) < 0)
        return NULL;
    return partial;
}

enum status manifest_create(struct manifest **out, const char *path, struct error *err)
{
    struct manifest *manifest = calloc(1, sizeof *manifest);
    enum status st = ST_OK;

    if (!manifest)
        return error_sys(err, ENOMEM, "write '%s'", path);
    pthread_mutex_init(&manifest->lock, NULL);
    manifest->path = strdup(path);
    manifest->partial = partial_name(path);
    if (!manifest->path || !manifest->partial) {
        st = error_sys(err, ENOMEM, "write '%s'", path);
    } else {
        manifest->file = fopen(manifest->partial, "we");
        if (!manifest->file)
            st = error_sys(err, errno, "write '%s'", manifest->partial);
    }
    if (st == ST_OK)
        *out = manifest;
    else
        manifest_discard(&manifest);
    return st;
}

static void destroy(struct manifest **manifest)
{
    struct manifest *m = *manifest;

    pthread_mutex_destroy(&m->lock);
    free(m->path);
    free(m->partial);
    free(m);
    *manifest = NULL;
}

void manifest_discard(struct manifest **manifest)
{
    struct manifest *m = *manifest;

    if (!m)
        return;
    if (m->file && m->partial) {
        fclose(m->file);
        unlink(m->partial);
    }
    destroy(manifest);
}

void manifest_own_files(const struct manifest *manifest, struct own_files *out)
{
    own_files_add(out, manifest->partial);
    own_files_add(out, manifest->path);
}

static void put_escaped(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\\\", file);
        else if (*text == '\n')
            fputs("\\n", file);
        else if (*text == '\r')
            fputs("\\r", file);
        else
            putc_unlocked(*text, file);
    }
}

static bool needs_escape(const char *text)
{
    return strpbrk(text, "\\\n\r") != NULL;
}

void manifest_add(struct manifest *manifest, const char *path, const char *key,
                  const struct object_description *description)
{
    char time[METADATA_TIME_SIZE], mode[METADATA_MODE_SIZE], hex[SHA256_HEX_SIZE];
    FILE *file = manifest->file;

    metadata_format_time(time, description->modified);
    metadata_format_mode(mode, description->mode);
    sha256_to_hex(hex, &description->digest);
    pthread_mutex_lock(&manifest->lock);
    fprintf(file, "# %" PRIu64 " %s %s ", description->size, time, mode);
    put_escaped(file, key);
    fprintf(file, "\n%s%s  ", needs_escape(path) ? "\\" : "", hex);
    put_escaped(file, path);
    putc_unlocked('\n', file);
    pthread_mutex_unlock(&manifest->lock);
}

static enum status sync_directory(const char *path, struct error *err)
{
    char *copy = strdup(path);
    enum status st;
    int fd;

    if (!copy)
        return error_sys(err, ENOMEM, "sync");
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return error_sys(err, errno, "sync its directory");
    st = durable_directory_sync(fd, err);
    close(fd);
    return st;
}

enum status manifest_publish(struct manifest **manifest, struct error *err)
{
    struct manifest *m = *manifest;
    enum status st = ST_OK;

    if (ferror(m->file) || fflush(m->file) != 0 || fsync(fileno(m->file)) != 0)
        st = error_sys(err, errno, "write '%s'", m->partial);
    if (st == ST_OK && rename(m->partial, m->path) != 0)
        st = error_sys(err, errno, "rename to '%s'", m->path);
    if (st == ST_OK) {
        fclose(m->file);
        m->file = NULL;
        st = sync_directory(m->path, err);
    }
    manifest_discard(manifest);
    return st;
}
