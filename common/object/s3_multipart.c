/* SPDX-License-Identifier: MIT */
/* s3_multipart -- objects in parts. */
#include "common/object/s3.h"
#include "common/object/text.h"
#include "common/object/xml.h"
#include "common/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pages small enough for EXCHANGE_BODY_MAX, whatever the length of the keys. */
enum { PARTS_PER_PAGE = 100, UPLOADS_PER_PAGE = 12 };

static void take_upload_id(void *context, const char *path, const char *text)
{
    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0)
        xml_copy(context, OBJECT_UPLOAD_SIZE, text);
}

enum status s3_begin(struct object_session *base, const char *key,
                     const struct object_description *description,
                     char upload[OBJECT_UPLOAD_SIZE], struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    struct s3_metadata metadata;
    struct exchange_response response;
    struct s3_call call = {.method = "POST",
                           .key = key,
                           .query = "uploads=",
                           .headers = metadata.headers};
    char id[OBJECT_UPLOAD_SIZE] = "";
    enum status st;

    s3_metadata_write(&metadata, description);
    call.header_count = metadata.count;
    st = s3_call(session, &call, &response, err);
    if (st == ST_OK)
        st = xml_read(response.body, response.body_length, take_upload_id, id, err);
    if (st == ST_OK && !*id)
        st = error_set(err, ST_REFUSED, "the store gave a multipart upload no name");
    if (st == ST_OK)
        strcpy(upload, id);
    return st;
}

static const char *part_query(char out[S3_QUERY_SIZE], unsigned number,
                              const char *upload)
{
    struct text text;

    text_init(&text, out, S3_QUERY_SIZE);
    text_format(&text, "partNumber=%u&uploadId=", number);
    text_percent(&text, upload, TEXT_WORD);
    return out;
}

enum status s3_put_part(struct object_session *base, const char *key,
                        const char *upload, struct object_part *part,
                        const struct object_body *body, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    char query[S3_QUERY_SIZE], receipt[OBJECT_RECEIPT_SIZE];
    struct exchange_response response;
    const struct s3_call call = {.method = "PUT",
                                 .key = key,
                                 .query = part_query(query, part->number, upload),
                                 .body = &body->source,
                                 .digest = &body->digest};
    enum status st = s3_call(session, &call, &response, err);

    if (st != ST_OK)
        return st;
    if (!exchange_response_header(session->exchange, "ETag", receipt, sizeof receipt))
        return error_set(err, ST_AGAIN, "part %u came back without an ETag",
                         part->number);
    part->size = body->source.size;
    strcpy(part->receipt, receipt);
    return ST_OK;
}

/* ---- listing ---- */

struct part_page {
    object_part_visit *visit;
    void *context;
    struct object_part part;
    bool truncated;
    char next[16];
    enum status status;
    struct error *err;
};

static void take_part(void *context, const char *path, const char *text)
{
    struct part_page *page = context;
    uint64_t number = 0;

    if (strcmp(path, "ListPartsResult/Part/PartNumber") == 0) {
        if (units_parse_count(text, &number) && number <= s3_store_parts_max())
            page->part.number = (unsigned)number;
    } else if (strcmp(path, "ListPartsResult/Part/Size") == 0) {
        if (!units_parse_count(text, &page->part.size))
            page->part.size = 0;
    } else if (strcmp(path, "ListPartsResult/Part/ETag") == 0) {
        xml_copy(page->part.receipt, sizeof page->part.receipt, text);
    } else if (strcmp(path, "ListPartsResult/Part") == 0) {
        if (page->status == ST_OK && page->part.number > 0)
            page->status = page->visit(page->context, &page->part, page->err);
        page->part = (struct object_part){.number = 0};
    } else if (strcmp(path, "ListPartsResult/IsTruncated") == 0) {
        page->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(path, "ListPartsResult/NextPartNumberMarker") == 0) {
        xml_copy(page->next, sizeof page->next, text);
    }
}

enum status s3_parts(struct object_session *base, const char *key, const char *upload,
                     object_part_visit *visit, void *context, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    struct part_page page = {.visit = visit, .context = context, .err = err};
    char query[S3_QUERY_SIZE], marker[16] = "0";
    struct exchange_response response;
    const struct s3_call call = {.method = "GET", .key = key, .query = query};
    enum status st;

    do {
        struct text text;

        page.truncated = false;
        page.next[0] = '\0';
        text_init(&text, query, sizeof query);
        text_format(&text, "max-parts=%d&part-number-marker=%s&uploadId=",
                    PARTS_PER_PAGE, marker);
        text_percent(&text, upload, TEXT_WORD);
        st = s3_call(session, &call, &response, err);
        if (st != ST_OK && base->answer.http_status == 404)
            return ST_END;
        if (st == ST_OK)
            st = xml_read(response.body, response.body_length, take_part, &page, err);
        if (st == ST_OK)
            st = page.status;
        if (strcmp(marker, page.next) == 0) /* no progress: do not ask for ever */
            break;
        strcpy(marker, page.next);
    } while (st == ST_OK && page.truncated && *marker);
    return st;
}

struct upload_page {
    object_upload_visit *visit;
    void *context;
    char key[OBJECT_KEY_SIZE], upload[OBJECT_UPLOAD_SIZE];
    char next_key[OBJECT_KEY_SIZE], next_upload[OBJECT_UPLOAD_SIZE];
    unsigned seen;
    enum status status;
    struct error *err;
};
