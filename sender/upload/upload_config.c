/* SPDX-License-Identifier: MIT */
#include "sender/upload/upload_config.h"

#include "common/log.h"
#include "common/log_options.h"
#include "common/options.h"
#include "common/units.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const sync_names[] = {"off", "time", "digest", NULL};
static const char *const addressing_names[] = {"auto", "path", "virtual", NULL};
static const char *const nice_names[] = {"off", "polite", "idle", NULL};

#define AT(field)       offsetof(struct upload_config, field)
#define DURATION_MAX_MS (UINT64_C(24) * 60 * 60 * 1000)
#define SIZE_MAX_BYTES  (UINT64_C(5) << 30)

static const struct option_spec specs[] = {
    {.name = "endpoint-url",
     .type = OPTION_TEXT,
     .offset = AT(endpoint_url),
     .value_name = "URL",
     .help = "of the store, if not the cloud's own"},
    {.name = "region",
     .type = OPTION_TEXT,
     .offset = AT(region),
     .value_name = "NAME",
     .help = "of the bucket; else AWS_REGION, the profile's, us-east-1"},
    {.name = "addressing-style",
     .type = OPTION_CHOICE,
     .offset = AT(addressing),
     .value_name = "STYLE",
     .preset = "auto",
     .choices = addressing_names,
     .help = "where the bucket's name goes: into the URL's path or, virtual, its host; "
             "auto: into the host at Amazon only"},
    {.name = "profile",
     .type = OPTION_TEXT,
     .offset = AT(profile),
     .value_name = "NAME",
     .help = "section of ~/.aws/credentials and ~/.aws/config"},
    {.name = "ca-file",
     .type = OPTION_TEXT,
     .offset = AT(ca_file),
     .value_name = "FILE",
     .help = "certificates to trust instead of the system's"},
    {.name = "allow-public",
     .type = OPTION_FLAG,
     .offset = AT(allow_public),
     .help = "upload even if strangers can read the bucket, or it cannot be told"},
    {.name = "jobs",
     .letter = 'j',
     .type = OPTION_TEXT,
     .offset = AT(jobs_text),
     .value_name = "N",
     .preset = "auto",
     .help = "requests at a time; auto: as many as pay"},
    {.name = "multipart-threshold",
     .type = OPTION_SIZE,
     .offset = AT(multipart_threshold),
     .value_name = "SIZE",
     .preset = "64MiB",
     .min = 1,
     .max = SIZE_MAX_BYTES,
     .help = "bigger files go in parts"},
    {.name = "part-size",
     .type = OPTION_TEXT,
     .offset = AT(part_size_text),
     .value_name = "SIZE",
     .preset = "auto",
     .help = "of those parts; auto: 16 MiB, more for more than 1,000 of them; no file "
             "has more than 10,000"},
    {.name = "max-memory",
     .type = OPTION_SIZE,
     .offset = AT(max_memory),
     .value_name = "SIZE",
     .preset = "256MiB",
     .min = UINT64_C(32) << 20,
     .max = UINT64_C(1) << 40,
     .help = "for buffers and the books of files in parts: bounds the jobs"},
    {.name = "bwlimit",
     .type = OPTION_SIZE,
     .offset = AT(bandwidth),
     .value_name = "SIZE",
     .preset = "0",
     .max = UINT64_C(1) << 40,
     .help = "bytes per second, all jobs together; 0: no limit"},
    {.name = "nice",
     .type = OPTION_CHOICE,
     .offset = AT(nice),
     .value_name = "LEVEL",
     .preset = "polite",
     .implied = "idle",
     .choices = nice_names,
     .help = "leave CPU and disk to others"},
    {.name = "sync",
     .type = OPTION_CHOICE,
     .offset = AT(sync),
     .value_name = "HOW",
     .preset = "off",
     .implied = "time",
     .choices = sync_names,
     .help =
         "skip what the store has: same size, and same time and mode (with --owner, "
         "owner), or same digest"},
    {.name = "dry-run",
     .type = OPTION_FLAG,
     .offset = AT(dry_run),
     .help = "only say what would be uploaded"},
    {.name = "include",
     .type = OPTION_LIST,
     .offset = AT(includes),
     .value_name = "PATTERN",
     .help = "only files that match; can be repeated"},
    {.name = "exclude",
     .type = OPTION_LIST,
     .offset = AT(excludes),
     .value_name = "PATTERN",
     .help = "no files or directories that match: *.tmp is held against names, a/*.tmp "
             "against whole paths, tmp/ against directories alone; can be repeated"},
    {.name = "follow",
     .type = OPTION_FLAG,
     .offset = AT(follow),
     .help = "follow symbolic links"},
    {.name = "owner",
     .type = OPTION_FLAG,
     .offset = AT(owner),
     .help = "store user and group, too"},
    {.name = "abort-incomplete",
     .type = OPTION_FLAG,
     .offset = AT(abort_incomplete),
     .help = "first abort every unfinished multipart upload below the destination"},
    {.name = "manifest",
     .type = OPTION_TEXT,
     .offset = AT(manifest),
     .value_name = "FILE",
     .help = "write what is in the store afterwards, unless the run ends early; "
             "sha256sum -c can check it"},
    {.name = "max-attempts",
     .type = OPTION_COUNT,
     .offset = AT(max_attempts),
     .value_name = "N",
     .preset = "10",
     .min = 1,
     .max = 1000,
     .help = "for one request"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = AT(stall_ms),
     .value_name = "TIME",
     .preset = "60s",
     .min = 1000,
     .max = DURATION_MAX_MS,
     .help = "a request that moves next to nothing for so long is tried again"},
    {.name = "drain-timeout",
     .type = OPTION_DURATION,
     .offset = AT(drain_timeout_ms),
     .value_name = "TIME",
     .preset = "10s",
     .max = DURATION_MAX_MS,
     .help = "after SIGINT or SIGTERM, how long to finish what is under way"},
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = AT(json),
     .help = "events and summary as JSON lines: the same as --log-format json"},
    LOG_OPTIONS(struct upload_config),
};

static const struct option_set set = {
    .program = "blob-sender",
    .verb = "upload",
    .env_prefix = "BLOB_SENDER",
    .operands = "DIR s3://BUCKET[/PREFIX] | az://CONTAINER[/PREFIX]",
    .about =
        "Uploads a directory tree to an object store, many files at a time. Each "
        "object carries its file's time, permissions and SHA-256; a missing bucket "
        "is created, private. Credentials come from where every tool looks: "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws, "
        "AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or a connection string.",
    .epilog =
        "Exit codes: 0 every file is in the store; 1 some are not (they are listed), "
        "or it could not start; 2 usage.\n",
    .specs = specs,
    .count = sizeof specs / sizeof specs[0],
};

static enum status parse_jobs(struct upload_config *config, struct error *err)
{
    uint64_t jobs;

    if (strcmp(config->jobs_text, "auto") == 0)
        return ST_OK;
    if (!units_parse_count(config->jobs_text, &jobs) || jobs < 1 ||
        jobs > UPLOAD_JOBS_MAX)
        return error_set(err, ST_INVALID,
                         "--jobs: '%.100s' is neither auto nor a number from 1 to %d",
                         config->jobs_text, UPLOAD_JOBS_MAX);
    config->jobs = (unsigned)jobs;
    return ST_OK;
}

static enum status parse_part_size(struct upload_config *config, struct error *err)
{
    if (strcmp(config->part_size_text, "auto") == 0)
        return ST_OK;
    if (!units_parse_size(config->part_size_text, &config->part_bytes) ||
        config->part_bytes < UINT64_C(5) << 20 || config->part_bytes > SIZE_MAX_BYTES)
        return error_set(
            err, ST_INVALID,
            "--part-size: '%.100s' is neither auto nor a size from 5MiB to "
            "5GiB",
            config->part_size_text);
    return ST_OK;
}

static enum status parse_operands(struct upload_config *config, int count,
                                  char **operands, struct error *err)
{
    if (count != 2)
        return error_set(err, ST_INVALID,
                         "two operands are needed, a directory and a destination such "
                         "as s3://bucket/prefix, not %d",
                         count);
    config->root = operands[0];
    return object_location_parse(&config->where, operands[1], err);
}

static enum status check(struct upload_config *config, struct error *err)
{
    enum status st = parse_jobs(config, err);

    if (st == ST_OK)
        st = parse_part_size(config, err);
    if (st != ST_OK)
        return st;
    if (config->dry_run && (config->manifest || config->abort_incomplete))
        return error_set(err, ST_INVALID,
                         "--dry-run goes with neither --manifest nor "
                         "--abort-incomplete");
    if (config->json)
        config->log_format = LOG_FORMAT_JSON;
    return ST_OK;
}

enum status upload_config_parse(int argc, char **argv, struct upload_config *out,
                                struct error *err)
{
    int operand = 0;
    enum status st = options_parse(&set, argc, argv, out, &operand, err);

    if (st == ST_OK)
        st = check(out, err);
    if (st == ST_OK)
        st = parse_operands(out, argc - operand, argv + operand, err);
    return st;
}
