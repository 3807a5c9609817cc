/* SPDX-License-Identifier: MIT */
/*
 * pieces -- which bytes of a file are still missing, and who is fetching them.
 *
 * Shape:   a sorted list of what is missing. A worker claims a piece of it, reserves
 *          bytes before it writes them and reports them written; what is not in the
 *          list any more is on file. Pieces are handed out in file order, so that the
 *          unbroken beginning of the file (the frontier) grows while the rest arrives.
 *          When everything is claimed, a free worker takes over the upper part of the
 *          piece that would take longest: reserve then returns less than asked for, and
 *          the first worker knows that its piece has ended. A piece of which no byte
 *          has come yet is left alone for a while, longer each time it changes hands.
 * Units:   bytes; an extent's end is one past its last byte.
 * Owner:   a claimed piece is its worker's until released, also after it has ended.
 * Threads: any; claim, reserve and written of one piece by its worker only.
 */
#ifndef RECEIVER_FETCH_PIECES_H
#define RECEIVER_FETCH_PIECES_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pieces;
struct piece;

struct extent {
    uint64_t first, end; /* first < end */
};

#define PIECES_UNKNOWN_END UINT64_MAX

enum { PIECES_EXTENTS_MAX = 1024 };

struct pieces_config {
    uint64_t end;         /* of the file, or PIECES_UNKNOWN_END: then one piece only */
    uint64_t least_bytes; /* smaller parts are not worth a request of their own */
    unsigned parallel;    /* workers that will claim */
};

/* missing: sorted, apart, within the end; may be empty. */
enum status pieces_create(struct pieces **out, const struct pieces_config *config,
                          const struct extent *missing, size_t count,
                          struct error *err) MUST_CHECK;
void pieces_destroy(struct pieces **pieces);

struct pieces_wish {
    uint64_t bytes;       /* about as much as this, less towards the end */
    uint64_t bytes_per_s; /* what this worker has been getting; 0: unknown */
    uint64_t now_ns;
};

/* ST_AGAIN: all that is missing is in good hands, ask again later. ST_END: nothing is
 * missing. */
enum status pieces_claim(struct pieces *pieces, const struct pieces_wish *wish,
                         struct piece **out) MUST_CHECK;

/* What of the piece is not yet reserved; false when there is nothing (any more). */
bool pieces_remaining(struct pieces *pieces, const struct piece *piece,
                      struct extent *out) MUST_CHECK;

/* How many of the next n bytes are this piece's, to be written at *offset; 0: it has
 * ended. */
size_t pieces_reserve(struct pieces *pieces, struct piece *piece, size_t n,
                      uint64_t *offset) MUST_CHECK;
void pieces_written(struct pieces *pieces, struct piece *piece, size_t n,
                    uint64_t now_ns);

/* What the piece lacks can be claimed again, reserved but unwritten bytes included. */
void pieces_release(struct pieces *pieces, struct piece **piece);

/* The source ran dry: what was written is the whole file. Only for an unknown end. */
void pieces_finish(struct pieces *pieces, struct piece *piece);

bool pieces_complete(struct pieces *pieces);
uint64_t pieces_end(struct pieces *pieces);
uint64_t pieces_written_bytes(struct pieces *pieces); /* since create */

/* Grows with every write, for whoever records progress. */
unsigned pieces_version(struct pieces *pieces);

/* What is missing, into out; at most max extents: beyond that the last one is made to
 * cover the rest. Returns how many. */
size_t pieces_missing(struct pieces *pieces, struct extent *out, size_t max);

/* Waits until the frontier is `step` bytes past `from`, or the file is complete, or
 * pieces_abandon was called. Returns the frontier; *last: it will not move again. */
uint64_t pieces_wait_frontier(struct pieces *pieces, uint64_t from, uint64_t step,
                              bool *last);
void pieces_abandon(struct pieces *pieces);
bool pieces_abandoned(struct pieces *pieces);

#endif
