/* SPDX-License-Identifier: MIT */
/*
 * Start order: signals, the door (access rules and bound sockets), store, service,
 * server, listener. Stop order, from the outside in: stop accepting, refuse new
 * uploads, let what is under way finish until the deadline, stop the event loops, then
 * the jobs that commit, close the store.
 */
#include "receiver/serve.h"

#include "common/descriptors.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/options.h"
#include "common/signals.h"
#include "receiver/access.h"
#include "receiver/listener.h"
#include "receiver/pulse.h"
#include "receiver/serve_config.h"
#include "receiver/unix_socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct daemon {
    struct notify notify;
    struct metrics metrics;
    struct access access;
    struct store *store;
    struct service *service;
    struct server *server;
    struct listener *listener;
};

static unsigned event_loops(const struct serve_config *config)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (config->threads > 0)
        return (unsigned)config->threads;
    return cpus > 2 ? (unsigned)cpus : 2;
}

static enum status open_store(struct daemon *daemon, const struct serve_config *config,
                              struct error *err)
{
    unsigned swept = 0;
    enum status st = store_open(&daemon->store, config->directory, &swept, err);

    if (st == ST_OK && swept > 0)
        log_event(LOG_WARN, "swept", LOG_FIELDS(log_number("count", swept)),
                  "swept %u unfinished uploads left by a crash", swept);
    return st;
}

/* Before anything else: who must not be let in is not even heard. */
static enum status open_door(struct daemon *daemon, const struct serve_config *config,
                             struct error *err)
{
    enum status st = access_open(&daemon->access, &config->access, err);

    if (st == ST_OK)
        st = listener_open(&daemon->listener, config->address, (uint16_t)config->port,
                           err);
    if (st == ST_OK)
        st = access_allow(&daemon->access, listener_address(daemon->listener),
                          listener_local(daemon->listener), err);
    return st;
}

static void raise_descriptors(const struct serve_config *config)
{
    enum { OTHERS = 512 }; /* the store, the event loops, lingering connections */
    uint64_t wanted = config->max_connections * 2 + OTHERS; /* each has a file open */
    uint64_t limit = descriptors_raise();

    if (limit < wanted)
        log_event(LOG_WARN, "descriptors",
                  LOG_FIELDS(log_number("limit", limit), log_number("wanted", wanted)),
                  "%llu connections may need %llu descriptors, but the limit is %llu",
                  (unsigned long long)config->max_connections,
                  (unsigned long long)wanted, (unsigned long long)limit);
}

static enum status serve(struct daemon *daemon, const struct serve_config *config,
                         struct error *err)
{
    const struct service_config service = {
        .auth = daemon->access.auth,
        .metrics = &daemon->metrics,
        .rules = {.digest = (enum digest_policy)config->digest,
                  .max_blob_bytes = config->max_blob_bytes},
        .durability = (enum durability)config->durability,
        .space = {.max_inflight_bytes = config->max_inflight_bytes,
                  .min_free_bytes = config->min_free_bytes},
    };
    const struct server_config server = {
        .tls = daemon->access.tls,
        .metrics = &daemon->metrics,
        .threads = event_loops(config),
        .census = {.max = (unsigned)config->max_connections,
                   .max_per_peer = (unsigned)config->max_connections_per_ip},
        .idle_timeout_s = (unsigned)((config->idle_timeout_ms + 999) / 1000),
        .min_rate = config->min_rate,
        .rate_window_ms = config->min_rate_window_ms,
        .max_header_bytes = (size_t)config->max_header_bytes,
    };
    enum status st;

    raise_descriptors(config);
    st = open_store(daemon, config, err);
    if (st == ST_OK)
        st = service_start(&daemon->service, daemon->store, &service, err);
    if (st == ST_OK)
        st = server_start(&daemon->server, daemon->service, &server, err);
    if (st == ST_OK)
        st = listener_start(daemon->listener, daemon->server, err);
    return st;
}

static void stop(struct daemon *daemon)
{
    listener_close(&daemon->listener);
    server_stop(&daemon->server);
    service_stop(&daemon->service);
    store_close(&daemon->store);
    access_close(&daemon->access);
}

static void format_url(char *out, size_t size, const struct daemon *daemon)
{
    const char *address = listener_address(daemon->listener);
    bool v6 = strchr(address, ':') != NULL;

    if (unix_socket_path(address))
        snprintf(out, size, "%s", address);
    else
        snprintf(out, size, v6 ? "%s://[%s]:%u" : "%s://%s:%u",
                 daemon->access.tls ? "https" : "http", address,
                 listener_port(daemon->listener));
}

static void announce(const struct daemon *daemon, const struct serve_config *config)
{
    unsigned port = listener_port(daemon->listener);
    const char *durability = durability_names[config->durability];
    const char *digest = digest_policy_names[config->digest];
    const char *access = access_describe(&daemon->access);
    char url[512];

    format_url(url, sizeof(url), daemon);
    notify_ready(&daemon->notify, "Listening on %s", url);
    log_event(LOG_INFO, "listening",
              LOG_FIELDS(log_text("address", listener_address(daemon->listener)),
                         log_number("port", port), log_text("dir", config->directory),
                         log_text("durability", durability), log_text("digest", digest),
                         log_text("access", access)),
              "listening on %s, storing in %s, durability %s, digest %s, access %s",
              url, config->directory, durability, digest, access);
}

static void reload(struct daemon *daemon)
{
    struct error err;
    char url[512];

    notify_reloading(&daemon->notify);
    if (log_reopen(&err) != ST_OK)
        log_event(LOG_ERROR, "log", NULL, "%s", err.text);
    else
        log_event(LOG_INFO, "reopened", NULL, "log reopened");
    access_reload(&daemon->access);
    format_url(url, sizeof(url), daemon);
    notify_ready(&daemon->notify, "Listening on %s", url);
}

/* The watchdog is told only what was found out by asking every event loop. */
static void reassure(struct daemon *daemon, const struct serve_config *config)
{
    uint64_t patience_ms = daemon->notify.watchdog_ms;

    if (pulse_feel(daemon->listener, event_loops(config), patience_ms))
        notify_alive(&daemon->notify);
    else
        log_event(
            LOG_ERROR, "hanging", LOG_FIELDS(log_number("ms", patience_ms)),
            "an event loop has not answered for %llu ms: the watchdog is not told "
            "that all is well",
            (unsigned long long)patience_ms);
}

/* Until the first SIGINT or SIGTERM. */
static int wait_for_stop(struct daemon *daemon, const struct serve_config *config,
                         int signals)
{
    int patience_ms = -1;

    if (daemon->notify.watchdog_ms > 0)
        patience_ms = (int)(daemon->notify.watchdog_ms / 2);
    for (;;) {
        struct pollfd polled = {.fd = signals, .events = POLLIN};
        int number;

        if (poll(&polled, 1, patience_ms) < 0 && errno != EINTR)
            return SIGTERM;
        while ((number = signals_take(signals)) != 0) {
            if (number != SIGHUP)
                return number;
            reload(daemon);
        }
        if (patience_ms > 0) /* also when signals come too fast for a timeout */
            reassure(daemon, config);
    }
}

static void drain(struct daemon *daemon, const struct serve_config *config, int number)
{
    unsigned left;

    log_event(LOG_INFO, "stopping", LOG_FIELDS(log_text("signal", strsignal(number))),
              "%s: finishing what is under way", strsignal(number));
    signals_surrender(SIGNALS_ECHO_MS);
    notify_stopping(&daemon->notify, "Finishing what is under way");
    listener_close(&daemon->listener);
    service_drain(daemon->service);
    left = server_drain(daemon->server, config->shutdown_timeout_ms);
    if (left > 0)
        log_event(LOG_WARN, "cut", LOG_FIELDS(log_number("requests", left)),
                  "cutting %u requests that did not finish in time", left);
}

static int run(const struct serve_config *config)
{
    static struct daemon daemon; /* its histograms are too much for a stack */
    struct error err;
    int signals = -1;
    bool misused;
    enum status st;

    notify_open(&daemon.notify);
    st = signals_open(&signals, &err);
    if (st == ST_OK)
        st = open_door(&daemon, config, &err);
    misused = st == ST_INVALID;
    if (st == ST_OK)
        st = serve(&daemon, config, &err);
    if (st == ST_OK) {
        announce(&daemon, config);
        drain(&daemon, config, wait_for_stop(&daemon, config, signals));
    } else {
        log_event(LOG_ERROR, "failed", NULL, "cannot start: %s", err.text);
    }
    stop(&daemon);
    notify_close(&daemon.notify);
    if (signals >= 0)
        close(signals);
    if (st == ST_OK)
        log_event(LOG_INFO, "stopped", NULL, "stopped");
    if (st == ST_OK)
        return EXIT_SUCCESS;
    return misused ? EXIT_USAGE : EXIT_INCOMPLETE;
}

int serve_main(int argc, char **argv)
{
    struct serve_config config;
    struct error err;
    enum status st;
    int status;

    st = serve_config_parse(argc, argv, &config, &err);
    if (st == ST_END)
        return EXIT_SUCCESS;
    if (st != ST_OK) {
        fprintf(stderr, "blob-receiver: %s\n", err.text);
        return st == ST_INVALID ? EXIT_USAGE : EXIT_INCOMPLETE;
    }
    st = log_open(&(struct log_config){.program = "receiver",
                                       .file = config.log_file,
                                       .level = (enum log_level)config.log_level,
                                       .format = (enum log_format)config.log_format},
                  &err);
    if (st != ST_OK || sodium_init() < 0) {
        fprintf(stderr, "blob-receiver: %s\n",
                st != ST_OK ? err.text : "libsodium cannot start");
        return EXIT_INCOMPLETE;
    }
    status = run(&config);
    log_close();
    return status;
}
