/* SPDX-License-Identifier: MIT */
#include "receiver/serve_config.h"

#include "common/log.h"
#include "common/log_options.h"
#include "common/options.h"
#include "receiver/committer.h"
#include "receiver/ingest.h"

#include <stddef.h>

#define AT(member) offsetof(struct serve_config, member)

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
     .preset = "1024",
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
    LOG_OPTIONS(struct serve_config),
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

enum status serve_config_parse(int argc, char **argv, struct serve_config *out,
                               struct error *err)
{
    struct serve_config config = {0};
    enum status st;
    int operand;

    st = options_parse(&options, argc, argv, &config, &operand, err);
    if (st == ST_OK)
        st = access_check_options(&config.access, err);
    if (st == ST_OK)
        *out = config;
    return st;
}
