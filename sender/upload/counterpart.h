/* SPDX-License-Identifier: MIT */
/*
 * counterpart -- what the store has under a file's key, and whether that is the file.
 *
 * Threads: those of the worker.
 */
#ifndef SENDER_UPLOAD_COUNTERPART_H
#define SENDER_UPLOAD_COUNTERPART_H

#include "sender/upload/worker.h"

/* As object_look, as often as it takes. */
enum status counterpart_look(struct worker *worker, const char *key,
                             struct object_description *out,
                             struct error *err) MUST_CHECK;

/* The same bytes, and both know it. */
bool counterpart_has_content(const struct object_description *ours,
                             const struct object_description *theirs);

/* The same time; the same mode, if theirs has one; the same owner, if ours does. */
bool counterpart_has_metadata(const struct object_description *ours,
                              const struct object_description *theirs);

#endif
