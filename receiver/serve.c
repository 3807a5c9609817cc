/* SPDX-License-Identifier: MIT */
/*
 * Start order: signals, store, service, server, listener. Stop order, from the outside
 * in: stop accepting, refuse new uploads, let what is under way finish until the
 * deadline, stop the event loops, stop the committer, close the store.
 */
#include "receiver/serve.h"

#include "common/log.h"
#include "common/notify.h"
#include "common/options.h"
#include "common/signals.h"
#include "receiver/access.h"
#include "receiver/descriptors.h"
#include "receiver/listener.h"
#include "receiver/pulse.h"
#include "receiver/unix_socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config {
    const char *address;
    uint64_t port;
    const char *directory;
    struct access_config access;
    unsigned digest;
    unsigned durability;
    uint64_t max_blob_bytes;
    uint64_t threads;
    uint64_t max_connections;
    uint64_t max_connections_per_ip;
    uint64_t idle_timeout_ms;
    uint64_t min_rate;
    uint64_t min_rate_window_ms;
    uint64_t max_header_bytes;
    uint64_t max_inflight_bytes;
    uint64_t min_free_bytes;
    uint64_t shutdown_timeout_ms;
    const char *log_file;
    unsigned log_format;
    unsigned log_level;
};

#define AT(member) offsetof(struct config, member)

static const struct option_spec specs[] = {
    {.name = "address",
     .letter = 'a',
     .type = OPTION_TEXT,
     .offset = AT(address),
     .value_name = "ADDRESS",
     .preset = "127.0.0.1",
     .help = "name or number of the address to listen on, or unix:PATH"},
    {.name = "port",
     .letter = 'p',
     .type = OPTION_COUNT,
     .offset = AT(port),
     .value_name = "PORT",
     .preset = "8000",
     .max = 65535,
     .help = "port to listen on; 0 picks a free one, which the log names"},
    {.name = "dir",
     .letter = 'd',
     .type = OPTION_TEXT,
     .offset = AT(directory),
     .value_name = "DIR",
     .preset = "blobs",
     .help = "where blobs are kept"},
    {.name = "token-file",
     .type = OPTION_TEXT,
     .offset = AT(access.token_file),
     .value_name = "FILE",
     .help = "ask for a bearer token of this file, whose lines are NAME "
             "read|write|read,write TOKEN"},
    {.name = "tls-cert",
     .type = OPTION_TEXT,
     .offset = AT(access.tls_cert),
     .value_name = "FILE",
     .help = "speak TLS with this certificate (PEM, with its chain)"},
    {.name = "tls-key",
     .type = OPTION_TEXT,
     .offset = AT(access.tls_key),
     .value_name = "FILE",
     .help = "its key, unless that is in the same file"},
    {.name = "tls-client-ca",
     .type = OPTION_TEXT,
     .offset = AT(access.tls_client_ca),
     .value_name = "FILE",
     .help = "ask for a client certificate that one of these authorities signed"},
    {.name = "insecure-open",
     .type = OPTION_FLAG,
     .offset = AT(access.insecure_open),
     .help = "let whoever can reach the address read and write"},
    {.name = "digest",
     .type = OPTION_CHOICE,
     .offset = AT(digest),
     .value_name = "POLICY",
     .preset = "required",
     .choices = digest_policy_names,
     .help = "whether an upload must bring its digest: required, optional (verified "
             "when there) or ignore"},
    {.name = "durability",
     .type = OPTION_CHOICE,
     .offset = AT(durability),
     .value_name = "LEVEL",
     .preset = "strict",
     .choices = durability_names,
     .help = "what an acknowledged blob survives: strict (a power cut) or relaxed (a "
             "crash of this program)"},
    {.name = "max-blob-size",
     .type = OPTION_SIZE,
     .offset = AT(max_blob_bytes),
     .value_name = "SIZE",
     .preset = "16GiB",
     .min = 1,
     .max = INT64_MAX,
     .help = "larger blobs are refused"},
    {.name = "threads",
     .type = OPTION_COUNT,
     .offset = AT(threads),
     .value_name = "N",
     .preset = "0",
     .max = 256,
     .help = "event loops; 0: one for each CPU, at least two"},
    {.name = "max-connections",
     .type = OPTION_COUNT,
     .offset = AT(max_connections),
     .value_name = "N",
     .preset = "4096",
     .min = 1,
     .max = 1000000,
     .help = "more connections than this are answered with 503"},
    {.name = "max-connections-per-ip",
     .type = OPTION_COUNT,
     .offset = AT(max_connections_per_ip),
     .value_name = "N",
     .preset = "0",
     .max = 1000000,
     .help = "the same for one IPv4 address or IPv6 /64; 0: no limit of its own"},
    {.name = "idle-timeout",
     .type = OPTION_DURATION,
     .offset = AT(idle_timeout_ms),
     .value_name = "TIME",
     .preset = "75s",
     .min = 1000,
     .max = 86400000,
     .help = "a connection silent for this long is closed"},
    {.name = "min-rate",
     .type = OPTION_SIZE,
     .offset = AT(min_rate),
     .value_name = "SIZE",
     .preset = "512B",
     .max = UINT64_C(1) << 30,
     .help = "bytes per second that a body, or an answer being read, must move over a "
             "window; slower ones, and heads longer in coming than a window, are cut "
             "off; 0: never"},
    {.name = "min-rate-window",
     .type = OPTION_DURATION,
     .offset = AT(min_rate_window_ms),
     .value_name = "TIME",
     .preset = "10s",
     .min = 100,
     .max = 3600000,
     .help = "the window of --min-rate"},
    {.name = "max-header-size",
     .type = OPTION_SIZE,
     .offset = AT(max_header_bytes),
     .value_name = "SIZE",
     .preset = "16KiB",
     .min = 1024,
     .max = 48 * 1024,
     .help = "a request with a longer head is refused with 431"},
    {.name = "max-inflight-bytes",
     .type = OPTION_SIZE,
     .offset = AT(max_inflight_bytes),
     .value_name = "SIZE",
     .preset = "0",
     .max = INT64_MAX,
     .help = "uploads under way may together announce, or have sent, this much; "
             "further ones are answered with 503, and one alone may be larger; 0: no "
             "limit"},
    {.name = "min-free",
     .type = OPTION_SIZE,
     .offset = AT(min_free_bytes),
     .value_name = "SIZE",
     .preset = "1MiB",
     .max = INT64_MAX / 2,
     .help = "uploads that would leave less than this on the disk are refused with "
             "507"},
    {.name = "shutdown-timeout",
     .type = OPTION_DURATION,
     .offset = AT(shutdown_timeout_ms),
     .value_name = "TIME",
     .preset = "30s",
     .max = 86400000,
     .help = "how long uploads under way may take to finish after SIGTERM"},
    {.name = "log-file",
     .letter = 'f',
     .type = OPTION_TEXT,
     .offset = AT(log_file),
     .value_name = "FILE",
     .help = "append the log to this file instead of stderr"},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .offset = AT(log_format),
     .value_name = "FORMAT",
     .preset = "text",
     .choices = log_format_names,
     .help = "text or json"},
    {.name = "log-level",
     .type = OPTION_CHOICE,
     .offset = AT(log_level),
     .value_name = "LEVEL",
     .preset = "info",
     .choices = log_level_names,
     .help = "error, warn, info or debug"},
};

static const struct option_set options = {
    .program = "blob-receiver",
    .verb = "serve",
    .env_prefix = "BLOB_RECEIVER",
    .about = "Accepts blobs over HTTP, verifies their SHA-256 while they arrive, and "
             "acknowledges them once they are safely on disk.",
    .epilog =
        "Send one:\n"
        "  curl -H \"X-SHA256: $(sha256sum <FILE | cut -c1-64)\" \\\n"
        "       --data-binary @FILE http://127.0.0.1:8000/blobs\n\n"
        "SIGINT and SIGTERM finish what is under way, then exit with 0; SIGHUP reads "
        "tokens\nand certificates again and reopens the log file.\n\n"
        "A FILE without a slash is looked for in $CREDENTIALS_DIRECTORY first.\n\n"
        "Exit status: 0 stopped as asked, 1 could not start, 2 bad usage.\n",
    .specs = specs,
    .count = sizeof(specs) / sizeof(specs[0]),
};

struct daemon {
    struct notify notify;
    struct metrics metrics;
    struct access access;
    struct store *store;
    struct service *service;
    struct server *server;
    struct listener *listener;
};

static unsigned event_loops(const struct config *config)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (config->threads > 0)
        return (unsigned)config->threads;
    return cpus > 2 ? (unsigned)cpus : 2;
}

static enum status open_store(struct daemon *daemon, const struct config *config,
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
static enum status open_door(struct daemon *daemon, const struct config *config,
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

static enum status serve(struct daemon *daemon, const struct config *config,
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

    descriptors_raise((unsigned)config->max_connections);
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

static void announce(const struct daemon *daemon, const struct config *config)
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
static void reassure(struct daemon *daemon, const struct config *config)
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
static int wait_for_stop(struct daemon *daemon, const struct config *config,
                         int signals)
{
    int patience_ms = -1;

    if (daemon->notify.watchdog_ms > 0)
        patience_ms = (int)(daemon->notify.watchdog_ms / 2);
    for (;;) {
        struct pollfd polled = {.fd = signals, .events = POLLIN};
        int ready = poll(&polled, 1, patience_ms), number;

        if (ready < 0 && errno != EINTR)
            return SIGTERM;
        if (ready == 0)
            reassure(daemon, config);
        while ((number = signals_take(signals)) != 0) {
            if (number != SIGHUP)
                return number;
            reload(daemon);
        }
    }
}

static void drain(struct daemon *daemon, const struct config *config, int number)
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

static int run(const struct config *config)
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
    struct config config = {0};
    struct error err;
    enum status st;
    int operand, status;

    st = options_parse(&options, argc, argv, &config, &operand, &err);
    if (st == ST_END)
        return EXIT_SUCCESS;
    if (st == ST_OK)
        st = access_check_options(&config.access, &err);
    if (st != ST_OK) {
        fprintf(stderr, "blob-receiver: %s\n", err.text);
        return EXIT_USAGE;
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
