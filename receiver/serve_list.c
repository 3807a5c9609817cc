/* SPDX-License-Identifier: MIT */
#include "common/units.h"
#include "receiver/blob_json.h"
#include "receiver/serve_blob.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 1000,
};

struct list_query {
    uint64_t limit;
    bool has_after;
    struct uuid after;
};

static bool read_pair(struct list_query *query, const char *pair, size_t n)
{
    char limit[8];

    if (n > 6 && strncmp(pair, "after=", 6) == 0) {
        query->has_after = true;
        return uuid_parse(pair + 6, n - 6, &query->after);
    }
    if (n <= 6 || n - 6 >= sizeof(limit) || strncmp(pair, "limit=", 6) != 0)
        return false;
    memcpy(limit, pair + 6, n - 6);
    limit[n - 6] = '\0';
    return units_parse_count(limit, &query->limit) && query->limit >= 1 &&
           query->limit <= LIMIT_MAX;
}

static bool read_query(struct list_query *query, const char *text, struct reply *reply)
{
    query->limit = LIMIT_DEFAULT;
    query->has_after = false;
    while (text && *text) {
        size_t n = strcspn(text, "&");

        if (!read_pair(query, text, n)) {
            reply_problem(reply, 400, "Invalid query",
                          "'%.*s' is neither limit=1..1000 nor after=<uuid>",
                          (int)(n < 80 ? n : 80), text);
            return false;
        }
        text += n + (text[n] == '&');
    }
    return true;
}

/* A blob that went away since it was listed is left out. */
static enum status add_blob(struct json *json, struct store *store,
                            const struct uuid *id, struct error *err)
{
    struct blob_info info;
    enum status st;
    int fd;

    st = store_find(store, id, &fd, &info, err);
    if (st != ST_OK)
        return st == ST_END ? ST_OK : st;
    close(fd);
    blob_json(json, id, &info);
    return ST_OK;
}

static void write_list(struct store *store, const struct uuid *ids, size_t count,
                       bool more, struct reply *reply)
{
    size_t size = (count + 1) * BLOB_JSON_SIZE;
    char *text = malloc(size), id[UUID_TEXT_SIZE];
    enum status st = ST_OK;
    struct error err;
    struct json json;

    if (!text) {
        reply_problem(reply, 503, "Cannot list right now", "out of memory");
        return;
    }
    json_init(&json, text, size);
    json_open(&json, NULL, '{');
    json_open(&json, "blobs", '[');
    for (size_t i = 0; st == ST_OK && i < count; i++)
        st = add_blob(&json, store, &ids[i], &err);
    if (st != ST_OK) {
        free(text);
        reply_problem(reply, 500, "Storage failed", "%s", err.text);
        return;
    }
    json_close(&json, ']');
    if (more)
        json_string(&json, "next", uuid_format(id, &ids[count - 1]));
    json_close(&json, '}');
    reply->text = text;
    reply_json(reply, 200, &json);
}

void serve_list_slow(struct store *store, const char *query, struct request *request)
{
    struct list_query wanted;
    struct error err;
    struct uuid *ids;
    size_t count;

    if (!read_query(&wanted, query, &request->reply))
        return;
    ids = malloc((wanted.limit + 1) * sizeof(*ids));
    if (!ids) {
        reply_problem(&request->reply, 503, "Cannot list right now", "out of memory");
        return;
    }
    /* One more than wanted tells whether there is a next page. */
    if (store_list(store, wanted.has_after ? &wanted.after : NULL, ids,
                   wanted.limit + 1, &count, &err) != ST_OK)
        reply_storage_failure(&request->reply, &err);
    else
        write_list(store, ids, count < wanted.limit ? count : wanted.limit,
                   count > wanted.limit, &request->reply);
    free(ids);
}
