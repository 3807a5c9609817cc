/* SPDX-License-Identifier: MIT */
/*
 * object_store -- one interface to stores of objects under keys: S3, Azure Blob.
 *
 * A store is what all share: where it is, who we are. A session is one thread's
 * connection to it; every request goes through one. After each request the session's
 * `answer` tells those who decide on retries more than the status does.
 *
 * Shape:   a provider is one file and one row in object_store.c.
 * Units:   sizes in bytes; keys are bytes, at most limits.key_bytes, UTF-8.
 * Errors:  ST_OK; ST_END not there; ST_AGAIN worth another attempt; ST_REFUSED not;
 *          ST_CORRUPT the bytes sent are not those of the sum; ST_INVALID; ST_CLOSED
 *          cancelled; or what the body's read returned.
 *          Visitors of lists must not use the session that lists.
 * Threads: prepare before any other session exists; then one session per thread. All
 *          sessions are destroyed before their store.
 */
#ifndef COMMON_OBJECT_OBJECT_STORE_H
#define COMMON_OBJECT_OBJECT_STORE_H

#include "common/exchange.h"
#include "common/md5.h"
#include "common/sha256.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum {
    OBJECT_BUCKET_SIZE = 256,
    OBJECT_KEY_SIZE = 1025,
    OBJECT_CODE_SIZE = 64,
    OBJECT_UPLOAD_SIZE = 512, /* of a multipart upload's name */
    OBJECT_RECEIPT_SIZE = 80, /* of what the store gives for a part */
};

/* s3://bucket/prefix, az://container/prefix. */
struct object_location {
    const char *scheme; /* of a provider; static */
    char bucket[OBJECT_BUCKET_SIZE];
    char prefix[OBJECT_KEY_SIZE]; /* as given, without the slash after the bucket */
};

/* What is known of an object besides its bytes. */
struct object_description {
    uint64_t size;
    bool has_modified, has_mode, has_owner, has_digest;
    struct timespec modified;
    uint32_t mode; /* as in st_mode, type included */
    uint32_t uid, gid;
    struct sha256_digest digest; /* of all of the object */
};

/* What a store checks a body by: it takes no other bytes under that sum. */
union object_sum {
    struct sha256_digest digest;
    uint8_t md5[MD5_BYTES]; /* where limits.wants_md5 */
};

struct object_body {
    struct exchange_body source;
    union object_sum sum;
};

struct object_answer {
    int http_status; /* 0: none came */
    uint64_t retry_after_ms;
    bool throttled;   /* the store asks for less */
    bool hopeless;    /* no request of this run will fare better: keys, quota;
                         ST_AGAIN, because one of a later run may */
    int64_t clock_ms; /* not 0: our clock was so far behind theirs, which is
                         followed from now on */
    char code[OBJECT_CODE_SIZE]; /* the store's own word for what went wrong; "" */
};

struct object_limits {
    size_t key_bytes;
    uint64_t single_bytes; /* one put */
    uint64_t part_min_bytes, part_max_bytes;
    unsigned parts;
    bool wants_md5; /* to check bodies by, and not their SHA-256 */
};

/* Where a bucket's name goes: into the host's or into the path. AUTO: into the host's
 * at Amazon only. */
enum object_addressing {
    OBJECT_ADDRESSING_AUTO,
    OBJECT_ADDRESSING_PATH,
    OBJECT_ADDRESSING_VIRTUAL,
};

struct object_options { /* strings must outlive the store; NULL: not given */
    const char *endpoint_url, *region, *profile;
    enum object_addressing addressing;
    const char *ca_file;
    uint64_t stall_ms; /* a request that moves next to nothing for so long: ST_AGAIN */
    const struct latch *cancel;
};

struct object_part {
    unsigned number; /* from 1 */
    uint64_t size;
    char receipt[OBJECT_RECEIPT_SIZE];
};

struct object_store_ops;

enum { OBJECT_PLACE_SIZE = 1400 };

struct object_store {
    const struct object_store_ops *ops;
    struct object_limits limits;
    char place[OBJECT_PLACE_SIZE]; /* endpoint and bucket, for people and as a name */
};

struct object_session {
    struct object_store *store;
    struct object_answer answer; /* to the last request */
};

typedef enum status object_part_visit(void *context, const struct object_part *part,
                                      struct error *err);
typedef enum status object_upload_visit(void *context, const char *key,
                                        const char *upload, struct error *err);

struct object_store_ops {
    const char *scheme; /* "s3" */
    const char *title;  /* "bucket": what holds the objects, for messages */

    enum status (*open)(struct object_store **out, const struct object_location *where,
                        const struct object_options *options, struct error *err);
    void (*destroy)(struct object_store *store);
    const char *(*objection)(const char *key); /* NULL: any key is stored as it is */
    enum status (*session_open)(struct object_store *store, struct object_session **out,
                                struct error *err);
    void (*session_close)(struct object_session *session);

    /* See the wrappers below. */
    enum status (*prepare)(struct object_session *session, bool create,
                           bool allow_public, struct error *err);
    enum status (*put)(struct object_session *session, const char *key,
                       const struct object_description *description,
                       const struct object_body *body, struct error *err);
    enum status (*look)(struct object_session *session, const char *key,
                        struct object_description *out, struct error *err);
    /* NULL: prepare can tell. */
    enum status (*is_public)(struct object_session *session, const char *key,
                             bool *is_public, struct error *err);
    enum status (*begin)(struct object_session *session, const char *key,
                         const struct object_description *description,
                         uint64_t part_bytes, char upload[OBJECT_UPLOAD_SIZE],
                         struct error *err);
    enum status (*put_part)(struct object_session *session, const char *key,
                            const char *upload, struct object_part *part,
                            const struct object_body *body, struct error *err);
    enum status (*parts)(struct object_session *session, const char *key,
                         const char *upload, object_part_visit *visit, void *context,
                         struct error *err);
    enum status (*finish)(struct object_session *session, const char *key,
                          const char *upload,
                          const struct object_description *description,
                          const struct object_part *parts, unsigned count,
                          struct error *err);
    enum status (*abort)(struct object_session *session, const char *key,
                         const char *upload, struct error *err);
    enum status (*uploads)(struct object_session *session, const char *prefix,
                           object_upload_visit *visit, void *context,
                           struct error *err);
};

/* Splits scheme://bucket/prefix. ST_INVALID when no provider has the scheme. */
enum status object_location_parse(struct object_location *out, const char *text,
                                  struct error *err) MUST_CHECK;

/* Looks credentials up; asks the network nothing. */
enum status object_store_open(struct object_store **out,
                              const struct object_location *where,
                              const struct object_options *options,
                              struct error *err) MUST_CHECK;
void object_store_destroy(struct object_store **store);

/* A clause why the store would not keep this key as it is; NULL: it would. */
const char *object_store_objection(const struct object_store *store, const char *key);

enum status object_session_open(struct object_store *store, struct object_session **out,
                                struct error *err) MUST_CHECK;
void object_session_close(struct object_session **session);

/* Makes sure that the bucket is there and ours to write to. A missing one is created,
 * private, when `create`; else that is ST_END. One that answers a stranger is
 * ST_REFUSED unless `allow_public`; so is one that knows but does not tell. Keys that
 * may write and ask nothing are enough then. */
enum status object_prepare(struct object_session *session, bool create,
                           bool allow_public, struct error *err) MUST_CHECK;

/* Stores the object whole or not at all, replacing one of that key. */
enum status object_put(struct object_session *session, const char *key,
                       const struct object_description *description,
                       const struct object_body *body, struct error *err) MUST_CHECK;

/* What the store has under key. ST_END: nothing. */
enum status object_look(struct object_session *session, const char *key,
                        struct object_description *out, struct error *err) MUST_CHECK;

/* Whether a stranger may read an object that is there: prepare cannot always tell. */
enum status object_is_public(struct object_session *session, const char *key,
                             bool *is_public, struct error *err) MUST_CHECK;

/* A multipart upload: begin, parts in any order and from any session, finish with all
 * of them in order of number. Nothing shows before finish. The description given to
 * begin and finish must be the same; all parts but the last have part_bytes. parts
 * lists what has arrived. put_part, parts and finish: ST_END when the store no longer
 * has the upload, or a part of it; it may be finished then, by a request whose answer
 * was lost. */
enum status object_begin(struct object_session *session, const char *key,
                         const struct object_description *description,
                         uint64_t part_bytes, char upload[OBJECT_UPLOAD_SIZE],
                         struct error *err) MUST_CHECK;
enum status object_put_part(struct object_session *session, const char *key,
                            const char *upload, struct object_part *part,
                            const struct object_body *body,
                            struct error *err) MUST_CHECK;
enum status object_parts(struct object_session *session, const char *key,
                         const char *upload, object_part_visit *visit, void *context,
                         struct error *err) MUST_CHECK;
enum status object_finish(struct object_session *session, const char *key,
                          const char *upload,
                          const struct object_description *description,
                          const struct object_part *parts, unsigned count,
                          struct error *err) MUST_CHECK;

/* Forgets an upload; one that is not there is fine. */
enum status object_abort(struct object_session *session, const char *key,
                         const char *upload, struct error *err) MUST_CHECK;

/* Every unfinished upload whose key begins with prefix. */
enum status object_uploads(struct object_session *session, const char *prefix,
                           object_upload_visit *visit, void *context,
                           struct error *err) MUST_CHECK;

#endif
