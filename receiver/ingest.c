/* SPDX-License-Identifier: MIT */
#include "receiver/ingest.h"

#include "common/clock.h"
#include "common/structured_field.h"
#include "receiver/claims.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *const digest_policy_names[] = {"required", "optional", "ignore", NULL};

struct ingest {
    struct commit commit;
    const struct ingest_rules *rules;
    struct space *space;
    struct space_share share;
    struct sha256 *sha;
    struct claims claims;
    struct blob_info info;
    uint64_t received;
    bool has_id;
    bool replay; /* the id is stored already: hash only, write nothing */
    bool create; /* If-None-Match: *: the id must be new */
};

static enum ingest_next refuse(struct request *request, int status, const char *title,
                               const char *detail)
{
    reply_problem(&request->reply, status, title, "%s", detail);
    return INGEST_REPLY;
}

static bool is_int16(const char *type)
{
    const size_t n = sizeof(BLOB_TYPE_INT16LE) - 1;

    return strncasecmp(type, BLOB_TYPE_INT16LE, n) == 0 &&
           (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

static bool is_odd(const struct ingest *ingest, struct request *request, uint64_t bytes)
{
    if (!is_int16(ingest->info.type) || bytes % 2 == 0)
        return false;
    reply_problem(&request->reply, 400, "Odd length",
                  "%llu bytes cannot be whole int16 samples",
                  (unsigned long long)bytes);
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return false;
    return true;
}

/* What the head alone can decide. */
static bool check_head(struct ingest *ingest, struct request *request)
{
    char coding[16];
    const char *type = request_header(request, "Content-Type");

    (void)request_list(request, "Content-Encoding", false, coding, sizeof(coding));
    if (!request->chunked && !request->has_length) {
        refuse(request, 411, "Length required", "send Content-Length, or chunked");
        return false;
    }
    if (coding[0] != '\0' && strcasecmp(coding, "identity") != 0) {
        refuse(request, 415, "Content-Encoding not supported",
               "blobs are stored as they are: send them without Content-Encoding");
        reply_header(&request->reply, "Accept-Encoding", "identity");
        return false;
    }
    if (request->length > ingest->rules->max_blob_bytes) {
        reply_problem(&request->reply, 413, "Blob too large",
                      "%llu bytes, but the limit is %llu",
                      (unsigned long long)request->length,
                      (unsigned long long)ingest->rules->max_blob_bytes);
        return false;
    }
    if (type && strlen(type) >= sizeof(ingest->info.type)) {
        refuse(request, 415, "Content-Type too long", "at most 127 bytes are kept");
        return false;
    }
    if (type && !is_printable(type)) {
        refuse(request, 415, "Content-Type not ASCII",
               "only printable ASCII is kept as it is");
        return false;
    }
    strcpy(ingest->info.type, type && *type ? type : BLOB_TYPE_DEFAULT);
    return !is_odd(ingest, request, request->length);
}

/* The id: from the path, the Idempotency-Key, or a new one. */
static bool choose_id(struct ingest *ingest, const struct uuid *name,
                      struct request *request)
{
    const char *key = request_header(request, "Idempotency-Key");
    char text[UUID_TEXT_SIZE];

    if (name) {
        ingest->commit.id = *name;
    } else if (!key) {
        ingest->commit.id = uuid_generate(clock_wall_ms());
    } else if (!structured_string(key, strlen(key), text, sizeof(text)) ||
               !uuid_parse(text, strlen(text), &ingest->commit.id)) {
        refuse(request, 400, "Invalid Idempotency-Key",
               "Idempotency-Key must be a UUID in double quotes");
        return false;
    }
    ingest->has_id = true;
    return true;
}

static void conflict(struct ingest *ingest, struct request *request)
{
    char id[UUID_TEXT_SIZE];

    reply_problem(&request->reply, 409, "Id taken",
                  "another blob is stored as %s; it stays as it is",
                  uuid_format(id, &ingest->commit.id));
}

static void exists(struct ingest *ingest, struct request *request)
{
    char id[UUID_TEXT_SIZE];

    reply_problem(&request->reply, 412, "Blob exists",
                  "%s is stored already, and If-None-Match: * was sent",
                  uuid_format(id, &ingest->commit.id));
}

/* A blob of that id may be there: then the body is only hashed, to tell a resend (200)
 * from a conflict (409) as early as the claims allow. */
static bool check_stored(struct ingest *ingest, struct store *store,
                         struct request *request)
{
    const char *none_match = request_header(request, "If-None-Match");
    struct blob_info stored;
    struct error err;
    enum status st;
    int fd;

    ingest->create = none_match && strcmp(none_match, "*") == 0;
    st = store_find(store, &ingest->commit.id, &fd, &stored, &err);
    if (st == ST_END)
        return true;
    if (st != ST_OK) {
        reply_storage_failure(&request->reply, &err);
        return false;
    }
    close(fd);
    ingest->replay = true;
    if (ingest->create) {
        exists(ingest, request);
        return false;
    }
    if (stored.has_digest && claims_contradict(&ingest->claims, &stored.digest)) {
        conflict(ingest, request);
        return false;
    }
    return true;
}

static bool open_file(struct ingest *ingest, struct store *store,
                      struct request *request)
{
    struct error err;
    enum status st;

    st = sha256_create(&ingest->sha, &err);
    if (st == ST_OK && !ingest->replay)
        st = store_create_file(store, &ingest->commit.file, &err);
    if (st == ST_OK)
        st = space_take(ingest->space, &ingest->share, ingest->commit.file,
                        request->length, &err);
    if (st != ST_OK)
        reply_storage_failure(&request->reply, &err);
    return st == ST_OK;
}

enum ingest_next ingest_begin(struct ingest **out, struct store *store,
                              struct space *space, const struct ingest_rules *rules,
                              const struct uuid *name, struct request *request)
{
    struct ingest *ingest = calloc(1, sizeof(*ingest));
    bool fresh_id = !name && !request_header(request, "Idempotency-Key");

    if (!ingest)
        return refuse(request, 503, "Storage busy", "out of memory");
    ingest->rules = rules;
    ingest->space = space;
    *out = ingest;
    if (!check_head(ingest, request) || !choose_id(ingest, name, request))
        return INGEST_REPLY;
    if (rules->digest != DIGEST_IGNORE &&
        !claims_read(&ingest->claims, request, rules->digest == DIGEST_REQUIRED))
        return INGEST_REPLY;
    if (!fresh_id && !check_stored(ingest, store, request))
        return INGEST_REPLY;
    return open_file(ingest, store, request) ? INGEST_BODY : INGEST_REPLY;
}

bool ingest_body(struct ingest *ingest, struct request *request, const void *bytes,
                 size_t n)
{
    enum status st;
    struct error err;

    ingest->received += n;
    if (ingest->received > ingest->rules->max_blob_bytes) {
        reply_problem(&request->reply, 413, "Blob too large",
                      "more than the limit of %llu bytes",
                      (unsigned long long)ingest->rules->max_blob_bytes);
        request->reply.close = true;
        return false;
    }
    sha256_update(ingest->sha, bytes, n);
    st = space_use(ingest->space, &ingest->share, n, &err);
    if (st == ST_OK && !ingest->replay)
        st = durable_file_write(ingest->commit.file, bytes, n, &err);
    if (st == ST_OK)
        return true;
    reply_storage_failure(&request->reply, &err);
    return false;
}

enum ingest_next ingest_end(struct ingest *ingest, struct request *request)
{
    struct error err;

    if (sha256_finish(ingest->sha, &ingest->commit.digest, &err) != ST_OK) {
        reply_storage_failure(&request->reply, &err);
        return INGEST_REPLY;
    }
    if (ingest->rules->digest != DIGEST_IGNORE &&
        !claims_verify(&ingest->claims, request, &ingest->commit.digest,
                       ingest->rules->digest == DIGEST_REQUIRED))
        return INGEST_REPLY;
    if (is_odd(ingest, request, ingest->received))
        return INGEST_REPLY;
    if (ingest->replay)
        return INGEST_COMMIT;
    ingest->info.digest = ingest->commit.digest;
    ingest->info.has_digest = true;
    if (blob_file_describe(ingest->commit.file, &ingest->info, &err) != ST_OK) {
        reply_storage_failure(&request->reply, &err);
        return INGEST_REPLY;
    }
    return INGEST_COMMIT;
}

struct commit *ingest_commit(struct ingest *ingest)
{
    return &ingest->commit;
}

static void acknowledge(struct ingest *ingest, struct request *request, int status)
{
    struct reply *reply = &request->reply;
    char id[UUID_TEXT_SIZE], hex[SHA256_HEX_SIZE], field[DIGEST_FIELD_TEXT_SIZE];
    struct json json;

    uuid_format(id, &ingest->commit.id);
    sha256_to_hex(hex, &ingest->commit.digest);
    json_init(&json, reply->body, sizeof(reply->body));
    json_open(&json, NULL, '{');
    json_string(&json, "id", id);
    json_number(&json, "size", (int64_t)ingest->received);
    json_string(&json, "sha256", hex);
    json_close(&json, '}');
    reply_json(reply, status, &json);
    reply_header(reply, "Location", "/blobs/%s", id);
    reply_header(reply, "ETag", "\"%s\"", hex);
    reply_header(reply, "Repr-Digest", "%s",
                 digest_field_format(field, &ingest->commit.digest));
}

void ingest_result(struct ingest *ingest, struct request *request)
{
    switch (ingest->commit.result) {
    case ST_OK:
        acknowledge(ingest, request, 201);
        break;
    case ST_END:
        if (ingest->create)
            exists(ingest, request);
        else
            acknowledge(ingest, request, 200);
        break;
    case ST_REFUSED:
        conflict(ingest, request);
        break;
    case ST_AGAIN:
    case ST_CORRUPT:
    case ST_INVALID:
    case ST_CLOSED:
    case ST_SYSTEM:
        reply_storage_failure(&request->reply, &ingest->commit.error);
        break;
    }
}

void ingest_destroy(struct ingest **ingest)
{
    if (!*ingest)
        return;
    durable_file_discard(&(*ingest)->commit.file);
    space_give_back((*ingest)->space, &(*ingest)->share);
    sha256_destroy(&(*ingest)->sha);
    free(*ingest);
    *ingest = NULL;
}

const struct uuid *ingest_id(const struct ingest *ingest)
{
    return ingest->has_id ? &ingest->commit.id : NULL;
}

uint64_t ingest_received(const struct ingest *ingest)
{
    return ingest->received;
}
