/* SPDX-License-Identifier: MIT */
/* stored -- a store in a scratch directory, and blobs for it. */
#ifndef TESTS_UNIT_STORED_H
#define TESTS_UNIT_STORED_H

#include "receiver/store.h"
#include "scratch.h"
#include "upload.h"

#include <string.h>

static inline struct store *stored_open(const struct scratch *scratch)
{
    struct store *store = NULL;
    struct error err = {.text = ""};
    unsigned swept;

    ck_assert_msg(store_open(&store, scratch->path, &swept, &err) == ST_OK, "%s",
                  err.text);
    return store;
}

static inline struct uuid stored_id(const char *text)
{
    struct uuid id;

    ck_assert_msg(uuid_parse(text, strlen(text), &id), "%s is no UUID", text);
    return id;
}

/* A hidden file with this content and its digest. */
static inline struct durable_file *stored_file(struct store *store, const char *text)
{
    struct blob_info info = {.digest = upload_digest(text, strlen(text)),
                             .has_digest = true,
                             .type = "text/plain"};
    struct durable_file *file = NULL;
    struct error err;

    ck_assert_int_eq(store_create_file(store, &file, &err), ST_OK);
    ck_assert_int_eq(durable_file_write(file, text, strlen(text), &err), ST_OK);
    ck_assert_int_eq(blob_file_describe(file, &info, &err), ST_OK);
    return file;
}

static inline void stored_put(struct store *store, const char *id, const char *text)
{
    struct durable_file *file = stored_file(store, text);
    const struct uuid name = stored_id(id);
    struct error err = {.text = ""};

    ck_assert_msg(store_publish(store, &file, &name, &err) == ST_OK, "%s", err.text);
}

/* How many blobs the store lists. */
static inline size_t stored_count(struct store *store)
{
    static struct uuid ids[1024];
    struct error err;
    size_t count = 0;

    ck_assert_int_eq(store_list(store, NULL, ids, 1024, &count, &err), ST_OK);
    return count;
}

static inline bool stored_has(struct store *store, const struct uuid *id,
                              const char *text)
{
    const struct sha256_digest digest = upload_digest(text, strlen(text));
    struct sha256_digest found;
    struct blob_info info;
    struct error err;
    int fd;

    if (store_find(store, id, &fd, &info, &err) != ST_OK)
        return false;
    ck_assert_int_eq(blob_file_digest(fd, &found, &err), ST_OK);
    close(fd);
    return info.has_digest && sha256_equal(&info.digest, &digest) &&
           sha256_equal(&found, &digest) && info.size == strlen(text);
}

#endif
