/* SPDX-License-Identifier: MIT */
/*
 * naming -- from a path below the tree to the key of its object.
 *
 * key = prefix, a slash unless the prefix is empty or ends in one, the path. The prefix
 * and names stay as they are, byte for byte. Only what a key cannot be is spelled
 * differently, as rclone does it and undoes it when it restores: a byte that is not
 * part of valid UTF-8 becomes U+201B and two upper-case hex digits. So that no two
 * names share a key, U+201B itself is doubled.
 *
 * Errors:  ST_INVALID when the key is longer than the store takes; nothing is cut.
 * Threads: pure function.
 */
#ifndef SENDER_UPLOAD_NAMING_H
#define SENDER_UPLOAD_NAMING_H

#include "common/object/object_store.h"
#include "common/status.h"

enum { NAMING_ROOT_SIZE = OBJECT_KEY_SIZE + 1 };

/* What the keys of all paths begin with, and no others: "p/" of "p". */
void naming_root(char out[NAMING_ROOT_SIZE], const char *prefix);

enum status naming_key(char out[OBJECT_KEY_SIZE], size_t key_bytes_max,
                       const char *prefix, const char *path,
                       struct error *err) MUST_CHECK;

#endif
