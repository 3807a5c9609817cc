/* SPDX-License-Identifier: MIT */
#include "receiver/route.h"

#include <string.h>
#include <strings.h>

static const struct resource {
    const char *path;
    bool with_id; /* "<path>/<uuid>" */
    const char *allow;
    struct {
        const char *method;
        enum route route;
    } method[3];
} resources[] = {
    {"/blobs",
     false,
     "GET, HEAD, POST",
     {{"POST", ROUTE_UPLOAD}, {"GET", ROUTE_LIST}, {"HEAD", ROUTE_LIST}}},
    {"/blobs",
     true,
     "GET, HEAD, PUT",
     {{"PUT", ROUTE_UPLOAD}, {"GET", ROUTE_DOWNLOAD}, {"HEAD", ROUTE_DOWNLOAD}}},
    {"/healthz", false, "GET, HEAD", {{"GET", ROUTE_HEALTH}, {"HEAD", ROUTE_HEALTH}}},
    {"/readyz", false, "GET, HEAD", {{"GET", ROUTE_READY}, {"HEAD", ROUTE_READY}}},
    {"/metrics", false, "GET, HEAD", {{"GET", ROUTE_METRICS}, {"HEAD", ROUTE_METRICS}}},
};

static const struct resource *find(const char *path, size_t n, const char **rest)
{
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        const struct resource *resource = &resources[i];
        size_t length = strlen(resource->path);

        if (n < length || strncmp(path, resource->path, length) != 0)
            continue;
        if (!resource->with_id && n == length)
            return resource;
        if (resource->with_id && n > length && path[length] == '/') {
            *rest = path + length + 1;
            return resource;
        }
    }
    return NULL;
}

static enum route method_route(const struct resource *resource, struct request *request)
{
    for (size_t i = 0; i < 3 && resource->method[i].method; i++)
        if (strcmp(resource->method[i].method, request->method) == 0)
            return resource->method[i].route;
    reply_problem(&request->reply, 405, "Method not allowed", "%.20s is not one of %s",
                  request->method, resource->allow);
    reply_header(&request->reply, "Allow", "%s", resource->allow);
    return ROUTE_NONE;
}

/* The absolute form, which proxies are sent, must be understood, too (RFC 9112, 3.2.2).
 */
static const char *path_of(const char *target)
{
    const char *authority, *path;

    if (strncasecmp(target, "http://", 7) != 0 &&
        strncasecmp(target, "https://", 8) != 0)
        return target;
    authority = strstr(target, "://") + 3;
    path = authority + strcspn(authority, "/?");
    return *path == '/' ? path : "/";
}

struct route_match route_find(struct request *request)
{
    const char *path = path_of(request->target);
    size_t n = strcspn(path, "?");
    struct route_match match = {.route = ROUTE_NONE};
    const struct resource *resource;
    const char *id = NULL;

    if (path[n] == '?')
        match.query = path + n + 1;
    resource = find(path, n, &id);
    if (!resource) {
        reply_problem(
            &request->reply, 404, "No such resource",
            "'%.100s' is neither /blobs, /blobs/<uuid>, /healthz, /readyz nor "
            "/metrics",
            request->target);
        return match;
    }
    if (id && !uuid_parse(id, (size_t)(path + n - id), &match.id)) {
        reply_problem(&request->reply, 400, "Invalid id", "'%.80s' is not a UUID", id);
        return match;
    }
    match.has_id = id != NULL;
    match.route = method_route(resource, request);
    return match;
}
