/* SPDX-License-Identifier: MIT */
/*
 * audit -- reads blobs again and compares them with the digest they were stored with.
 *
 * At a bounded rate, with a progress line below the log, until it is done or SIGINT or
 * SIGTERM comes. What was read is dropped from the page cache, so that an audit of a
 * large store does not push everything else out of memory.
 * Threads: main, and no other threads before audit_create (signals.h).
 */
#ifndef COMMON_AUDIT_H
#define COMMON_AUDIT_H

#include "common/blob_file.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

struct audit;

/* max_rate: bytes a second; 0: no limit. */
enum status audit_create(struct audit **out, uint64_t max_rate,
                         struct error *err) MUST_CHECK;
void audit_destroy(struct audit **audit); /* NULL inside is fine */

/* ST_OK: the blob has its digest. ST_CORRUPT: it has another, *found. ST_END: it says
 * none to compare with. ST_CLOSED: stopped. Anything else: it could not be read. Each
 * outcome but stopping is counted. */
enum status audit_check(struct audit *audit, int fd, const struct blob_info *info,
                        struct sha256_digest *found, struct error *err) MUST_CHECK;

/* Counts a blob that could not even be opened. */
void audit_unreadable(struct audit *audit);

/* Whether every blob so far had its digest. */
bool audit_is_clean(const struct audit *audit);

/* Removes the progress line and prints the summary to stdout. complete: nothing was
 * left out. */
enum status audit_summarize(const struct audit *audit, bool json, bool complete,
                            struct error *err) MUST_CHECK;

#endif
