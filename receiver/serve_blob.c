/* SPDX-License-Identifier: MIT */
#include "receiver/serve_blob.h"

#include "common/http_date.h"
#include "common/http_range.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether a list of entity tags names ours. A weak one matches only where the
 * comparison may be weak (RFC 9110, section 8.8.3.2). */
static bool etag_listed(const char *list, const char *hex, bool weak_too)
{
    while (*list) {
        const char *close;
        bool weak;

        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        weak = strncmp(list, "W/", 2) == 0;
        list += weak ? 2 : 0;
        if (*list != '"' || !(close = strchr(list + 1, '"')))
            return false;
        if ((size_t)(close - list - 1) == strlen(hex) &&
            memcmp(list + 1, hex, strlen(hex)) == 0 && (weak_too || !weak))
            return true;
        list = close + 1;
    }
    return false;
}

/* RFC 9110, section 13.2.2. Returns 0 to go on, else 304 or 412. */
static int check_conditions(const struct request *request, const struct blob_info *info,
                            const char *hex)
{
    const char *since = request_header(request, "If-Modified-Since");
    char match[1024], none_match[1024];
    int64_t seconds;

    if (request_list(request, "If-Match", false, match, sizeof(match)) &&
        !etag_listed(match, hex, false))
        return 412;
    if (request_list(request, "If-None-Match", false, none_match, sizeof(none_match)))
        return etag_listed(none_match, hex, true) ? 304 : 0;
    if (since && http_date_parse(since, &seconds) && info->modified_s <= seconds)
        return 304;
    return 0;
}

/* A range is honoured only for the representation the client began with. */
static bool range_applies(const struct request *request, const struct blob_info *info,
                          const char *hex)
{
    const char *if_range = request_header(request, "If-Range");
    char date[HTTP_DATE_SIZE];

    if (!if_range)
        return true;
    if (*if_range == '"')
        return etag_listed(if_range, hex, false);
    return strcmp(if_range, http_date_format(date, info->modified_s)) == 0;
}

static void add_validators(struct reply *reply, const struct blob_info *info,
                           const char *hex)
{
    char text[DIGEST_FIELD_TEXT_SIZE], date[HTTP_DATE_SIZE];

    reply_header(reply, "ETag", "\"%s\"", hex);
    reply_header(reply, "Repr-Digest", "%s", digest_field_format(text, &info->digest));
    reply_header(reply, "Last-Modified", "%s",
                 http_date_format(date, info->modified_s));
    reply_header(reply, "Accept-Ranges", "bytes");
}

/* Takes fd when the answer has a body. */
static void answer_range(struct request *request, const struct blob_info *info,
                         const char *hex, int *fd)
{
    const char *range = request_header(request, "Range");
    struct http_range part = {0, info->size > 0 ? info->size - 1 : 0};
    enum http_range_verdict verdict = HTTP_RANGE_WHOLE;
    struct reply *reply = &request->reply;

    if (range && strcmp(request->method, "GET") == 0 &&
        range_applies(request, info, hex))
        verdict = http_range_parse(range, strlen(range), info->size, &part);
    if (verdict == HTTP_RANGE_MALFORMED) {
        reply_problem(reply, 400, "Malformed range", "'%s' is not a byte range", range);
        return;
    }
    if (verdict == HTTP_RANGE_UNSATISFIABLE) {
        reply_problem(reply, 416, "Range not satisfiable",
                      "'%s' is outside of the blob's %llu bytes", range,
                      (unsigned long long)info->size);
        reply_header(reply, "Content-Range", "bytes */%llu",
                     (unsigned long long)info->size);
        return;
    }
    reply->status = verdict == HTTP_RANGE_ONE ? 206 : 200;
    if (verdict == HTTP_RANGE_ONE)
        reply_header(reply, "Content-Range", "bytes %llu-%llu/%llu",
                     (unsigned long long)part.first, (unsigned long long)part.last,
                     (unsigned long long)info->size);
    add_validators(reply, info, hex);
    reply_header(reply, "Content-Type", "%s", info->type);
    reply_header(reply, "X-Content-Type-Options", "nosniff");
    reply->offset = part.first;
    reply->file_length = info->size > 0 ? part.last - part.first + 1 : 0;
    reply->fd = *fd;
    *fd = -1;
}

static void answer(struct request *request, const struct blob_info *info, int fd)
{
    struct reply *reply = &request->reply;
    char hex[SHA256_HEX_SIZE];
    int condition;

    sha256_to_hex(hex, &info->digest);
    condition = check_conditions(request, info, hex);
    if (condition == 304) {
        reply->status = 304;
        add_validators(reply, info, hex);
        reply->fd = fd; /* for its length only: a 304 has no content */
        reply->offset = 0;
        reply->file_length = info->size;
        fd = -1;
    } else if (condition == 412) {
        reply_problem(reply, 412, "Precondition failed",
                      "If-Match does not name this blob");
    } else {
        answer_range(request, info, hex, &fd);
    }
    if (fd >= 0)
        close(fd);
}

static bool open_blob(struct store *store, const struct uuid *id, int *fd,
                      struct blob_info *info, struct request *request)
{
    char text[UUID_TEXT_SIZE];
    struct error err;
    enum status st;

    st = store_find(store, id, fd, info, &err);
    if (st == ST_END)
        reply_problem(&request->reply, 404, "No such blob", "nothing is stored as %s",
                      uuid_format(text, id));
    else if (st != ST_OK)
        reply_storage_failure(&request->reply, &err);
    return st == ST_OK;
}

bool serve_blob(struct store *store, const struct uuid *id, struct request *request)
{
    struct blob_info info;
    int fd;

    if (!open_blob(store, id, &fd, &info, request))
        return true;
    if (!info.has_digest) {
        close(fd);
        return false;
    }
    answer(request, &info, fd);
    return true;
}

void serve_blob_slow(struct store *store, const struct uuid *id,
                     struct request *request)
{
    struct blob_info info;
    struct error err;
    int fd;

    if (!open_blob(store, id, &fd, &info, request))
        return;
    if (!info.has_digest && blob_file_digest(fd, &info.digest, &err) != ST_OK) {
        reply_storage_failure(&request->reply, &err);
        close(fd);
        return;
    }
    /* On a read-only store it is computed again next time. */
    if (!info.has_digest && blob_file_remember_digest(fd, &info.digest, &err) == ST_OK)
        info.has_digest = true;
    answer(request, &info, fd);
}
