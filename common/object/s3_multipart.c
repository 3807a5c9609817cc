/* SPDX-License-Identifier: MIT */
/* s3_multipart -- objects in parts. */
#include "common/object/s3.h"
#include "common/object/text.h"
#include "common/object/xml.h"
#include "common/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pages small enough for EXCHANGE_BODY_MAX, whatever the length of the keys. */
enum { PARTS_PER_PAGE = 100, UPLOADS_PER_PAGE = 10, UPLOAD_PAGES_MAX = 1 << 20 };

static void take_upload_id(void *context, const char *path, const char *text)
{
    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0)
        xml_copy(context, OBJECT_UPLOAD_SIZE, text);
}

enum status s3_begin(struct object_session *base, const char *key,
                     const struct object_description *description, uint64_t part_bytes,
                     char upload[OBJECT_UPLOAD_SIZE], struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    struct metadata_headers headers;
    struct exchange_response response;
    struct s3_call call = {
        .method = "POST", .key = key, .query = "uploads=", .headers = headers.list};
    char id[OBJECT_UPLOAD_SIZE] = "";
    enum status st;

    (void)part_bytes;
    metadata_headers_write(&headers, &s3_dialect, description);
    metadata_headers_add(&headers, "content-type", "application/octet-stream");
    call.header_count = headers.count;
    st = s3_call(session, &call, &response, err);
    if (st == ST_OK)
        st = s3_read(&response, take_upload_id, id, err);
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
                                 .digest = &body->sum.digest};
    enum status st = s3_call(session, &call, &response, err);

    if (st != ST_OK)
        return st;
    if (!exchange_response_header(session->exchange, "ETag", receipt, sizeof receipt) ||
        !receipt[strspn(receipt, " \r")]) /* libcurl 7.88 leaves a CR of nothing */
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
    unsigned number_max;
    bool truncated;
    uint64_t next;
    enum status status;
    struct error *err;
};

static void take_part(void *context, const char *path, const char *text)
{
    struct part_page *page = context;
    uint64_t number = 0;

    if (strcmp(path, "ListPartsResult/Part/PartNumber") == 0) {
        if (units_parse_count(text, &number) && number <= page->number_max)
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
        if (!units_parse_count(text, &page->next))
            page->next = 0;
    }
}

enum status s3_parts(struct object_session *base, const char *key, const char *upload,
                     object_part_visit *visit, void *context, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    struct part_page page = {.visit = visit,
                             .context = context,
                             .number_max = base->store->limits.parts,
                             .err = err};
    char query[S3_QUERY_SIZE];
    struct exchange_response response;
    const struct s3_call call = {.method = "GET", .key = key, .query = query};
    uint64_t marker;
    enum status st;

    do {
        struct text text;

        marker = page.next;
        page.truncated = false;
        text_init(&text, query, sizeof query);
        text_format(&text, "max-parts=%d&part-number-marker=%" PRIu64 "&uploadId=",
                    PARTS_PER_PAGE, marker);
        text_percent(&text, upload, TEXT_WORD);
        st = s3_call(session, &call, &response, err);
        if (st == ST_OK)
            st = s3_read(&response, take_part, &page, err);
        if (st == ST_OK)
            st = page.status;
        if (st == ST_OK && page.truncated &&
            (page.next <= marker || page.next > page.number_max))
            return error_set(err, ST_REFUSED, "the list of parts has no end");
    } while (st == ST_OK && page.truncated);
    return st;
}

struct upload_page {
    object_upload_visit *visit;
    void *context;
    bool encoded;
    char key[OBJECT_KEY_SIZE], upload[OBJECT_UPLOAD_SIZE];
    char last_key[OBJECT_KEY_SIZE], last_upload[OBJECT_UPLOAD_SIZE];
    bool truncated;
    enum status status;
    struct error *err;
};

/* Not every store encodes when it is asked to; those that do say so. */
static void take_encoding(void *context, const char *path, const char *text)
{
    bool *encoded = context;

    if (strcmp(path, "ListMultipartUploadsResult/EncodingType") == 0)
        *encoded = strcmp(text, "url") == 0;
}

static void take_upload(void *context, const char *path, const char *text)
{
    static const char root[] = "ListMultipartUploadsResult/";
    struct upload_page *page = context;

    if (strncmp(path, root, sizeof root - 1) != 0)
        return;
    path += sizeof root - 1;
    if (strcmp(path, "Upload/Key") == 0) {
        if (!page->encoded)
            xml_copy(page->key, sizeof page->key, text);
        else if (!text_decode(page->key, sizeof page->key, text))
            page->key[0] = '\0';
    } else if (strcmp(path, "Upload/UploadId") == 0) {
        xml_copy(page->upload, sizeof page->upload, text);
    } else if (strcmp(path, "Upload") == 0) {
        if (page->status == ST_OK && *page->key && *page->upload)
            page->status = page->visit(page->context, page->key, page->upload,
                                       page->err);
        strcpy(page->last_key, page->key);
        strcpy(page->last_upload, page->upload);
        page->key[0] = page->upload[0] = '\0';
    } else if (strcmp(path, "IsTruncated") == 0) {
        page->truncated = strcmp(text, "true") == 0;
    }
}

/* Goes on after the last upload seen, rather than with the markers in the answer, which
 * some stores encode and others do not. */
static bool uploads_query(char out[S3_QUERY_SIZE * 2], const struct upload_page *page,
                          const char *prefix)
{
    struct text text;

    text_init(&text, out, S3_QUERY_SIZE * 2);
    text_add(&text, "encoding-type=url&");
    if (*page->last_key) {
        text_add(&text, "key-marker=");
        text_percent(&text, page->last_key, TEXT_WORD);
        text_add(&text, "&");
    }
    text_format(&text, "max-uploads=%d&prefix=", UPLOADS_PER_PAGE);
    text_percent(&text, prefix, TEXT_WORD);
    if (*page->last_upload) {
        text_add(&text, "&upload-id-marker=");
        text_percent(&text, page->last_upload, TEXT_WORD);
    }
    text_add(&text, "&uploads=");
    return !text.overflow;
}

enum status s3_uploads(struct object_session *base, const char *prefix,
                       object_upload_visit *visit, void *context, struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    struct upload_page page = {.visit = visit, .context = context, .err = err};
    char query[S3_QUERY_SIZE * 2];
    char here[OBJECT_KEY_SIZE + OBJECT_UPLOAD_SIZE], milestone[sizeof here] = "";
    struct exchange_response response;
    const struct s3_call call = {.method = "GET", .query = query};
    enum status st;

    for (unsigned pages = 1;; pages++) {
        page.truncated = page.encoded = false;
        if (!uploads_query(query, &page, prefix))
            return error_set(err, ST_INVALID, "list uploads: prefix too long");
        st = s3_call(session, &call, &response, err);
        if (st == ST_OK)
            st = s3_read(&response, take_encoding, &page.encoded, err);
        if (st == ST_OK)
            st = s3_read(&response, take_upload, &page, err);
        if (st == ST_OK)
            st = page.status;
        if (st != ST_OK || !page.truncated)
            return st;
        /* Whoever walks in a circle comes by the last milestone again (Brent). */
        snprintf(here, sizeof here, "%s%s", page.last_key, page.last_upload);
        if (strcmp(here, milestone) == 0 || pages == UPLOAD_PAGES_MAX)
            return error_set(err, ST_REFUSED, "the list of uploads has no end");
        if ((pages & (pages - 1)) == 0)
            strcpy(milestone, here);
    }
}

/* ---- finish, abort ---- */

/* *document is the caller's to free. */
static enum status list_receipts(char **document, size_t *size,
                                 const struct object_part *parts, unsigned count,
                                 struct error *err)
{
    FILE *to = open_memstream(document, size);
    bool failed;

    if (!to)
        return error_sys(err, errno, "finish a multipart upload");
    fputs("<CompleteMultipartUpload>", to);
    for (unsigned i = 0; i < count; i++) {
        fprintf(to, "<Part><PartNumber>%u</PartNumber><ETag>", parts[i].number);
        for (const char *p = parts[i].receipt; *p; p++) {
            if (*p == '"')
                fputs("&quot;", to);
            else if (*p != '<' && *p != '>' && *p != '&')
                fputc(*p, to);
        }
        fputs("</ETag></Part>", to);
    }
    fputs("</CompleteMultipartUpload>", to);
    failed = ferror(to);
    if (fclose(to) != 0 || failed)
        return error_sys(err, ENOMEM, "finish a multipart upload");
    return ST_OK;
}

static void take_root(void *context, const char *path, const char *text)
{
    bool *completed = context;

    (void)text;
    if (strcmp(path, "CompleteMultipartUploadResult") == 0)
        *completed = true;
}

enum status s3_finish(struct object_session *base, const char *key, const char *upload,
                      const struct object_description *description,
                      const struct object_part *parts, unsigned count,
                      struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    char *document = NULL, query[S3_QUERY_SIZE];
    struct exchange_response response;
    struct sha256_digest digest;
    struct exchange_body body;
    struct s3_call call = {
        .method = "POST", .key = key, .query = query, .body = &body, .digest = &digest};
    bool completed = false;
    struct text text;
    size_t size = 0;
    enum status st;

    (void)description;
    text_init(&text, query, sizeof query);
    text_add(&text, "uploadId=");
    text_percent(&text, upload, TEXT_WORD);
    st = list_receipts(&document, &size, parts, count, err);
    if (st == ST_OK)
        st = s3_text_body(document, &body, &digest, err);
    if (st == ST_OK)
        st = s3_call(session, &call, &response, err);
    free(document);
    if (st != ST_OK)
        return st;
    /* S3 sends 200 before it knows: the document has the last word. */
    if (s3_read(&response, take_root, &completed, err) == ST_OK && completed)
        return ST_OK;
    st = s3_explain(session, &call, &response, err);
    return *base->answer.code ? st : error_set(err, ST_AGAIN, "unclear answer");
}

enum status s3_abort(struct object_session *base, const char *key, const char *upload,
                     struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    char query[S3_QUERY_SIZE];
    struct exchange_response response;
    const struct s3_call call = {.method = "DELETE", .key = key, .query = query};
    struct text text;
    enum status st;

    text_init(&text, query, sizeof query);
    text_add(&text, "uploadId=");
    text_percent(&text, upload, TEXT_WORD);
    st = s3_call(session, &call, &response, err);
    return st == ST_END ? ST_OK : st;
}
