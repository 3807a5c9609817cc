/* SPDX-License-Identifier: MIT */
#include "sender/upload/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk_directory {
    int fd;
    atomic_uint references;
    char path[]; /* below the root: "", or "a/b/" */
};

struct level {
    struct walk_directory *directory;
    DIR *stream;  /* over a descriptor of its own */
    dev_t device; /* these two: for loops, when links are followed */
    ino_t inode;
};

struct walk {
    const struct walk_config *config;
    struct walk_counts *counts;
    unsigned depth;
    struct level level[WALK_DEPTH_MAX];
};

enum kind { KIND_FILE, KIND_DIRECTORY, KIND_LINK, KIND_SPECIAL, KIND_GONE };

/* ---- directories and entries ---- */

static void directory_release(struct walk_directory *directory)
{
    if (atomic_fetch_sub(&directory->references, 1) > 1)
        return;
    close(directory->fd);
    free(directory);
}

/* Takes fd, also on failure. */
static struct walk_directory *directory_create(int fd, const char *parent,
                                               const char *name)
{
    size_t size = strlen(parent) + strlen(name) + 2;
    struct walk_directory *directory = malloc(sizeof *directory + size);

    if (!directory) {
        close(fd);
        return NULL;
    }
    directory->fd = fd;
    atomic_init(&directory->references, 1);
    snprintf(directory->path, size, "%s%s%s", parent, name, *name ? "/" : "");
    return directory;
}

bool walk_entry_path(const struct walk_entry *entry, char *out, size_t size)
{
    int n = snprintf(out, size, "%s%s", entry->directory->path, entry->name);

    return n >= 0 && (size_t)n < size;
}

int walk_entry_directory(const struct walk_entry *entry)
{
    return entry->directory->fd;
}

void walk_entry_release(struct walk_entry **entry)
{
    if (!*entry)
        return;
    directory_release((*entry)->directory);
    free(*entry);
    *entry = NULL;
}

/* ---- trouble ---- */

static void report(struct walk *walk, const struct walk_directory *directory,
                   const char *name, const struct error *err)
{
    char *path;

    atomic_fetch_add(&walk->counts->troubles, 1);
    if (asprintf(&path, "%s%s", directory ? directory->path : "", name) < 0)
        path = NULL;
    walk->config->trouble(walk->config->context, path ? path : name, err);
    free(path);
}

static void report_sys(struct walk *walk, const struct walk_directory *directory,
                       const char *name, int sys, const char *action)
{
    struct error err;

    error_sys(&err, sys, "%s", action);
    report(walk, directory, name, &err);
}

/* ---- going down and up ---- */

static bool is_loop(const struct walk *walk, const struct level *level)
{
    for (unsigned i = 0; i < walk->depth; i++) {
        if (walk->level[i].device == level->device &&
            walk->level[i].inode == level->inode)
            return true;
    }
    return false;
}

/* ST_END: not to be walked. */
static enum status open_level(struct walk *walk, struct level *out, int parent_fd,
                              const char *parent, const char *name, struct error *err)
{
    bool follow = walk->config->follow || walk->depth == 0;
    int fd = openat(parent_fd, walk->depth == 0 ? walk->config->root : name,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    struct level level = {.directory = NULL};
    struct stat st;
    int own;

    if (fd < 0)
        return error_sys(err, errno, "open directory");
    if (fstat(fd, &st) != 0) {
        error_sys(err, errno, "look at");
        close(fd);
        return ST_SYSTEM;
    }
    level.device = st.st_dev;
    level.inode = st.st_ino;
    if (walk->depth > 0 && own_files_have(walk->config->own, &st)) {
        close(fd);
        return ST_END;
    }
    if (is_loop(walk, &level)) {
        close(fd);
        return error_set(err, ST_INVALID, "a link leads back to where it is");
    }
    own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    level.directory = directory_create(fd, parent, name);
    if (own >= 0 && level.directory)
        level.stream = fdopendir(own);
    if (!level.stream) {
        error_sys(err, errno, "open directory");
        if (own >= 0)
            close(own);
        if (level.directory)
            directory_release(level.directory);
        return ST_SYSTEM;
    }
    *out = level;
    return ST_OK;
}

static void descend(struct walk *walk, const char *name)
{
    const struct level *top = &walk->level[walk->depth - 1];
    struct error err;
    enum status st;

    if (walk->depth == WALK_DEPTH_MAX)
        st = error_set(&err, ST_INVALID, "deeper than %d directories", WALK_DEPTH_MAX);
    else
        st = open_level(walk, &walk->level[walk->depth], top->directory->fd,
                        top->directory->path, name, &err);
    if (st == ST_OK) {
        walk->depth++;
        atomic_fetch_add(&walk->counts->directories, 1);
    } else if (st == ST_END) {
        atomic_fetch_add(&walk->counts->excluded, 1);
    } else {
        report(walk, top->directory, name, &err);
    }
}

static void ascend(struct walk *walk)
{
    struct level *top = &walk->level[--walk->depth];

    closedir(top->stream);
    directory_release(top->directory);
}

/* ---- what is in a directory ---- */

static enum kind kind_of_mode(mode_t mode)
{
    if (S_ISREG(mode))
        return KIND_FILE;
    if (S_ISDIR(mode))
        return KIND_DIRECTORY;
    return S_ISLNK(mode) ? KIND_LINK : KIND_SPECIAL;
}

/* From the directory itself where it says; links and what it does not say by stat. */
static enum kind kind_of(struct walk *walk, const struct walk_directory *directory,
                         const struct dirent *item)
{
    bool follow = walk->config->follow;
    struct stat st;

    if (item->d_type == DT_REG)
        return KIND_FILE;
    if (item->d_type == DT_DIR)
        return KIND_DIRECTORY;
    if (item->d_type == DT_LNK && !follow)
        return KIND_LINK;
    if (item->d_type != DT_UNKNOWN && item->d_type != DT_LNK)
        return KIND_SPECIAL;
    if (fstatat(directory->fd, item->d_name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) !=
        0) {
        report_sys(walk, directory, item->d_name, errno, "look at");
        return KIND_GONE;
    }
    return kind_of_mode(st.st_mode);
}

static enum status hand_out(struct walk *walk, struct walk_directory *directory,
                            const char *name, struct error *err)
{
    size_t size = strlen(name) + 1;
    struct walk_entry *entry = malloc(sizeof *entry + size);
    enum status st;

    if (!entry)
        return error_sys(err, ENOMEM, "walk the tree");
    entry->directory = directory;
    memcpy(entry->name, name, size);
    atomic_fetch_add(&directory->references, 1);
    atomic_fetch_add(&walk->counts->files, 1);
    st = walk->config->file(walk->config->context, &entry, err);
    walk_entry_release(&entry);
    return st;
}

/* *kind is known afterwards if it is wanted: what is excluded is not even looked at. */
static bool is_wanted(struct walk *walk, const struct walk_directory *directory,
                      const struct dirent *item, enum kind *kind)
{
    const struct filter *filter = &walk->config->filter;
    bool filtered = filter->include_count + filter->exclude_count > 0;
    char path[PATH_MAX];
    int n;

    if (filtered) {
        n = snprintf(path, sizeof path, "%s%s", directory->path, item->d_name);
        if (n < 0 || (size_t)n >= sizeof path) /* no key can hold it: reported later */
            filtered = false;
    }
    if (filtered && filter_excludes(filter, path))
        return false;
    *kind = kind_of(walk, directory, item);
    return !filtered || *kind == KIND_GONE ||
           filter_wants(filter, path, *kind == KIND_DIRECTORY);
}

static enum status take(struct walk *walk, const struct dirent *item, struct error *err)
{
    struct walk_directory *directory = walk->level[walk->depth - 1].directory;
    const char *name = item->d_name;
    enum kind kind;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return ST_OK;
    if (!is_wanted(walk, directory, item, &kind)) {
        atomic_fetch_add(&walk->counts->excluded, 1);
        return ST_OK;
    }
    switch (kind) {
    case KIND_FILE:
        return hand_out(walk, directory, name, err);
    case KIND_DIRECTORY:
        descend(walk, name);
        return ST_OK;
    case KIND_LINK:
        atomic_fetch_add(&walk->counts->links, 1);
        break;
    case KIND_SPECIAL:
        atomic_fetch_add(&walk->counts->special, 1);
        break;
    case KIND_GONE:
        break;
    }
    return ST_OK;
}

static enum status step(struct walk *walk, struct error *err)
{
    const struct level *top = &walk->level[walk->depth - 1];
    const struct dirent *item;

    errno = 0;
    item = readdir(top->stream);
    if (item)
        return take(walk, item, err);
    if (errno != 0)
        report_sys(walk, top->directory, "", errno, "read directory");
    ascend(walk);
    return ST_OK;
}

enum status walk_tree(const struct walk_config *config, struct walk_counts *counts,
                      struct error *err)
{
    struct walk *walk = malloc(sizeof *walk);
    enum status st;

    if (!walk)
        return error_sys(err, ENOMEM, "walk the tree");
    walk->config = config;
    walk->counts = counts;
    walk->depth = 0;
    st = open_level(walk, &walk->level[0], AT_FDCWD, "", "", err);
    if (st != ST_OK) {
        error_prefix(err, "'%s'", config->root);
        goto out;
    }
    walk->depth = 1;
    atomic_fetch_add(&counts->directories, 1);
    while (st == ST_OK && walk->depth > 0) {
        st = latch_is_set(config->stop) ? error_set(err, ST_CLOSED, "stopped")
                                        : step(walk, err);
    }
    while (walk->depth > 0)
        ascend(walk);
out:
    free(walk);
    return st;
}
