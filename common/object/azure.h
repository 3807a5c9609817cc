/* SPDX-License-Identifier: MIT */
/*
 * azure -- what the files of the Azure Blob provider share; for azure*.c alone.
 *
 * A signature covers the headers, not the body: so every body goes with its MD5, and
 * the store refuses one that is not the one that was hashed.
 */
#ifndef COMMON_OBJECT_AZURE_H
#define COMMON_OBJECT_AZURE_H

#include "common/object/azure_settings.h"
#include "common/object/endpoint.h"
#include "common/object/metadata_headers.h"
#include "common/object/object_store.h"
#include "common/object/sharedkey.h"

enum { AZURE_PATH_SIZE = 4096 };

struct azure_store {
    struct object_store base;
    struct object_options options;
    struct azure_settings settings;
    struct endpoint endpoint;
    char base_path[ENDPOINT_PATH_SIZE + 3 * OBJECT_BUCKET_SIZE]; /* ".../container" */
};

struct azure_session {
    struct object_session base;
    struct exchange *exchange;
    char path[AZURE_PATH_SIZE];
    char url[AZURE_PATH_SIZE + AZURE_SAS_SIZE + ENDPOINT_HOST_SIZE + 512];
};

struct azure_call {
    const char *method;
    const char *key;                      /* NULL: the container itself */
    const struct sharedkey_param *params; /* sorted; not encoded */
    size_t param_count;
    const struct exchange_header *headers;
    size_t header_count;
    const struct exchange_body *body; /* NULL: none */
    const uint8_t *md5;               /* of body */
    const struct exchange_sink *sink; /* NULL: the answer is small */
    bool as_stranger;
};

/* One request. ST_OK on 2xx; anything else is explained and classed. */
enum status azure_call(struct azure_session *session, const struct azure_call *call,
                       struct exchange_response *response,
                       struct error *err) MUST_CHECK;

extern const struct metadata_dialect azure_dialect;

enum status azure_prepare(struct object_session *session, bool create,
                          bool allow_public, struct error *err);
enum status azure_begin(struct object_session *session, const char *key,
                        const struct object_description *description,
                        uint64_t part_bytes, char upload[OBJECT_UPLOAD_SIZE],
                        struct error *err);
enum status azure_put_part(struct object_session *session, const char *key,
                           const char *upload, struct object_part *part,
                           const struct object_body *body, struct error *err);
enum status azure_parts(struct object_session *session, const char *key,
                        const char *upload, object_part_visit *visit, void *context,
                        struct error *err);
enum status azure_finish(struct object_session *session, const char *key,
                         const char *upload,
                         const struct object_description *description,
                         const struct object_part *parts, unsigned count,
                         struct error *err);

#endif
