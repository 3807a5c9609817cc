/* SPDX-License-Identifier: MIT */
#include "sender/upload/own_files.h"

#include <assert.h>

static void add(struct own_files *own, const struct stat *file)
{
    if (!S_ISREG(file->st_mode) && !S_ISDIR(file->st_mode))
        return;
    assert(own->count < OWN_FILES_MAX);
    own->item[own->count].device = file->st_dev;
    own->item[own->count].inode = file->st_ino;
    own->count++;
}

void own_files_add(struct own_files *own, const char *path)
{
    struct stat file;

    if (path && stat(path, &file) == 0)
        add(own, &file);
}

void own_files_add_fd(struct own_files *own, int fd)
{
    struct stat file;

    if (fstat(fd, &file) == 0)
        add(own, &file);
}

bool own_files_have(const struct own_files *own, const struct stat *file)
{
    for (size_t i = 0; own && i < own->count; i++) {
        if (own->item[i].device == file->st_dev && own->item[i].inode == file->st_ino)
            return true;
    }
    return false;
}
