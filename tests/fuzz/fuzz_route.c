/* SPDX-License-Identifier: MIT */
#include "receiver/route.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "get"};

/* An id that is found stands in the target, whole and between a slash and the end. */
static void check_id(const struct request *request, const struct route_match *match)
{
    size_t n = strcspn(request->target, "?");
    struct uuid id;

    REQUIRE(n > UUID_TEXT_SIZE - 1);
    n -= UUID_TEXT_SIZE - 1;
    REQUIRE(request->target[n - 1] == '/');
    REQUIRE(uuid_parse(request->target + n, UUID_TEXT_SIZE - 1, &id));
    REQUIRE(uuid_compare(&id, &match->id) == 0);
}

static void check_reply(const struct reply *reply)
{
    char wire[REPLY_BODY_SIZE + 512], detail[REPLY_BODY_SIZE];

    REQUIRE(reply->status == 400 || reply->status == 404 || reply->status == 405);
    REQUIRE(
        json_find_string(reply->body, reply->length, "detail", detail, sizeof(detail)));
    REQUIRE(reply_serialize(reply, wire, sizeof(wire)) > reply->length);
}

/* The first byte chooses the method, the rest is the target. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request request;
    struct route_match match;

    if (size < 1 || size > REQUEST_TARGET_SIZE)
        return 0;
    reply_init(&request.reply);
    request.method = methods[data[0] % (sizeof(methods) / sizeof(methods[0]))];
    memcpy(request.target, data + 1, size - 1);
    request.target[size - 1] = '\0';

    match = route_find(&request);
    if (match.query)
        REQUIRE(match.query > request.target && match.query[-1] == '?');
    if (match.route == ROUTE_NONE)
        check_reply(&request.reply);
    else
        REQUIRE(request.reply.status == 0);
    if (match.has_id)
        check_id(&request, &match);
    return 0;
}
