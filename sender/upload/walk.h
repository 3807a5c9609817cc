/* SPDX-License-Identifier: MIT */
/*
 * walk -- every regular file below a directory, one directory after another.
 *
 * Holds the way down to where it is, and no more: one open directory per level. Files
 * are handed out as they are found; each keeps its directory open, so that it is opened
 * later by descriptor and name, whatever happens to the path meanwhile.
 *
 * Links:   not followed, and counted; with `follow` they are, and a link to a directory
 *          that is being walked already is reported as a loop.
 * Own:     what the program itself writes is passed over, as if excluded: here the
 *          directories, which are looked at anyway; whoever opens a file, the files.
 * Errors:  what cannot be read is reported to `trouble` and passed over; only the root
 *          fails the walk. A directory deeper than WALK_DEPTH_MAX is trouble, too.
 * Owner:   an entry belongs to whom it was handed to, until walk_entry_release.
 * Threads: walk_tree in one thread; entries in any; counts can be read while it runs.
 */
#ifndef SENDER_UPLOAD_WALK_H
#define SENDER_UPLOAD_WALK_H

#include "common/latch.h"
#include "common/status.h"
#include "sender/upload/filter.h"
#include "sender/upload/own_files.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { WALK_DEPTH_MAX = 512 }; /* deeper paths make no key of 1,024 bytes */

struct walk_directory;

struct walk_entry {
    struct walk_directory *directory;
    char name[];
};

struct walk_counts { /* zero-initialise */
    atomic_uint_fast64_t files, directories, links, special, excluded, troubles;
};

struct walk_config {
    const char *root;
    bool follow;
    struct filter filter;
    const struct own_files *own; /* NULL: none */
    const struct latch *stop;    /* set: the walk ends */

    /* Takes *entry, waiting for room as needed. A failure ends the walk with it. */
    enum status (*file)(void *context, struct walk_entry **entry, struct error *err);
    void (*trouble)(void *context, const char *path, const struct error *err);
    void *context;
};

enum status walk_tree(const struct walk_config *config, struct walk_counts *counts,
                      struct error *err) MUST_CHECK;

/* The path below the root. False when it is longer than size - 1. */
bool walk_entry_path(const struct walk_entry *entry, char *out, size_t size) MUST_CHECK;

/* The directory and the name in it, for openat and fstatat. */
int walk_entry_directory(const struct walk_entry *entry);
void walk_entry_release(struct walk_entry **entry); /* NULL inside is fine */

#endif
