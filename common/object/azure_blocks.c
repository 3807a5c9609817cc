/* SPDX-License-Identifier: MIT */
/*
 * azure_blocks -- blobs in blocks.
 *
 * Azure has no upload to begin: blocks are named by us, wait uncommitted beside the
 * blob, and a list of names makes them the blob. So the name of our upload is made of
 * the whole blob's digest and the size of its parts, and the name of a block of that
 * and its number: blocks of the same name hold the same bytes.
 */
#include "common/object/azure.h"
#include "common/object/xml.h"
#include "common/units.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGEST_LENGTH = 24, /* hex digits */
    SIZE_LENGTH = 8,
    UPLOAD_LENGTH = DIGEST_LENGTH + SIZE_LENGTH,
    NUMBER_LENGTH = 5,
    BLOCK_LENGTH = UPLOAD_LENGTH + 1 + NUMBER_LENGTH,
    BLOCK_ID_SIZE = (BLOCK_LENGTH + 2) / 3 * 4 + 1, /* base64 */
};

enum status azure_begin(struct object_session *session, const char *key,
                        const struct object_description *description,
                        uint64_t part_bytes, char upload[OBJECT_UPLOAD_SIZE],
                        struct error *err)
{
    char hex[SHA256_HEX_SIZE];

    (void)key;
    (void)err;
    session->answer = (struct object_answer){.http_status = 0};
    sha256_to_hex(hex, &description->digest);
    snprintf(upload, OBJECT_UPLOAD_SIZE, "%.*s%0*" PRIx64, DIGEST_LENGTH, hex,
             SIZE_LENGTH, part_bytes);
    return ST_OK;
}

static const char *block_id(char out[BLOCK_ID_SIZE], const char *upload,
                            unsigned number)
{
    char name[BLOCK_LENGTH + 8];

    snprintf(name, sizeof name, "%.*s-%0*u", UPLOAD_LENGTH, upload, NUMBER_LENGTH,
             number);
    return sodium_bin2base64(out, BLOCK_ID_SIZE, (const unsigned char *)name,
                             BLOCK_LENGTH, sodium_base64_VARIANT_ORIGINAL);
}

/* 0: not a block of this upload. */
static unsigned block_number(const char *id, const char *upload)
{
    char name[BLOCK_LENGTH + 1];
    size_t n = 0;
    uint64_t number;

    if (sodium_base642bin((unsigned char *)name, BLOCK_LENGTH, id, strlen(id), NULL, &n,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        n != BLOCK_LENGTH || strncmp(name, upload, UPLOAD_LENGTH) != 0)
        return 0;
    name[n] = '\0';
    return units_parse_count(name + UPLOAD_LENGTH + 1, &number) ? (unsigned)number : 0;
}

enum status azure_put_part(struct object_session *base, const char *key,
                           const char *upload, struct object_part *part,
                           const struct object_body *body, struct error *err)
{
    char id[BLOCK_ID_SIZE];
    const struct sharedkey_param params[] = {
        {"blockid", block_id(id, upload, part->number)}, {"comp", "block"}};
    const struct azure_call call = {.method = "PUT",
                                    .key = key,
                                    .params = params,
                                    .param_count = 2,
                                    .body = &body->source,
                                    .md5 = body->sum.md5};
    struct exchange_response response;
    enum status st = azure_call((struct azure_session *)base, &call, &response, err);

    if (st != ST_OK)
        return st;
    part->size = body->source.size;
    snprintf(part->receipt, sizeof part->receipt, "%s", id);
    return ST_OK;
}

/* ---- listing: one answer, however many blocks there are ---- */

struct listing {
    object_part_visit *visit;
    void *context;
    const char *upload;
    struct object_part part;
    struct xml *xml;
    enum status status;
    struct error *err;
};

static void take_block(void *context, const char *path, const char *text)
{
    static const char block[] = "BlockList/UncommittedBlocks/Block";
    struct listing *listing = context;

    if (strncmp(path, block, sizeof block - 1) != 0)
        return;
    path += sizeof block - 1;
    if (strcmp(path, "/Name") == 0) {
        listing->part.number = block_number(text, listing->upload);
        xml_copy(listing->part.receipt, sizeof listing->part.receipt, text);
    } else if (strcmp(path, "/Size") == 0) {
        if (!units_parse_count(text, &listing->part.size))
            listing->part.number = 0;
    } else if (!*path) {
        if (listing->part.number > 0 && listing->status == ST_OK)
            listing->status = listing->visit(listing->context, &listing->part,
                                             listing->err);
        listing->part = (struct object_part){.number = 0};
    }
}

static enum status feed(void *context, const void *bytes, size_t n, struct error *err)
{
    struct listing *listing = context;

    return xml_of_answer(xml_feed(listing->xml, bytes, n, err), err);
}

enum status azure_parts(struct object_session *base, const char *key,
                        const char *upload, object_part_visit *visit, void *context,
                        struct error *err)
{
    static const struct sharedkey_param params[] = {{"blocklisttype", "uncommitted"},
                                                    {"comp", "blocklist"}};
    struct listing listing = {
        .visit = visit, .context = context, .upload = upload, .err = err};
    const struct exchange_sink sink = {.write = feed, .context = &listing};
    const struct azure_call call = {
        .method = "GET", .key = key, .params = params, .param_count = 2, .sink = &sink};
    struct exchange_response response;
    enum status st = xml_create(&listing.xml, take_block, &listing, err);

    if (st != ST_OK)
        return st;
    st = azure_call((struct azure_session *)base, &call, &response, err);
    if (st == ST_OK)
        st = xml_of_answer(xml_finish(listing.xml, err), err);
    if (st == ST_OK)
        st = listing.status;
    xml_destroy(&listing.xml);
    return st != ST_OK && base->answer.http_status == 404 ? ST_END : st;
}

/* ---- finish ---- */

static enum status read_text(void *context, uint64_t offset, void *into, size_t n,
                             struct error *err)
{
    (void)err;
    memcpy(into, (const char *)context + offset, n);
    return ST_OK;
}

/* *document is the caller's to free. */
static enum status list_blocks(char **document, size_t *size, const char *upload,
                               const struct object_part *parts, unsigned count,
                               struct error *err)
{
    FILE *to = open_memstream(document, size);
    char id[BLOCK_ID_SIZE];
    bool failed;

    if (!to)
        return error_sys(err, errno, "commit blocks");
    fputs("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>", to);
    for (unsigned i = 0; i < count; i++)
        fprintf(to, "<Uncommitted>%s</Uncommitted>",
                block_id(id, upload, parts[i].number));
    fputs("</BlockList>", to);
    failed = ferror(to);
    if (fclose(to) != 0 || failed)
        return error_sys(err, ENOMEM, "commit blocks");
    return ST_OK;
}

static enum status sum_up(const char *text, size_t size, uint8_t out[MD5_BYTES],
                          struct error *err)
{
    struct md5 *md5 = NULL;
    enum status st = md5_create(&md5, err);

    if (st != ST_OK)
        return st;
    md5_update(md5, text, size);
    md5_finish(md5, out);
    md5_destroy(&md5);
    return ST_OK;
}

enum status azure_finish(struct object_session *base, const char *key,
                         const char *upload,
                         const struct object_description *description,
                         const struct object_part *parts, unsigned count,
                         struct error *err)
{
    static const struct sharedkey_param params[] = {{"comp", "blocklist"}};
    struct metadata_headers headers;
    struct exchange_body body = {.read = read_text};
    struct exchange_response response;
    uint8_t md5[MD5_BYTES];
    char *document = NULL;
    size_t size = 0;
    struct azure_call call = {.method = "PUT",
                              .key = key,
                              .params = params,
                              .param_count = 1,
                              .headers = headers.list,
                              .body = &body,
                              .md5 = md5};
    enum status st = list_blocks(&document, &size, upload, parts, count, err);

    metadata_headers_write(&headers, &azure_dialect, description);
    metadata_headers_add(&headers, "x-ms-blob-content-type",
                         "application/octet-stream");
    call.header_count = headers.count;
    body.size = size;
    body.context = document;
    if (st == ST_OK)
        st = sum_up(document, size, md5, err);
    if (st == ST_OK)
        st = azure_call((struct azure_session *)base, &call, &response, err);
    free(document);
    /* Blocks that are part of a blob wait no longer. */
    if (st == ST_REFUSED && strcmp(base->answer.code, "InvalidBlockList") == 0)
        return ST_END;
    return st;
}
