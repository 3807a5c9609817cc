/* SPDX-License-Identifier: MIT */
/*
 * scratch -- a temporary directory for one test.
 *
 * Under $TMPDIR, else /var/tmp, which unlike /tmp is rarely a tmpfs: those of older
 * kernels keep no user attributes.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    char path[256];
    int dir_fd;
};

static inline void scratch_create(struct scratch *scratch)
{
    const char *base = getenv("TMPDIR");

    snprintf(scratch->path, sizeof scratch->path, "%s/blobstream-test-XXXXXX",
             base != NULL && *base != '\0' ? base : "/var/tmp");
    ck_assert_ptr_nonnull(mkdtemp(scratch->path));
    scratch->dir_fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(scratch->dir_fd, 0);
}

static inline int scratch_remove_entry(const char *path, const struct stat *about,
                                       int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void scratch_remove(struct scratch *scratch)
{
    close(scratch->dir_fd);
    ck_assert_int_eq(nftw(scratch->path, scratch_remove_entry, 8, FTW_DEPTH | FTW_PHYS),
                     0);
}

#endif
