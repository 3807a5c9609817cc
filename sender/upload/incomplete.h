/* SPDX-License-Identifier: MIT */
/*
 * incomplete -- what is done with the store before the first file: make sure of the
 * bucket, and, when asked to, clear away what earlier runs left unfinished.
 */
#ifndef SENDER_UPLOAD_INCOMPLETE_H
#define SENDER_UPLOAD_INCOMPLETE_H

#include "common/object/object_store.h"
#include "sender/upload/upload_run.h"

enum status incomplete_prepare(struct upload_run *run, struct object_session *session,
                               struct error *err) MUST_CHECK;

/* Aborts every unfinished upload below the destination's prefix. */
enum status incomplete_abort(struct upload_run *run, struct object_session *session,
                             struct error *err) MUST_CHECK;

#endif
