/* SPDX-License-Identifier: MIT */
#include "common/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024 };

const char *credential_path(char out[CREDENTIAL_PATH_SIZE], const char *name)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    int n;

    if (directory && *directory != '\0' && !strchr(name, '/')) {
        n = snprintf(out, CREDENTIAL_PATH_SIZE, "%s/%s", directory, name);
        if (n > 0 && n < CREDENTIAL_PATH_SIZE && access(out, F_OK) == 0)
            return out;
    }
    snprintf(out, CREDENTIAL_PATH_SIZE, "%s", name);
    return out;
}

/* The group may read: that is how daemons are given a key that belongs to root. */
static enum status check_mode(int fd, const char *path, struct error *err)
{
    struct stat about;

    if (fstat(fd, &about) != 0)
        return error_sys(err, errno, "look at '%s'", path);
    if (about.st_mode & S_IRWXO)
        return error_set(err, ST_REFUSED,
                         "'%s' holds a secret and is open to others (mode %04o): "
                         "chmod o= it",
                         path, (unsigned)about.st_mode & 07777);
    if (about.st_mode & S_IWGRP)
        return error_set(err, ST_REFUSED,
                         "'%s' holds a secret and its group may change it (mode "
                         "%04o): chmod g-w it",
                         path, (unsigned)about.st_mode & 07777);
    return ST_OK;
}

static enum status read_all(int fd, const char *path, char *text, size_t *n,
                            struct error *err)
{
    size_t used = 0;

    for (;;) {
        ssize_t got = read(fd, text + used, FILE_MAX + 1 - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_sys(err, errno, "read '%s'", path);
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > FILE_MAX)
            return error_set(err, ST_CORRUPT, "'%s' is larger than %d bytes", path,
                             FILE_MAX);
    }
    text[used] = '\0';
    if (strlen(text) != used)
        return error_set(err, ST_CORRUPT, "'%s' holds a NUL: it is not text", path);
    *n = used;
    return ST_OK;
}

enum status credential_read(char **text, size_t *n, const char *name,
                            enum credential_kind kind, struct error *err)
{
    char path[CREDENTIAL_PATH_SIZE];
    char *whole = NULL;
    enum status st = ST_OK;
    int fd = open(credential_path(path, name), O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return error_sys(err, errno, "open '%s'", path);
    if (kind == CREDENTIAL_SECRET)
        st = check_mode(fd, path, err);
    if (st != ST_OK)
        goto out;
    whole = malloc(FILE_MAX + 1);
    if (!whole) {
        st = error_sys(err, ENOMEM, "read '%s'", path);
        goto out;
    }
    st = read_all(fd, path, whole, n, err);
    if (st == ST_OK) {
        *text = whole;
        whole = NULL;
    }
out:
    credential_free(&whole, FILE_MAX + 1);
    close(fd);
    return st;
}

void credential_free(char **text, size_t n)
{
    if (!*text)
        return;
    sodium_memzero(*text, n);
    free(*text);
    *text = NULL;
}
