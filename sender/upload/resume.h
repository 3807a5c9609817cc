/* SPDX-License-Identifier: MIT */
/*
 * resume -- what a killed run must leave behind to go on: which multipart upload was
 * for which bytes.
 *
 * One small file per unfinished upload, named after the SHA-256 of where it goes, in a
 * directory of the user's (XDG_STATE_HOME/blobstream, ~/.local/state/blobstream). The
 * identity in it covers digest and metadata of the whole file: an upload is taken up
 * again only for the same object. While a slot is open its file is locked, so two runs
 * never share an upload. A file that no run has used for RESUME_DAYS is of no use any
 * more (its source is gone, or the store has cleaned up) and swept away.
 *
 * Errors:  resume is a convenience: a slot that cannot be opened is NULL, remembers
 *          nothing, and every function takes that.
 * Threads: a slot belongs to one thread at a time.
 */
#ifndef SENDER_UPLOAD_RESUME_H
#define SENDER_UPLOAD_RESUME_H

#include "common/object/object_store.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { RESUME_DAYS = 30 };

struct resume_slot;

struct resume_record {
    char upload[OBJECT_UPLOAD_SIZE];
    uint64_t part_bytes;
    struct sha256_digest identity; /* of all that the object will be */
};

/* The directory, made when missing; NULL when there is none to be had. To be freed. */
char *resume_directory(void);

/* Removes what has not been used for RESUME_DAYS. NULL is fine. */
void resume_sweep(const char *directory);

/* What resume_record.identity is made of. False when it cannot be made. */
bool resume_identity(struct sha256_digest *out,
                     const struct object_description *description);

/* place: endpoint, bucket and key, in one text. */
struct resume_slot *resume_open(const char *directory, const char *place);
void resume_close(struct resume_slot **slot); /* keeps what is recorded */

bool resume_read(struct resume_slot *slot, struct resume_record *out);
void resume_write(struct resume_slot *slot, const struct resume_record *record);
void resume_forget(struct resume_slot **slot); /* removes the file, closes */

#endif
