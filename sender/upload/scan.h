/* SPDX-License-Identifier: MIT */
/*
 * scan -- a second walk that only counts, so that a progress bar knows its end.
 *
 * Owner:   scan_start/scan_stop; stop also joins.
 * Threads: one of its own; scan_files from any.
 */
#ifndef SENDER_UPLOAD_SCAN_H
#define SENDER_UPLOAD_SCAN_H

#include "common/status.h"
#include "sender/upload/walk.h"

#include <stdint.h>

struct scan;

/* As walk says, but for what happens to files and trouble. */
enum status scan_start(struct scan **out, const struct walk_config *walk,
                       struct error *err) MUST_CHECK;
void scan_stop(struct scan **scan); /* NULL inside is fine */

/* How many files there are; 0 while that is not known. */
uint64_t scan_files(const struct scan *scan);

#endif
