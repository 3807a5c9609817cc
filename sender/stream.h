/* SPDX-License-Identifier: MIT */
/*
 * stream -- generates blobs, spools each one, and hands it to the workers.
 *
 * What an earlier run left in the spool is sent first. Then blobs are made, until there
 * are enough, time is up, or stream_close is called; a full queue holds the generator
 * back, so the spool does not grow without bound.
 *
 *     start -> (finished_fd becomes readable) -> stop
 *     start -> close -> abandon, once patience ends -> stop
 *
 * Owner:   the stream owns its threads, spool and queue; the report is the caller's.
 * Threads: start to stop from one thread, main.
 */
#ifndef SENDER_STREAM_H
#define SENDER_STREAM_H

#include "common/status.h"
#include "sender/report.h"
#include "sender/stream_config.h"

#include <stdbool.h>
#include <stdint.h>

struct stream;

/* config and report must outlive the stream. */
enum status stream_start(struct stream **out, const struct stream_config *config,
                         struct report *report, struct error *err) MUST_CHECK;

/* An eventfd, readable once every worker is done. The stream's to close. */
int stream_finished_fd(const struct stream *stream);

/* Reads the token file again, for attempts to come, and logs how that went; a broken
 * one changes nothing. */
void stream_reload(struct stream *stream);

/* Makes no more blobs; what is queued is still delivered. */
void stream_close(struct stream *stream);

/* Ends attempts within a second and leaves the rest in the spool. */
void stream_abandon(struct stream *stream);

/* Waits for all threads. False when the generator had to give up early: it has logged
 * why. */
bool stream_stop(struct stream **stream);

/* How many blobs this run is about; 0 while that is not known. */
uint64_t stream_total(const struct stream *stream);

#endif
