/* SPDX-License-Identifier: MIT */
#include "common/object/object_store.h"

#include "common/object/providers.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct object_store_ops *const providers[] = {
    &object_store_s3,
    &object_store_azure,
};

enum { PROVIDERS = sizeof providers / sizeof providers[0] };

static const struct object_store_ops *find_provider(const char *text, size_t n)
{
    for (size_t i = 0; i < PROVIDERS; i++) {
        const char *scheme = providers[i]->scheme;

        if (strlen(scheme) == n && memcmp(scheme, text, n) == 0)
            return providers[i];
    }
    return NULL;
}

enum status object_location_parse(struct object_location *out, const char *text,
                                  struct error *err)
{
    struct object_location where = {.scheme = NULL};
    const struct object_store_ops *ops = NULL;
    const char *rest = strstr(text, "://");
    size_t n;

    if (rest)
        ops = find_provider(text, (size_t)(rest - text));
    if (!ops)
        return error_set(err, ST_INVALID,
                         "'%.100s' is neither s3://bucket/prefix nor "
                         "az://container/prefix",
                         text);
    where.scheme = ops->scheme;
    rest += 3;
    n = strcspn(rest, "/");
    if (n == 0 || n >= sizeof where.bucket)
        return error_set(err, ST_INVALID, "'%.100s' names no %s", text, ops->title);
    memcpy(where.bucket, rest, n);
    if (where.bucket[0] == '.' || strpbrk(where.bucket, "?#%\\ \t"))
        return error_set(err, ST_INVALID, "'%.100s' is no name for a %s", where.bucket,
                         ops->title);
    rest += n;
    rest += *rest == '/';
    if (strlen(rest) >= sizeof where.prefix)
        return error_set(err, ST_INVALID, "the prefix is longer than %zu bytes",
                         sizeof where.prefix - 1);
    strcpy(where.prefix, rest);
    *out = where;
    return ST_OK;
}

enum status object_store_open(struct object_store **out,
                              const struct object_location *where,
                              const struct object_options *options, struct error *err)
{
    const struct object_store_ops *ops = find_provider(where->scheme,
                                                       strlen(where->scheme));

    assert(ops);
    return ops->open(out, where, options, err);
}

void object_store_destroy(struct object_store **store)
{
    if (!*store)
        return;
    (*store)->ops->destroy(*store);
    *store = NULL;
}

const char *object_store_objection(const struct object_store *store, const char *key)
{
    return store->ops->objection ? store->ops->objection(key) : NULL;
}

enum status object_session_open(struct object_store *store, struct object_session **out,
                                struct error *err)
{
    return store->ops->session_open(store, out, err);
}

void object_session_close(struct object_session **session)
{
    if (!*session)
        return;
    (*session)->store->ops->session_close(*session);
    *session = NULL;
}

enum status object_prepare(struct object_session *session, bool create,
                           bool allow_public, struct error *err)
{
    return session->store->ops->prepare(session, create, allow_public, err);
}

enum status object_put(struct object_session *session, const char *key,
                       const struct object_description *description,
                       const struct object_body *body, struct error *err)
{
    return session->store->ops->put(session, key, description, body, err);
}

enum status object_look(struct object_session *session, const char *key,
                        struct object_description *out, struct error *err)
{
    return session->store->ops->look(session, key, out, err);
}

enum status object_is_public(struct object_session *session, const char *key,
                             bool *is_public, struct error *err)
{
    const struct object_store_ops *ops = session->store->ops;

    if (ops->is_public)
        return ops->is_public(session, key, is_public, err);
    *is_public = false;
    return ST_OK;
}

enum status object_begin(struct object_session *session, const char *key,
                         const struct object_description *description,
                         uint64_t part_bytes, char upload[OBJECT_UPLOAD_SIZE],
                         struct error *err)
{
    return session->store->ops->begin(session, key, description, part_bytes, upload,
                                      err);
}

enum status object_put_part(struct object_session *session, const char *key,
                            const char *upload, struct object_part *part,
                            const struct object_body *body, struct error *err)
{
    return session->store->ops->put_part(session, key, upload, part, body, err);
}

enum status object_parts(struct object_session *session, const char *key,
                         const char *upload, object_part_visit *visit, void *context,
                         struct error *err)
{
    return session->store->ops->parts(session, key, upload, visit, context, err);
}

enum status object_finish(struct object_session *session, const char *key,
                          const char *upload,
                          const struct object_description *description,
                          const struct object_part *parts, unsigned count,
                          struct error *err)
{
    return session->store->ops->finish(session, key, upload, description, parts, count,
                                       err);
}

enum status object_abort(struct object_session *session, const char *key,
                         const char *upload, struct error *err)
{
    return session->store->ops->abort(session, key, upload, err);
}

enum status object_uploads(struct object_session *session, const char *prefix,
                           object_upload_visit *visit, void *context, struct error *err)
{
    return session->store->ops->uploads(session, prefix, visit, context, err);
}
