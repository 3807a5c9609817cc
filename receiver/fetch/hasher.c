/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/hasher.h"

#include "common/crew.h"
#include "common/latch.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SLICE_BYTES = 256 * 1024, /* stays in the second-level cache */
    WRITE_BACK_BYTES = 8 * 1024 * 1024,
    BATCH_BYTES = 16 * 1024 * 1024, /* between two looks at whether to go on */
};

struct hasher {
    struct hasher_config config;
    struct crew *crew;
    struct latch finished;
    struct sha256 *sha;
    struct md5 *md5; /* when wanted */
    uint64_t hashed, written_back;
    enum status st;
    struct error err;
    uint8_t slice[SLICE_BYTES];
};

static enum status hash_until(struct hasher *h, uint64_t frontier)
{
    while (h->hashed < frontier) {
        uint64_t left = frontier - h->hashed;
        size_t n = left < SLICE_BYTES ? (size_t)left : SLICE_BYTES;
        enum status st = part_read(h->config.part, h->slice, n, h->hashed, &h->err);

        if (st != ST_OK)
            return st;
        sha256_update(h->sha, h->slice, n);
        if (h->md5 != NULL)
            md5_update(h->md5, h->slice, n);
        h->hashed += n;
        if (h->config.write_back && h->hashed - h->written_back >= WRITE_BACK_BYTES) {
            part_start_writeback(h->config.part, h->written_back,
                                 h->hashed - h->written_back);
            h->written_back = h->hashed;
        }
    }
    return ST_OK;
}

static void follow(void *context, unsigned index)
{
    struct hasher *h = context;
    bool done = false;

    (void)index;
    while (h->st == ST_OK && !done) {
        bool last;
        uint64_t until = pieces_wait_frontier(h->config.pieces, h->hashed, SLICE_BYTES,
                                              &last);

        if (pieces_abandoned(h->config.pieces)) {
            h->st = error_set(&h->err, ST_CLOSED, "abandoned");
            break;
        }
        done = last && until - h->hashed <= BATCH_BYTES;
        if (until - h->hashed > BATCH_BYTES)
            until = h->hashed + BATCH_BYTES;
        h->st = hash_until(h, until);
    }
    latch_set(&h->finished);
}

enum status hasher_start(struct hasher **out, const struct hasher_config *config,
                         struct error *err)
{
    struct hasher *h = calloc(1, sizeof *h);
    enum status st;

    if (h == NULL)
        return error_sys(err, ENOMEM, "start hashing");
    h->config = *config;
    latch_init(&h->finished);
    st = sha256_create(&h->sha, err);
    if (st == ST_OK && config->want_md5)
        st = md5_create(&h->md5, err);
    if (st == ST_OK)
        st = crew_start(&h->crew, "hash", 1, follow, h, err);
    if (st != ST_OK) {
        md5_destroy(&h->md5);
        sha256_destroy(&h->sha);
        latch_release(&h->finished);
        free(h);
        return st;
    }
    *out = h;
    return ST_OK;
}

bool hasher_wait(struct hasher *h, uint64_t ms)
{
    return latch_wait(&h->finished, ms);
}

enum status hasher_stop(struct hasher **hasher, struct hashes *out, struct error *err)
{
    struct hasher *h = *hasher;
    enum status st;

    crew_join(&h->crew);
    st = h->st;
    if (st != ST_OK) {
        *err = h->err;
    } else {
        st = sha256_finish(h->sha, &out->sha256, err);
        if (st == ST_OK && h->md5 != NULL)
            md5_finish(h->md5, out->md5);
    }
    md5_destroy(&h->md5);
    sha256_destroy(&h->sha);
    latch_release(&h->finished);
    free(h);
    *hasher = NULL;
    return st;
}
