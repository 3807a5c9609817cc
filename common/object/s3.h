/* SPDX-License-Identifier: MIT */
/*
 * s3 -- what the files of the S3 provider share; for s3*.c alone.
 *
 * Every request is signed with the digest of its body, so the store refuses a body that
 * is not the one that was hashed.
 */
#ifndef COMMON_OBJECT_S3_H
#define COMMON_OBJECT_S3_H

#include "common/object/aws_settings.h"
#include "common/object/endpoint.h"
#include "common/object/metadata_headers.h"
#include "common/object/object_store.h"
#include "common/object/sigv4.h"
#include "common/object/xml.h"

#include <stdatomic.h>

enum {
    S3_PATH_SIZE = 4096,
    S3_QUERY_SIZE = 4096,
    S3_MESSAGE_SIZE = 160,
};

struct s3_store {
    struct object_store base;
    struct object_options options;
    struct aws_settings settings;
    char bucket[OBJECT_BUCKET_SIZE];
    struct endpoint endpoint;
    char base_path[ENDPOINT_PATH_SIZE + 3 * OBJECT_BUCKET_SIZE]; /* "" or "/bucket" */
    atomic_llong clock_offset_ms;                                /* theirs less ours */
    atomic_bool clock_set;
};

struct s3_session {
    struct object_session base;
    struct exchange *exchange;
    struct sigv4 *signer;
    char region[AWS_NAME_SIZE]; /* the bucket's, if the last answer names it; "" */
    char path[S3_PATH_SIZE];
    char url[S3_PATH_SIZE + S3_QUERY_SIZE + ENDPOINT_HOST_SIZE + 16];
};

struct s3_call {
    const char *method;
    const char *key;                       /* NULL: the bucket itself */
    const char *query;                     /* encoded and sorted; NULL: none */
    const struct exchange_header *headers; /* lower case */
    size_t header_count;
    const struct exchange_body *body;   /* NULL: none */
    const struct sha256_digest *digest; /* of body; NULL: of nothing */
    bool as_stranger;                   /* unsigned */
};

struct s3_store *s3_store_of(struct object_session *session);

/* One request. ST_OK on 2xx; anything else is explained and classed; ST_END: the store
 * no longer has that multipart upload, or parts of it. */
enum status s3_call(struct s3_session *session, const struct s3_call *call,
                    struct exchange_response *response, struct error *err) MUST_CHECK;

/* A body out of a text that outlives it, and its digest. */
enum status s3_text_body(char *text, struct exchange_body *body,
                         struct sha256_digest *digest, struct error *err) MUST_CHECK;

/* Host, path and place for store->settings and the bucket. */
enum status s3_aim(struct s3_store *store, struct error *err) MUST_CHECK;

/* A signer for store->settings instead of the one there is. */
enum status s3_renew_signer(struct s3_session *session, struct error *err) MUST_CHECK;

extern const struct metadata_dialect s3_dialect;

/* Fills the session's answer, region and err from an answer that is not 2xx, or from an
 * <Error> that came with one. */
enum status s3_explain(struct s3_session *session, const struct s3_call *call,
                       const struct exchange_response *response, struct error *err);

/* The document in an answer that was ST_OK. ST_AGAIN when it is none. */
enum status s3_read(const struct exchange_response *response, xml_visit *visit,
                    void *context, struct error *err) MUST_CHECK;

enum status s3_prepare(struct object_session *session, bool create, bool allow_public,
                       struct error *err);
enum status s3_is_public(struct object_session *session, const char *key,
                         bool *is_public, struct error *err);
enum status s3_begin(struct object_session *session, const char *key,
                     const struct object_description *description, uint64_t part_bytes,
                     char upload[OBJECT_UPLOAD_SIZE], struct error *err);
enum status s3_put_part(struct object_session *session, const char *key,
                        const char *upload, struct object_part *part,
                        const struct object_body *body, struct error *err);
enum status s3_parts(struct object_session *session, const char *key,
                     const char *upload, object_part_visit *visit, void *context,
                     struct error *err);
enum status s3_finish(struct object_session *session, const char *key,
                      const char *upload, const struct object_description *description,
                      const struct object_part *parts, unsigned count,
                      struct error *err);
enum status s3_abort(struct object_session *session, const char *key,
                     const char *upload, struct error *err);
enum status s3_uploads(struct object_session *session, const char *prefix,
                       object_upload_visit *visit, void *context, struct error *err);

#endif
