/* SPDX-License-Identifier: MIT */
/* server_private -- what server.c shares with transaction.c and with nobody else. */
#ifndef RECEIVER_SERVER_PRIVATE_H
#define RECEIVER_SERVER_PRIVATE_H

#include "receiver/census.h"
#include "receiver/lingering.h"
#include "receiver/log_limit.h"
#include "receiver/pace.h"
#include "receiver/request.h"
#include "receiver/service.h"
#include "receiver/tls.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum {
    RAW_REPLY_SIZE = 4096,

    /* Half of it is the read buffer. Pieces of 64 KiB instead of 128 cost a tenth more
     * CPU (more and smaller writes). libmicrohttpd clears all of it between two
     * requests, and so makes all of it resident: KEEP_ALIVE_MAX connections are kept
     * for another request, 64 MiB in all, and an answer ends any other. */
    CONNECTION_MEMORY = 128 * 1024,
    KEEP_ALIVE_MAX = 512,
};

struct server {
    struct MHD_Daemon *daemon;
    struct service *service;
    struct lingering *lingering;
    struct tls *tls;       /* NULL: plain HTTP */
    struct census *census; /* connections adopted and not closed */
    struct pace *pace;
    atomic_uint kept;             /* connections, not told to close */
    atomic_uint_fast64_t refused; /* connections, for the census */
    struct log_limit handshakes, drops;
    char farewell[RAW_REPLY_SIZE]; /* for those who are too slow */
    size_t max_header_bytes;
    atomic_uint working; /* suspended or about to be, and who is to resume them */
    atomic_bool closing; /* nothing may be suspended any more */
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        pthread_cond_t changed;
        unsigned requests; /* begun and not completed */
    } flight;
};

struct connection {
    struct server *server;
    char peer[REQUEST_PEER_SIZE];
    struct tls_link tls;
    struct pace_runner runner;
    bool kept;    /* counted in server.kept */
    bool lingers; /* the client may still be sending when we close */
};

#endif
