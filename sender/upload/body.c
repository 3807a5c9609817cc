/* SPDX-License-Identifier: MIT */
#include "sender/upload/body.h"

#include <string.h>

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
    if (st != ST_OK)
        return st;
    atomic_fetch_add(&body->run->tally.moved, (long long)n);
    body->moved += (long long)n;
    return ST_OK;
}

void body_from_memory(struct body *body, struct upload_run *run, const void *memory,
                      size_t n, const union object_sum *sum)
{
    *body = (struct body){.run = run, .memory = memory};
    body->object = (struct object_body){
        .source = {.size = n, .read = read_body, .context = body}, .sum = *sum};
}

void body_from_file(struct body *body, struct upload_run *run,
                    const struct source_file *file, uint64_t start, uint64_t n,
                    const union object_sum *sum)
{
    *body = (struct body){.run = run, .file = file, .start = start};
    body->object = (struct object_body){
        .source = {.size = n, .read = read_body, .context = body}, .sum = *sum};
}

void body_failed(struct body *body)
{
    atomic_fetch_sub(&body->run->tally.moved, body->moved);
    body->moved = 0;
}
