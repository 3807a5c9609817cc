/* SPDX-License-Identifier: MIT */
#include "receiver/list.h"

#include "common/options.h"
#include "common/units.h"
#include "receiver/blob_json.h"
#include "receiver/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE = 1000, ENTRY_SIZE = 2048 };

struct config {
    bool json, sums;
};

#define AT(member) offsetof(struct config, member)

static const struct option_spec specs[] = {
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = AT(json),
     .help = "one JSON object a line"},
    {.name = "sums",
     .type = OPTION_FLAG,
     .offset = AT(sums),
     .help = "digest and path, for `cd DIR && sha256sum -c`"},
};

static const struct option_set options = {
    .program = "blob-receiver",
    .verb = "list",
    .env_prefix = "BLOB_RECEIVER_LIST",
    .operands = "DIR",
    .about =
        "Lists the blobs stored in DIR in the order of their ids, oldest first: time, "
        "size, digest, id and type. The receiver may be running.",
    .epilog =
        "Exit codes: 0 listed; 1 DIR or a blob in it could not be read; 2 bad usage.",
    .specs = specs,
    .count = sizeof(specs) / sizeof(specs[0]),
};

static void print_json(const struct uuid *id, const struct blob_info *info)
{
    char text[BLOB_JSON_SIZE];
    struct json json;

    json_init(&json, text, sizeof(text));
    blob_json(&json, id, info);
    puts(text);
}

static void print_blob(const struct config *config, const struct uuid *id,
                       const struct blob_info *info)
{
    char text[UUID_TEXT_SIZE], hex[SHA256_HEX_SIZE] = "-", date[UNITS_TEXT_SIZE];

    if (config->json) {
        print_json(id, info);
        return;
    }
    uuid_format(text, id);
    if (info->has_digest)
        sha256_to_hex(hex, &info->digest);
    if (!config->sums)
        printf("%s %12" PRIu64 "  %s  %s  %s\n",
               units_format_time(date, info->modified_s), info->size, hex, text,
               info->type);
    else if (info->has_digest)
        printf("%s  %s/%s.bin\n", hex, store_shard_of(id).path, text);
}

struct listing {
    struct store *store;
    const struct config *config;
};

static enum status print_one(void *context, const struct uuid *id, struct error *err)
{
    const struct listing *listing = context;
    struct blob_info info;
    enum status st;
    int fd;

    st = store_find(listing->store, id, &fd, &info, err);
    if (st == ST_END) /* taken away since it was listed */
        return ST_OK;
    if (st != ST_OK)
        return st;
    close(fd);
    print_blob(listing->config, id, &info);
    return ferror(stdout) ? error_sys(err, errno, "write the list") : ST_OK;
}

int list_main(int argc, char **argv)
{
    struct config config = {0};
    struct store *store = NULL;
    struct error err;
    enum status st;
    int operand;

    st = options_parse(&options, argc, argv, &config, &operand, &err);
    if (st == ST_END)
        return EXIT_SUCCESS;
    if (st == ST_OK && argc - operand != 1)
        st = error_set(&err, ST_INVALID, "list takes one directory");
    if (st == ST_OK && config.json && config.sums)
        st = error_set(&err, ST_INVALID, "--json and --sums exclude each other");
    if (st != ST_OK) {
        fprintf(stderr, "blob-receiver: %s\n", err.text);
        return st == ST_SYSTEM ? EXIT_INCOMPLETE : EXIT_USAGE;
    }
    st = store_open_beside(&store, argv[operand], &err);
    if (st == ST_OK)
        st = store_each(store, print_one, &(struct listing){store, &config}, &err);
    if (st == ST_OK && fflush(stdout) != 0)
        st = error_sys(&err, errno, "write the list");
    store_close(&store);
    if (st == ST_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "blob-receiver: %s\n", err.text);
    return EXIT_INCOMPLETE;
}
