/* SPDX-License-Identifier: MIT */
/*
 * serve_blob -- GET and HEAD of one blob, and the list of them.
 *
 * Conditions and ranges as RFC 9110 says: If-Match, If-None-Match, If-Modified-Since,
 * Range with If-Range; one range is served, several are answered with everything.
 * Threads: any; the _slow functions may read a lot and belong on a job.
 */
#ifndef RECEIVER_SERVE_BLOB_H
#define RECEIVER_SERVE_BLOB_H

#include "receiver/request.h"
#include "receiver/store.h"

#include <stdbool.h>

/* Fills request->reply. False when the blob has lost its digest, which must be computed
 * first: call serve_blob_slow on a job instead. */
bool serve_blob(struct store *store, const struct uuid *id, struct request *request);
void serve_blob_slow(struct store *store, const struct uuid *id,
                     struct request *request);

/* query: what follows the '?', NULL when nothing does: limit=1..1000, after=<uuid>.
 * {"blobs":[{"id","size","sha256","type","modified"},...],"next":"<uuid>"} */
void serve_list_slow(struct store *store, const char *query, struct request *request);

#endif
