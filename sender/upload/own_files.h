/* SPDX-License-Identifier: MIT */
/*
 * own_files -- what the program itself writes while it runs, which may lie in the tree
 * it uploads and is no part of it: manifest, log, state.
 *
 * Known by device and inode, so under any name.
 *
 * Threads: constant once filled.
 */
#ifndef SENDER_UPLOAD_OWN_FILES_H
#define SENDER_UPLOAD_OWN_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum { OWN_FILES_MAX = 8 };

struct own_files { /* zero-initialise */
    struct {
        dev_t device;
        ino_t inode;
    } item[OWN_FILES_MAX];
    size_t count;
};

/* A file or directory; what is not there (NULL, too) is fine. */
void own_files_add(struct own_files *own, const char *path);

/* The same for an open file; a pipe or terminal is of no concern. */
void own_files_add_fd(struct own_files *own, int fd);

/* own: NULL: nothing. */
bool own_files_have(const struct own_files *own, const struct stat *file);

#endif
