/* SPDX-License-Identifier: MIT */
#include "sender/upload/body.h"

#include <string.h>

/* Hashes in order; libcurl may start over, but never skips. */
static enum status check(struct body *body, uint64_t offset, const void *bytes,
                         size_t n, struct error *err)
{
    struct sha256_digest digest;
    enum status st;

    if (offset == 0) {
        sha256_start(body->sha);
        body->hashed = 0;
    }
    if (offset != body->hashed)
        return error_set(err, ST_SYSTEM, "the body was not read in order");
    sha256_update(body->sha, bytes, n);
    body->hashed += n;
    if (body->hashed < body->object.source.size)
        return ST_OK;
    st = sha256_finish(body->sha, &digest, err);
    if (st == ST_OK && !sha256_equal(&digest, &body->object.digest))
        st = error_set(err, ST_CORRUPT, "it changed while it was read");
    return st;
}

static enum status read_body(void *context, uint64_t offset, void *into, size_t n,
                             struct error *err)
{
    struct body *body = context;
    enum status st = ST_OK;

    bandwidth_take(&body->run->bandwidth, n);
    if (body->memory)
        memcpy(into, (const char *)body->memory + offset, n);
    else
        st = source_file_read(body->file, body->start + offset, into, n, err);
    if (st == ST_OK && body->sha)
        st = check(body, offset, into, n, err);
    if (st != ST_OK)
        return st;
    atomic_fetch_add(&body->run->tally.moved, (long long)n);
    body->moved += (long long)n;
    return ST_OK;
}

void body_from_memory(struct body *body, struct upload_run *run, const void *memory,
                      size_t n, const struct sha256_digest *digest)
{
    *body = (struct body){.run = run, .memory = memory};
    body->object = (struct object_body){
        .source = {.size = n, .read = read_body, .context = body}, .digest = *digest};
}

void body_from_file(struct body *body, struct upload_run *run,
                    const struct source_file *file, uint64_t start, uint64_t n,
                    const struct sha256_digest *digest, struct sha256 *sha)
{
    *body = (struct body){.run = run, .file = file, .start = start, .sha = sha};
    body->object = (struct object_body){
        .source = {.size = n, .read = read_body, .context = body}, .digest = *digest};
}

void body_failed(struct body *body)
{
    atomic_fetch_sub(&body->run->tally.moved, body->moved);
    body->moved = 0;
}
