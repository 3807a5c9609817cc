/* SPDX-License-Identifier: MIT */
#include "sender/upload/resume.h"

#include "common/object/metadata.h"
#include "common/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct resume_slot {
    int fd;
    char path[PATH_MAX];
};

enum { RECORD_SIZE = 1024, FIELDS = 4 };

static const double kept_s = RESUME_DAYS * 24.0 * 60 * 60;

static bool make_directories(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return false;
        *p = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

char *resume_directory(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;

    if (state && *state == '/')
        n = asprintf(&path, "%s/blobstream", state);
    else if (home && *home == '/')
        n = asprintf(&path, "%s/.local/state/blobstream", home);
    if (n < 0)
        return NULL;
    if (make_directories(path))
        return path;
    free(path);
    return NULL;
}

static bool digest_text(struct sha256_digest *out, const char *text)
{
    struct sha256 *sha = NULL;
    struct error err;
    enum status st = sha256_create(&sha, &err);

    if (st != ST_OK)
        return false;
    sha256_update(sha, text, strlen(text));
    st = sha256_finish(sha, out, &err);
    sha256_destroy(&sha);
    return st == ST_OK;
}

bool resume_identity(struct sha256_digest *out,
                     const struct object_description *description)
{
    char text[RECORD_SIZE], hex[SHA256_HEX_SIZE], time[METADATA_TIME_SIZE];

    snprintf(text, sizeof text, "%s %" PRIu64 " %s %" PRIo32 " %d %" PRIu32 " %" PRIu32,
             sha256_to_hex(hex, &description->digest), description->size,
             metadata_format_time(time, description->modified), description->mode,
             description->has_owner, description->uid, description->gid);
    return digest_text(out, text);
}

/* Locked, and still the file of that name: another run may have removed it between
 * opening and locking. */
static bool is_ours(const struct resume_slot *slot)
{
    struct stat named, opened;

    return flock(slot->fd, LOCK_EX | LOCK_NB) == 0 && fstat(slot->fd, &opened) == 0 &&
           stat(slot->path, &named) == 0 && named.st_ino == opened.st_ino &&
           named.st_dev == opened.st_dev;
}

static void release(struct resume_slot **slot)
{
    if ((*slot)->fd >= 0)
        close((*slot)->fd);
    free(*slot);
    *slot = NULL;
}

static struct resume_slot *open_named(const char *directory, const char *name,
                                      int create)
{
    struct resume_slot *slot = malloc(sizeof *slot);

    if (!slot)
        return NULL;
    slot->fd = -1;
    if (snprintf(slot->path, sizeof slot->path, "%s/%s", directory, name) < PATH_MAX)
        slot->fd = open(slot->path, O_RDWR | create | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (slot->fd < 0 || !is_ours(slot))
        release(&slot);
    return slot;
}

struct resume_slot *resume_open(const char *directory, const char *place)
{
    struct sha256_digest name;
    char hex[SHA256_HEX_SIZE];

    if (!directory || !digest_text(&name, place))
        return NULL;
    return open_named(directory, sha256_to_hex(hex, &name), O_CREAT);
}

void resume_close(struct resume_slot **slot)
{
    if (!*slot)
        return;
    futimens((*slot)->fd, NULL); /* used: it is kept from now on */
    release(slot);
}

void resume_forget(struct resume_slot **slot)
{
    if (!*slot)
        return;
    unlink((*slot)->path);
    release(slot);
}

static bool is_old(const struct stat *st)
{
    return difftime(time(NULL), st->st_mtime) > kept_s;
}

void resume_sweep(const char *directory)
{
    DIR *stream = directory ? opendir(directory) : NULL;
    const struct dirent *item;
    struct sha256_digest name;
    struct resume_slot *slot;
    struct stat st;

    if (!stream)
        return;
    while ((item = readdir(stream)) != NULL) {
        if (!sha256_from_hex(item->d_name, strlen(item->d_name), &name) ||
            fstatat(dirfd(stream), item->d_name, &st, 0) != 0 || !is_old(&st))
            continue;
        slot = open_named(directory, item->d_name, 0);
        if (slot && fstat(slot->fd, &st) == 0 && is_old(&st)) /* still */
            resume_forget(&slot);
        else if (slot)
            release(&slot);
    }
    closedir(stream);
}

/* "1 IDENTITY PART_BYTES UPLOAD\n": the line feed says that the record is whole. */
static bool parse_record(char *text, struct resume_record *out)
{
    char *end = strchr(text, '\n'), *rest = text;
    const char *field[FIELDS];

    if (!end)
        return false;
    *end = '\0';
    for (size_t i = 0; i < FIELDS; i++) {
        field[i] = strsep(&rest, " ");
        if (!field[i])
            return false;
    }
    if (strcmp(field[0], "1") != 0 || !*field[3] ||
        strlen(field[3]) >= OBJECT_UPLOAD_SIZE)
        return false;
    strcpy(out->upload, field[3]);
    return sha256_from_hex(field[1], strlen(field[1]), &out->identity) &&
           units_parse_count(field[2], &out->part_bytes);
}

bool resume_read(struct resume_slot *slot, struct resume_record *out)
{
    struct resume_record record;
    char text[RECORD_SIZE];
    ssize_t n;

    if (!slot)
        return false;
    n = pread(slot->fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (!parse_record(text, &record))
        return false;
    *out = record;
    return true;
}

void resume_write(struct resume_slot *slot, const struct resume_record *record)
{
    char text[RECORD_SIZE], hex[SHA256_HEX_SIZE];
    int n;

    if (!slot)
        return;
    n = snprintf(text, sizeof text, "1 %s %" PRIu64 " %s\n",
                 sha256_to_hex(hex, &record->identity), record->part_bytes,
                 record->upload);
    if (n < 0 || (size_t)n >= sizeof text || ftruncate(slot->fd, 0) != 0 ||
        pwrite(slot->fd, text, (size_t)n, 0) != n)
        return; /* not whole: not read */
    fdatasync(slot->fd);
}
