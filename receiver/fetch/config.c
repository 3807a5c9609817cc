/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/config.h"

#include "common/credential.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PAGE_BYTES = 4096, TOKEN_MAX = 8 * 1024 };

#define AT(field) offsetof(struct fetch_config, field)

static const char *const durability_names[] = {"strict", "relaxed", NULL};

static const struct option_spec specs[] = {
    {.name = "count",
     .letter = 'c',
     .type = OPTION_COUNT,
     .offset = AT(count),
     .value_name = "N",
     .preset = "8",
     .min = 1,
     .max = 64,
     .help = "connections per file, when the server gives ranges"},
    {.name = "output",
     .letter = 'o',
     .type = OPTION_TEXT,
     .offset = AT(output),
     .value_name = "FILE",
     .help = "where to put it; by default the name in the URL"},
    {.name = "dir",
     .letter = 'd',
     .type = OPTION_TEXT,
     .offset = AT(dir),
     .value_name = "DIR",
     .preset = ".",
     .help = "directory to put it in; made with all above it when missing"},
    {.name = "input-file",
     .letter = 'i',
     .type = OPTION_TEXT,
     .offset = AT(input),
     .value_name = "FILE",
     .help = "more URLs, one per line; - for standard input, # for comments"},
    {.name = "checksum",
     .type = OPTION_TEXT,
     .offset = AT(checksum),
     .value_name = "sha-256=HEX",
     .help = "digest to verify against, before any that the server offers"},
    {.name = "sidecar",
     .type = OPTION_FLAG,
     .offset = AT(sidecar),
     .help = "without a SHA-256 from the server, look for one in URL.sha256"},
    {.name = "keep-bad",
     .type = OPTION_FLAG,
     .offset = AT(keep_bad),
     .help = "keep a file that fails verification as FILE.bad, FILE.bad.1, ..."},
    {.name = "no-clobber",
     .type = OPTION_FLAG,
     .offset = AT(no_clobber),
     .help = "skip what is already there; without, it is replaced once verified"},
    {.name = "remote-time",
     .letter = 'R',
     .type = OPTION_FLAG,
     .offset = AT(remote_time),
     .help = "give the file the server's Last-Modified"},
    {.name = "header",
     .letter = 'H',
     .type = OPTION_LIST,
     .offset = AT(headers),
     .value_name = "'NAME: VALUE'",
     .help = "header to send, to the URL's own origin only; may be repeated"},
    {.name = "token-file",
     .type = OPTION_TEXT,
     .offset = AT(token_file),
     .value_name = "FILE",
     .help = "file with a token for Authorization: Bearer"},
    {.name = "netrc",
     .letter = 'n',
     .type = OPTION_FLAG,
     .offset = AT(netrc),
     .help = "take user and password from ~/.netrc"},
    {.name = "ca-file",
     .type = OPTION_TEXT,
     .offset = AT(ca_file),
     .value_name = "FILE",
     .help = "certificates to trust instead of the system's"},
    {.name = "limit-rate",
     .type = OPTION_SIZE,
     .offset = AT(limit_rate),
     .value_name = "SIZE",
     .preset = "0",
     .help = "bytes per second, all connections together; 0 for no limit"},
    {.name = "max-tries",
     .type = OPTION_COUNT,
     .offset = AT(max_tries),
     .value_name = "N",
     .preset = "5",
     .min = 1,
     .max = 1000,
     .help = "failures in a row, without progress, before giving up"},
    {.name = "connect-timeout",
     .type = OPTION_DURATION,
     .offset = AT(connect_timeout_ms),
     .value_name = "TIME",
     .preset = "10s",
     .min = 1,
     .max = 3600 * 1000,
     .help = "time to connect in"},
    {.name = "stall-timeout",
     .type = OPTION_DURATION,
     .offset = AT(stall_ms),
     .value_name = "TIME",
     .preset = "30s",
     .min = 1000,
     .max = 3600 * 1000,
     .help = "a connection that brings next to nothing for so long is replaced"},
    {.name = "min-split-size",
     .type = OPTION_SIZE,
     .offset = AT(least_bytes),
     .value_name = "SIZE",
     .preset = "1MiB",
     .min = 64 * 1024,
     .max = 1024 * 1024 * 1024,
     .help = "smallest part that gets a request of its own"},
    {.name = "durability",
     .type = OPTION_CHOICE,
     .offset = AT(durability),
     .value_name = "LEVEL",
     .preset = "strict",
     .choices = durability_names,
     .help = "strict: synced to the disk before it has its name; relaxed: not"},
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = AT(json),
     .help = "write the results and the log as JSON lines"},
    {.name = "quiet",
     .letter = 'q',
     .type = OPTION_FLAG,
     .offset = AT(quiet),
     .help = "say nothing but errors"},
};

static const struct option_set options = {
    .program = "blob-receiver",
    .verb = "fetch",
    .env_prefix = "BLOB_RECEIVER_FETCH",
    .operands = "URL...",
    .about = "Fetches files over many connections and verifies them. A fetch that was "
             "cut short is resumed by running it again.",
    .epilog =
        "Exit status:\n"
        "  0   every file is there, verified where a digest was offered\n"
        "  1   refused for a reason of this machine's, such as a second run or a\n"
        "      certificate that is not trusted\n"
        "  2   an option or a URL makes no sense\n"
        "  18  the network failed, a time ran out or a signal came; run it again to\n"
        "      resume\n"
        "  22  the server refused, stayed busy or redirects to where we cannot go\n"
        "  23  the file or its state could not be written\n"
        "  65  the bytes are not what they should be; they were deleted\n"
        "With several files, the status is that of the first that failed.",
    .specs = specs,
    .count = sizeof specs / sizeof specs[0],
};

/* The request headers are built one after another in header_text. */
struct builder {
    struct fetch_config *config;
    size_t used;
};

static enum status add_header(struct builder *b, const char *name, size_t name_length,
                              const char *value, struct error *err)
{
    struct fetch_config *config = b->config;
    size_t room = sizeof config->header_text - b->used, value_length = strlen(value);
    char *at = config->header_text + b->used;

    if (config->request_header_count == TRANSFER_HEADERS_MAX ||
        name_length + value_length + 2 > room)
        return error_set(err, ST_INVALID, "--header: too many, or too long");
    memcpy(at, name, name_length);
    at[name_length] = '\0';
    memcpy(at + name_length + 1, value, value_length + 1);
    config->request_headers[config->request_header_count++] = (struct exchange_header){
        at, at + name_length + 1};
    b->used += name_length + value_length + 2;
    return ST_OK;
}

/* What the answers are judged by, or how they are framed, is not the user's to ask for.
 */
static bool is_own_header(const char *name, size_t n)
{
    static const char *const own[] = {
        "Accept-Encoding",     "Content-Length", "If-Match",
        "If-Modified-Since",   "If-None-Match",  "If-Range",
        "If-Unmodified-Since", "Range",          "TE",
        "Transfer-Encoding",   "Upgrade",        "Want-Repr-Digest",
    };

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strlen(own[i]) == n && strncasecmp(own[i], name, n) == 0)
            return true;
    return false;
}

static enum status parse_header(struct builder *b, const char *text, struct error *err)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t n = strspn(text, token);

    if (n == 0 || text[n] != ':' || strpbrk(text, "\r\n") != NULL)
        return error_set(err, ST_INVALID, "--header: '%.80s' is not 'Name: value'",
                         text);
    if (is_own_header(text, n))
        return error_set(err, ST_INVALID, "--header: a fetch has to choose %.*s itself",
                         (int)n, text);
    return add_header(b, text, n, text + n + 1 + strspn(text + n + 1, " \t"), err);
}

/* Its first line. */
static enum status read_token(struct builder *b, const char *name, struct error *err)
{
    char value[TOKEN_MAX], *text = NULL;
    size_t n, length;
    enum status st = credential_read(&text, &n, name, CREDENTIAL_SECRET, err);

    if (st != ST_OK) {
        error_prefix(err, "--token-file");
        return err->status = ST_INVALID;
    }
    length = strcspn(text, "\r\n");
    if (length == 0)
        st = error_set(err, ST_INVALID, "--token-file: '%.160s' is empty", name);
    else if ((size_t)snprintf(value, sizeof value, "Bearer %.*s", (int)length, text) >=
             sizeof value)
        st = error_set(err, ST_INVALID, "--token-file: '%.160s' is too long", name);
    else
        st = add_header(b, "Authorization", strlen("Authorization"), value, err);
    credential_free(&text, n);
    return st;
}

static enum status complete(struct fetch_config *config, struct error *err)
{
    struct builder b = {.config = config};
    enum status st = ST_OK;

    config->least_bytes = (config->least_bytes + PAGE_BYTES - 1) / PAGE_BYTES *
                          PAGE_BYTES;
    for (size_t i = 0; i < config->headers.count && st == ST_OK; i++)
        st = parse_header(&b, config->headers.items[i], err);
    if (st == ST_OK && config->token_file != NULL)
        st = read_token(&b, config->token_file, err);
    if (st == ST_OK && config->checksum != NULL)
        st = offer_from_option(&config->wanted, config->checksum, err);
    return st;
}

enum status config_parse(struct fetch_config *config, int argc, char **argv,
                         int *operand, struct error *err)
{
    enum status st;

    *config = (struct fetch_config){0};
    st = options_parse(&options, argc, argv, config, operand, err);
    return st == ST_OK ? complete(config, err) : st;
}
