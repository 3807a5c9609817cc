/* SPDX-License-Identifier: MIT */
#include "receiver/route.h"
#include "unit.h"

#include <string.h>

#define ID "01939f2b-7c3a-7def-8abc-0123456789ab"

static struct request request_for(const char *method, const char *target)
{
    struct request request = {.method = method};

    reply_init(&request.reply);
    ck_assert_uint_lt(strlen(target), sizeof request.target);
    strcpy(request.target, target);
    return request;
}

static const char *header_of(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->headers; i++)
        if (strcmp(reply->header[i].name, name) == 0)
            return reply->header[i].value;
    return NULL;
}

static const struct {
    const char *method, *target;
    enum route route;
    bool has_id;
    const char *query;
} found[] = {
    {"POST", "/blobs", ROUTE_UPLOAD, false, NULL},
    {"GET", "/blobs", ROUTE_LIST, false, NULL},
    {"HEAD", "/blobs", ROUTE_LIST, false, NULL},
    {"GET", "/blobs?", ROUTE_LIST, false, ""},
    {"GET", "/blobs?limit=5&after=x", ROUTE_LIST, false, "limit=5&after=x"},
    {"GET", "/blobs?a?b/c", ROUTE_LIST, false, "a?b/c"},
    {"PUT", "/blobs/" ID, ROUTE_UPLOAD, true, NULL},
    {"GET", "/blobs/" ID, ROUTE_DOWNLOAD, true, NULL},
    {"HEAD", "/blobs/" ID, ROUTE_DOWNLOAD, true, NULL},
    {"GET", "/blobs/" ID "?x=/y", ROUTE_DOWNLOAD, true, "x=/y"},
    {"GET", "/blobs/01939F2B-7C3A-7DEF-8ABC-0123456789AB", ROUTE_DOWNLOAD, true, NULL},
    {"GET", "/healthz", ROUTE_HEALTH, false, NULL},
    {"HEAD", "/healthz", ROUTE_HEALTH, false, NULL},
    {"GET", "/readyz?verbose", ROUTE_READY, false, "verbose"},
    {"HEAD", "/readyz", ROUTE_READY, false, NULL},
    {"GET", "/metrics", ROUTE_METRICS, false, NULL},
    {"HEAD", "/metrics", ROUTE_METRICS, false, NULL},
    {"GET", "http://example.org/blobs?limit=1", ROUTE_LIST, false, "limit=1"},
    {"GET", "https://example.org:8443/blobs/" ID, ROUTE_DOWNLOAD, true, NULL},
    {"POST", "HTTP://[::1]:8000/blobs", ROUTE_UPLOAD, false, NULL},
};

START_TEST(a_target_names_its_resource)
{
    struct request request = request_for(found[_i].method, found[_i].target);
    struct route_match match = route_find(&request);
    struct uuid id;

    ck_assert_int_eq(match.route, found[_i].route);
    ck_assert_int_eq(match.has_id, found[_i].has_id);
    ck_assert_pstr_eq(match.query, found[_i].query);
    ck_assert_int_eq(request.reply.status, 0);
    ck_assert(uuid_parse(ID, strlen(ID), &id));
    if (match.has_id)
        ck_assert_int_eq(uuid_compare(&match.id, &id), 0);
}
END_TEST

static const struct {
    const char *method, *target, *allow;
} forbidden[] = {
    {"PUT", "/blobs", "GET, HEAD, POST"},
    {"DELETE", "/blobs", "GET, HEAD, POST"},
    {"post", "/blobs", "GET, HEAD, POST"},
    {"POSTS", "/blobs", "GET, HEAD, POST"},
    {"POST", "/blobs/" ID, "GET, HEAD, PUT"},
    {"DELETE", "/blobs/" ID, "GET, HEAD, PUT"},
    {"PATCH", "/blobs/" ID, "GET, HEAD, PUT"},
    {"POST", "/healthz", "GET, HEAD"},
    {"OPTIONS", "/readyz", "GET, HEAD"},
    {"POST", "/metrics", "GET, HEAD"},
    {"A-METHOD-THAT-IS-LONGER-THAN-ANY-OTHER", "/readyz", "GET, HEAD"},
};

START_TEST(another_method_is_told_which_ones_there_are)
{
    struct request request = request_for(forbidden[_i].method, forbidden[_i].target);

    ck_assert_int_eq(route_find(&request).route, ROUTE_NONE);
    ck_assert_int_eq(request.reply.status, 405);
    ck_assert_pstr_eq(header_of(&request.reply, "Allow"), forbidden[_i].allow);
}
END_TEST

static const struct {
    const char *target;
    int status;
} nowhere[] = {
    {"/", 404},
    {"*", 404},
    {"/blob", 404},
    {"/blobsx", 404},
    {"/Blobs", 404},
    {"//blobs", 404},
    {"/./blobs", 404},
    {"/%62lobs", 404},
    {"/blobs;x=1", 404},
    {"/healthz/", 404},
    {"/readyz/x", 404},
    {"?/blobs", 404},
    {"blobs", 404},
    {"http://example.org", 404},
    {"http://example.org/", 404},
    {"http://example.org?/blobs", 404},
    {"http:/blobs", 404},
    {"ftp://example.org/blobs", 404},

    {"/blobs/", 400},
    {"/blobs//", 400},
    {"/blobs/..", 400},
    {"/blobs/../blobs", 400},
    {"/blobs/%2e%2e%2f", 400},
    {"/blobs/" ID "/", 400},
    {"/blobs/" ID ".bin", 400},
    {"/blobs/ " ID, 400},
    {"/blobs/{" ID "}", 400},
    {"/blobs/01939f2b7c3a7def8abc0123456789ab", 400},
    {"/blobs/00000000-0000-0000-0000-000000000000", 400},
    {"/blobs/01939f2b-7c3a-7def-8abc-0123456789ag", 400},
};

START_TEST(whatever_else_is_nothing)
{
    struct request request = request_for("GET", nowhere[_i].target);
    struct route_match match = route_find(&request);

    ck_assert_int_eq(match.route, ROUTE_NONE);
    ck_assert(!match.has_id);
    ck_assert_msg(request.reply.status == nowhere[_i].status, "%d for %s",
                  request.reply.status, nowhere[_i].target);
}
END_TEST

START_TEST(the_longest_target_is_still_answered)
{
    struct request request = {.method = "GET"};

    reply_init(&request.reply);
    memset(request.target, '"', sizeof request.target - 1);
    memcpy(request.target, "/blobs/", 7);
    ck_assert_int_eq(route_find(&request).route, ROUTE_NONE);
    ck_assert_int_eq(request.reply.status, 400);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route");
    TCase *tcase = tcase_create("route");

    tcase_add_loop_test(tcase, a_target_names_its_resource, 0, COUNT_OF(found));
    tcase_add_loop_test(tcase, another_method_is_told_which_ones_there_are, 0,
                        COUNT_OF(forbidden));
    tcase_add_loop_test(tcase, whatever_else_is_nothing, 0, COUNT_OF(nowhere));
    tcase_add_test(tcase, the_longest_target_is_still_answered);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
