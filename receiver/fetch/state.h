/* SPDX-License-Identifier: MIT */
/*
 * state -- what a fetch that ended early leaves for the next run: <name>.part.state.
 *
 * Says which version of which file was being fetched, and what of it is missing, twice:
 * `written` counts on the page cache and is believed while the machine has not been
 * started anew (a killed program loses nothing); `synced` counts only what had reached
 * the disk. A small text file that ends in its own SHA-256; replaced as a whole; mode
 * 0600. Of the URL it keeps no user, password or query, which may be secret: they count
 * only through a digest.
 *
 * Errors:  load: ST_END when there is none, ST_CORRUPT when it cannot be believed.
 * Threads: functions on values.
 */
#ifndef RECEIVER_FETCH_STATE_H
#define RECEIVER_FETCH_STATE_H

#include "receiver/fetch/answer.h"
#include "receiver/fetch/pieces.h"

enum { STATE_URL_SIZE = 1024, STATE_BOOT_SIZE = 64, STATE_TEXT_MAX = 128 * 1024 };

struct extents {
    size_t count;
    struct extent of[PIECES_EXTENTS_MAX];
};

struct state {
    char url[STATE_URL_SIZE]; /* redacted */
    struct sha256_digest url_digest;
    struct validators validators;
    uint64_t total, inode;          /* inode: of the part file */
    char boot[STATE_BOOT_SIZE];     /* names the running kernel's start; "": unknown */
    struct extents synced, written; /* what is missing */
};

/* Fills url and url_digest. */
enum status state_set_url(struct state *state, const char *url,
                          struct error *err) MUST_CHECK;

/* Fills boot. */
void state_set_boot(struct state *state);

/* Whether `earlier` is about what is now known under this URL. A URL that differs in
 * its query only (signed anew, say) will do when the version is named strongly. */
bool state_same_source(const struct state *earlier, const struct state *now);

/* What is missing, as far as it can be believed now. */
const struct extents *state_missing(const struct state *state, const char *boot_now);

/* Text of state into out; *n: its length. */
enum status state_encode(const struct state *state, char out[STATE_TEXT_MAX], size_t *n,
                         struct error *err) MUST_CHECK;
enum status state_decode(const char *text, size_t n, struct state *out,
                         struct error *err) MUST_CHECK;

/* name: of the file being fetched, in dir_fd. */
enum status state_load(int dir_fd, const char *name, struct state *out,
                       struct error *err) MUST_CHECK;
/* On failure the state saved before, if any, is still there. */
enum status state_save(int dir_fd, const char *name, const struct state *state,
                       bool durable, struct error *err) MUST_CHECK;
bool state_exists(int dir_fd, const char *name) MUST_CHECK;
void state_remove(int dir_fd, const char *name);

#endif
