/* SPDX-License-Identifier: MIT */
/*
 * manifest -- what is in the store now, as a file.
 *
 * For each file two lines, so that `sha256sum -c`, run in the tree, checks it:
 *     # <size> <mtime> <mode> <key>
 *     <sha256>  <path>
 * mtime and mode are spelled as in the objects' metadata. Keys and paths with a line
 * feed, a carriage return or a backslash are escaped as sha256sum does: \n, \r, \\, and
 * a backslash before the line.
 *
 * It grows under a hidden name beside its own and takes its place, synced, when
 * published; an older manifest stays until then. Neither belongs to what is uploaded.
 *
 * Threads: manifest_add from any; the rest from one.
 */
#ifndef SENDER_UPLOAD_MANIFEST_H
#define SENDER_UPLOAD_MANIFEST_H

#include "common/object/object_store.h"
#include "common/status.h"
#include "sender/upload/own_files.h"

struct manifest;

enum status manifest_create(struct manifest **out, const char *path,
                            struct error *err) MUST_CHECK;
void manifest_discard(struct manifest **manifest); /* NULL inside is fine */

/* Both files: the one that grows, and the older one if there is one. */
void manifest_own_files(const struct manifest *manifest, struct own_files *out);

/* A failure to write shows when publishing. */
void manifest_add(struct manifest *manifest, const char *path, const char *key,
                  const struct object_description *description);

/* Takes *manifest, also on failure. */
enum status manifest_publish(struct manifest **manifest, struct error *err) MUST_CHECK;

#endif
