/* SPDX-License-Identifier: MIT */
/*
 * space -- room on disk, and the bytes of uploads under way.
 *
 * Before its first byte an upload takes what it announces. Up to SPACE_ALLOCATE_BYTES
 * that is a number, so that it costs a small blob nothing; above, the blocks themselves
 * are allocated, so that no other program can have them either. All uploads under way
 * set aside at most half of the room, so that those who announce much and send it
 * slowly leave the other half to others. What is announced beyond that must fit when it
 * is announced, and like what comes unannounced (chunked) it is taken as it comes.
 *
 * Errors:  no room: sys ENOSPC, or EDQUOT from the disk.
 *          Too much under way: ST_AGAIN.
 * Owner:   a share lives in its upload, and is given back once.
 * Threads: any; a share is one thread's at a time.
 */
#ifndef RECEIVER_SPACE_H
#define RECEIVER_SPACE_H

#include "receiver/store.h"

#include <stdbool.h>
#include <stdint.h>

struct space;

enum { SPACE_ALLOCATE_BYTES = 4 * 1024 * 1024 };

struct space_config {
    uint64_t max_inflight_bytes; /* 0: no limit; one upload alone may be larger */
    uint64_t min_free_bytes;     /* to be left on the disk */
};

struct space_share { /* zero-initialise */
    uint64_t inflight;
    uint64_t aside; /* promised or allocated for it */
    uint64_t used;  /* bytes that came */
    bool allocated;
    bool unwritten; /* it only counts as under way */
};

enum status space_create(struct space **out, struct store *store,
                         const struct space_config *config,
                         struct error *err) MUST_CHECK;
void space_destroy(struct space **space); /* NULL inside is fine */

/* Once, with what the upload announces (0: nothing). file NULL: it will not be written.
 */
enum status space_take(struct space *space, struct space_share *share,
                       struct durable_file *file, uint64_t bytes,
                       struct error *err) MUST_CHECK;

/* For each piece of the body, before it is written. */
enum status space_use(struct space *space, struct space_share *share, uint64_t n,
                      struct error *err) MUST_CHECK;

void space_give_back(struct space *space, struct space_share *share);

/* The disk refused something with ENOSPC or EDQUOT. */
void space_refused(struct space *space);

/* NULL when there is room, else why not: less than the minimum is free, or the disk
 * refused something and a small file, tried at most once a second, is refused as well.
 */
const char *space_unready(struct space *space);

/* For the metrics. */
uint64_t space_free_bytes(struct space *space);
uint64_t space_inflight_bytes(const struct space *space);

#endif
