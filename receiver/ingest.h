/* SPDX-License-Identifier: MIT */
/*
 * ingest -- one upload, from its head to the verdict.
 *
 * begin -> body -> ... -> end, then, when end says so, a commit; result turns it into
 * the reply. The body goes straight to a hidden file while it is hashed; it is never
 * held in memory. An upload that is dropped at any point leaves nothing.
 *
 * Errors:  in request->reply, as problems; the return values only say what comes next.
 * Owner:   begin creates, ingest_destroy frees (not while its commit is under way).
 * Threads: one at a time.
 */
#ifndef RECEIVER_INGEST_H
#define RECEIVER_INGEST_H

#include "receiver/committer.h"
#include "receiver/request.h"
#include "receiver/space.h"
#include "receiver/store.h"

#include <stdbool.h>
#include <stdint.h>

enum digest_policy {
    DIGEST_REQUIRED, /* an upload without a digest is refused */
    DIGEST_OPTIONAL, /* verified when there */
    DIGEST_IGNORE,   /* claims are not looked at */
};

extern const char *const digest_policy_names[]; /* NULL-ended, in enum order */

struct ingest_rules {
    enum digest_policy digest;
    uint64_t max_blob_bytes;
};

enum ingest_next {
    INGEST_REPLY,  /* request->reply is the answer */
    INGEST_BODY,   /* the upload is welcome: take its body */
    INGEST_COMMIT, /* submit ingest_commit() and come back to ingest_result */
};

struct ingest;

/* name: the id in the path of a PUT; NULL for POST. Room for a body of known length is
 * set aside before it is welcome. */
enum ingest_next ingest_begin(struct ingest **out, struct store *store,
                              struct space *space, const struct ingest_rules *rules,
                              const struct uuid *name, struct request *request);

/* False when the upload failed: request->reply is set, the rest may be discarded. */
bool ingest_body(struct ingest *ingest, struct request *request, const void *bytes,
                 size_t n);

/* The body is complete: INGEST_COMMIT or INGEST_REPLY. */
enum ingest_next ingest_end(struct ingest *ingest, struct request *request);

struct commit *ingest_commit(struct ingest *ingest);

/* After the commit: fills the reply. */
void ingest_result(struct ingest *ingest, struct request *request);

void ingest_destroy(struct ingest **ingest);

/* For the log. NULL: the upload was refused before it had an id. */
const struct uuid *ingest_id(const struct ingest *ingest);
uint64_t ingest_received(const struct ingest *ingest);

#endif
