/* SPDX-License-Identifier: MIT */
/*
 * filter -- which files of a tree are wanted.
 *
 * Shell patterns (* ? [a-z]). One without a slash is held against the last component of
 * a path, one with a slash against the whole path below the tree, where * does not
 * match a slash; a leading slash only says "whole path". One that ends in a slash is
 * held against directories alone; that slash does not count otherwise. What matches an
 * exclude is not wanted, a directory with all that is in it. If there are includes,
 * only files that match one are wanted.
 *
 * Owner:   the lists are the caller's and outlive the filter.
 * Threads: constant once filled.
 */
#ifndef SENDER_UPLOAD_FILTER_H
#define SENDER_UPLOAD_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct filter {
    const char *const *includes, *const *excludes;
    size_t include_count, exclude_count;
};

/* Whatever it is: known before anybody looks. */
bool filter_excludes(const struct filter *filter, const char *path);

/* Of what is not excluded; path: shorter than PATH_MAX. */
bool filter_wants(const struct filter *filter, const char *path, bool is_directory);

#endif
