/* SPDX-License-Identifier: MIT */
/*
 * route -- which resource a target names, and what may be done with it.
 *
 * Targets are matched byte for byte, undecoded: an id is a UUID or it is nothing, so no
 * text from the network can ever become part of a path.
 * Threads: pure functions.
 */
#ifndef RECEIVER_ROUTE_H
#define RECEIVER_ROUTE_H

#include "common/uuid.h"
#include "receiver/request.h"

enum route {
    ROUTE_NONE,     /* request->reply is set: 400, 404 or 405 */
    ROUTE_UPLOAD,   /* POST /blobs, PUT /blobs/<uuid> */
    ROUTE_DOWNLOAD, /* GET or HEAD /blobs/<uuid> */
    ROUTE_LIST,     /* GET or HEAD /blobs */
    ROUTE_HEALTH,   /* GET or HEAD /healthz */
    ROUTE_READY,    /* GET or HEAD /readyz */
    ROUTE_METRICS,  /* GET or HEAD /metrics */
};

struct route_match {
    enum route route;
    bool has_id;
    struct uuid id;
    const char *query; /* behind the '?' in request->target; NULL: none */
};

struct route_match route_find(struct request *request);

#endif
