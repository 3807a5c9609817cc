/* SPDX-License-Identifier: MIT */
#include "sender/stream_config.h"

#include "common/log.h"
#include "common/log_options.h"
#include "common/options.h"
#include "common/units.h"
#include "sender/generator.h"

#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static const char *const durability_names[] = {"strict", "relaxed", NULL};

#define AT(field)       offsetof(struct stream_config, field)
#define DURATION_MAX_MS (UINT64_C(365) * 24 * 60 * 60 * 1000)
#define SIZE_MAX_BYTES  (UINT64_C(1) << 40)

enum {
    WORKERS_MAX = 1024,
    ATTEMPTS_MAX = 1000000,
    PATH_ROOM = 16, /* in a URL, for what is appended to the base */
};

static const struct option_spec specs[] = {
    {.name = "address",
     .letter = 'a',
     .type = OPTION_TEXT,
     .offset = AT(address),
     .value_name = "HOST",
     .preset = "127.0.0.1",
     .help = "where the receiver listens: a host, or unix:PATH"},
    {.name = "port",
     .letter = 'p',
     .type = OPTION_COUNT,
     .offset = AT(port),
     .value_name = "PORT",
     .preset = "8000",
     .min = 1,
     .max = 65535,
     .help = "and on which port"},
    {.name = "url",
     .type = OPTION_TEXT,
     .offset = AT(url),
     .value_name = "URL",
     .help = "base URL of the receiver, or unix:PATH, instead of --address and --port"},
    {.name = "token-file",
     .type = OPTION_TEXT,
     .offset = AT(identity.token_file),
     .value_name = "FILE",
     .help = "show the receiver the bearer token on the first line"},
    {.name = "ca-file",
     .type = OPTION_TEXT,
     .offset = AT(identity.ca_file),
     .value_name = "FILE",
     .help = "authorities to trust instead of the system's (PEM)"},
    {.name = "cert",
     .type = OPTION_TEXT,
     .offset = AT(identity.cert_file),
     .value_name = "FILE",
     .help = "show the receiver this client certificate (PEM)"},
    {.name = "key",
     .type = OPTION_TEXT,
     .offset = AT(identity.key_file),
     .value_name = "FILE",
     .help = "its key, unless that is in the same file"},
    {.name = "count",
     .letter = 'n',
     .type = OPTION_COUNT,
     .offset = AT(count),
     .value_name = "N",
     .preset = "100",
     .help = "blobs to generate; 0: until stopped"},
    {.name = "workers",
     .letter = 'w',
     .type = OPTION_COUNT,
     .offset = AT(workers),
     .value_name = "N",
     .preset = "10",
     .min = 1,
     .max = WORKERS_MAX,
     .help = "blobs in flight at a time, each on a connection of its own"},
    {.name = "spool-dir",
     .letter = 'd',
     .type = OPTION_TEXT,
     .offset = AT(spool_dir),
     .value_name = "DIR",
     .preset = "spool",
     .help = "where blobs wait until they are delivered"},
    {.name = "durability",
     .type = OPTION_CHOICE,
     .offset = AT(durability),
     .value_name = "LEVEL",
     .preset = "relaxed",
     .choices = durability_names,
     .help = "what a spooled blob survives: a power cut (strict), or a crash of the "
             "program (relaxed)"},
    {.name = "min-size",
     .type = OPTION_SIZE,
     .offset = AT(min_bytes),
     .value_name = "SIZE",
     .preset = "1KiB",
     .min = 2,
     .max = SIZE_MAX_BYTES,
     .help = "smallest blob"},
    {.name = "max-size",
     .type = OPTION_SIZE,
     .offset = AT(max_bytes),
     .value_name = "SIZE",
     .preset = "1MiB",
     .min = 2,
     .max = SIZE_MAX_BYTES,
     .help = "largest blob"},
    {.name = "min-interval",
     .type = OPTION_DURATION,
     .offset = AT(min_gap_ms),
     .value_name = "TIME",
     .preset = "1ms",
     .max = DURATION_MAX_MS,
     .help = "shortest gap between two blobs"},
    {.name = "max-interval",
     .type = OPTION_DURATION,
     .offset = AT(max_gap_ms),
     .value_name = "TIME",
     .preset = "1s",
     .max = DURATION_MAX_MS,
     .help = "longest gap; both 0: as fast as it goes"},
    {.name = "max-duration",
     .type = OPTION_DURATION,
     .offset = AT(max_duration_ms),
     .value_name = "TIME",
     .preset = "10m",
     .max = DURATION_MAX_MS,
     .help = "generate no longer than this; 0: no limit"},
    {.name = "keep",
     .type = OPTION_FLAG,
     .offset = AT(keep),
     .help = "move delivered blobs to DIR/sent instead of removing them"},
    {.name = "seed",
     .type = OPTION_TEXT,
     .offset = AT(seed),
     .value_name = "TEXT",
     .help = "repeat the run of this seed: sizes, contents, gaps and injected damage; "
             "without it a random seed is chosen and logged"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = AT(timeout_ms),
     .value_name = "TIME",
     .preset = "60s",
     .max = DURATION_MAX_MS,
     .help = "for one attempt, from connecting to the answer; 0: none"},
    {.name = "max-attempts",
     .type = OPTION_COUNT,
     .offset = AT(max_attempts),
     .value_name = "N",
     .preset = "10",
     .min = 1,
     .max = ATTEMPTS_MAX,
     .help = "then a blob becomes a dead letter in DIR/dead"},
    {.name = "drain-timeout",
     .type = OPTION_DURATION,
     .offset = AT(drain_timeout_ms),
     .value_name = "TIME",
     .preset = "30s",
     .max = DURATION_MAX_MS,
     .help = "after SIGINT or SIGTERM, how long to go on delivering what is queued"},
    {.name = "inject-bad-checksums",
     .type = OPTION_COUNT,
     .offset = AT(inject_percent),
     .value_name = "PERCENT",
     .implied = "10",
     .min = 0,
     .max = 100,
     .help = "damage a copy in this share of attempts, to see it refused and resent"},
    {.name = "metrics-address",
     .type = OPTION_TEXT,
     .offset = AT(metrics_address),
     .value_name = "HOST:PORT",
     .help = "serve /metrics for Prometheus, and /healthz; port 0 picks a free one, "
             "which the log names"},
    LOG_OPTIONS(struct stream_config),
};

static const struct option_set set = {
    .program = "blob-sender",
    .verb = "stream",
    .env_prefix = "BLOB_SENDER",
    .about = "Generates random blobs of int16 samples at random moments and delivers "
             "each one to a receiver, verified. What cannot be delivered now waits in "
             "the spool for the next run.",
    .epilog =
        "A FILE without a slash is looked for in $CREDENTIALS_DIRECTORY first.\n\n"
        "Exit codes: 0 every blob was delivered; 1 some were not, see the\n"
        "summary; 2 an option makes no sense.",
    .specs = specs,
    .count = sizeof specs / sizeof specs[0],
};

static enum status check_url(const char *url, struct error *err)
{
    const char *rest = NULL;

    if (strncasecmp(url, "http://", 7) == 0)
        rest = url + 7;
    else if (strncasecmp(url, "https://", 8) == 0)
        rest = url + 8;
    if (!rest || *rest == '\0' || strchr("/:?#", *rest))
        return error_set(err, ST_INVALID, "--url: '%.100s' is not http://HOST[:PORT]",
                         url);
    if (memchr(rest, '@', strcspn(rest, "/")))
        return error_set(err, ST_INVALID,
                         "--url: has a user or password in it; use --token-file");
    for (const char *c = rest; *c; c++)
        if (*c <= ' ' || *c == 0x7f || *c == '?' || *c == '#')
            return error_set(err, ST_INVALID,
                             "--url: '%.100s' has a query, fragment or blank in it",
                             url);
    return ST_OK;
}

static void append_path(char out[STREAM_URL_SIZE], const char *base, const char *path)
{
    snprintf(out, STREAM_URL_SIZE, "%.*s%s", STREAM_URL_SIZE - PATH_ROOM - 1, base,
             path);
}

/* The socket of --url unix:PATH or --address unix:PATH. */
static enum status find_socket(struct stream_config *config, struct error *err)
{
    const char *option = config->url ? "--url" : "--address";
    const char *path = config->url ? config->url : config->address;

    if (strncmp(path, "unix:", 5) != 0)
        return ST_OK;
    path += 5;
    if (*path == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return error_set(err, ST_INVALID, "%s: a socket's path has 1 to %zu characters",
                         option, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    config->unix_socket = path;
    config->target = path - 5;
    config->url = "http://localhost";
    return ST_OK;
}

/* base_url, then those made from it. */
static enum status build_urls(struct stream_config *config, struct error *err)
{
    bool is_v6 = strchr(config->address, ':') != NULL;
    size_t length;
    int n;

    if (config->url && check_url(config->url, err) != ST_OK)
        return err->status;
    if (!config->url &&
        (*config->address == '\0' || strpbrk(config->address, "/?#@ []")))
        return error_set(err, ST_INVALID,
                         "--address: '%.100s' is not a host name or address",
                         config->address);
    if (config->url)
        n = snprintf(config->base_url, sizeof config->base_url, "%s", config->url);
    else
        n = snprintf(config->base_url, sizeof config->base_url,
                     is_v6 ? "http://[%s]:%u" : "http://%s:%u", config->address,
                     (unsigned)config->port);
    length = strlen(config->base_url);
    if (n < 0 || (size_t)n >= STREAM_URL_SIZE - PATH_ROOM)
        return error_set(err, ST_INVALID, "%s: longer than %d characters",
                         config->url ? "--url" : "--address",
                         STREAM_URL_SIZE - PATH_ROOM - 1);
    while (config->base_url[length - 1] == '/')
        config->base_url[--length] = '\0';
    if (!config->target)
        config->target = config->base_url;
    append_path(config->blobs_url, config->base_url, "/blobs");
    append_path(config->health_url, config->base_url, "/healthz");
    return ST_OK;
}

static enum status check_ranges(const struct stream_config *config, struct error *err)
{
    char min[UNITS_TEXT_SIZE], max[UNITS_TEXT_SIZE];

    if (config->min_bytes > config->max_bytes)
        return error_set(err, ST_INVALID,
                         "--min-size: %s is more than --max-size, which is %s",
                         units_format_size(min, config->min_bytes),
                         units_format_size(max, config->max_bytes));
    if (!generator_has_even_size(config->min_bytes, config->max_bytes))
        return error_set(err, ST_INVALID,
                         "--min-size: samples are 2 bytes and %s is odd",
                         units_format_size(min, config->min_bytes));
    if (config->min_gap_ms > config->max_gap_ms)
        return error_set(err, ST_INVALID,
                         "--min-interval: %s is more than --max-interval, which is %s",
                         units_format_duration(min, config->min_gap_ms),
                         units_format_duration(max, config->max_gap_ms));
    return ST_OK;
}

static void choose_seed(struct stream_config *config)
{
    uint8_t random[(STREAM_SEED_SIZE - 1) / 2];

    randombytes_buf(random, sizeof random);
    config->seed = sodium_bin2hex(config->random_seed, sizeof config->random_seed,
                                  random, sizeof random);
}

enum status stream_config_parse(int argc, char **argv, struct stream_config *out,
                                struct error *err)
{
    int operand;
    enum status st = options_parse(&set, argc, argv, out, &operand, err);

    if (st != ST_OK)
        return st;
    st = check_ranges(out, err);
    if (st != ST_OK)
        return st;
    st = find_socket(out, err);
    if (st != ST_OK)
        return st;
    st = build_urls(out, err);
    if (st != ST_OK)
        return st;
    if (out->identity.key_file && !out->identity.cert_file)
        return error_set(err, ST_INVALID, "--key: needs --cert");
    if (*out->spool_dir == '\0')
        return error_set(err, ST_INVALID, "--spool-dir: is empty");
    if (!out->seed)
        choose_seed(out);
    return ST_OK;
}
