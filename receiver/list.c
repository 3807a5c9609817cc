/* SPDX-License-Identifier: MIT */
#include "receiver/list.h"

#include "common/json.h"
#include "common/options.h"
#include "common/units.h"
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

static void print_json(const char *id, const char *hex, const char *date,
                       const struct blob_info *info)
{
    char text[ENTRY_SIZE];
    struct json json;

    json_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_string(&json, "id", id);
    json_number(&json, "size", (int64_t)info->size);
    if (info->has_digest)
        json_string(&json, "sha256", hex);
    json_string(&json, "type", info->type);
    json_string(&json, "modified", date);
    json_close(&json, '}');
    puts(text);
}

static void print_blob(const struct config *config, const struct uuid *id,
                       const struct blob_info *info)
{
    char text[UUID_TEXT_SIZE], hex[SHA256_HEX_SIZE] = "-", date[UNITS_TEXT_SIZE];

    uuid_format(text, id);
    if (info->has_digest)
        sha256_to_hex(hex, &info->digest);
    units_format_time(date, info->modified_s);
    if (config->json) {
        print_json(text, hex, date, info);
    } else if (config->sums) {
        if (info->has_digest)
            printf("%s  %s/%s.bin\n", hex, store_shard_of(id).path, text);
    } else {
        printf("%s %12" PRIu64 "  %s  %s  %s\n", date, info->size, hex, text,
               info->type);
    }
}

static enum status print_one(struct store *store, const struct config *config,
                             const struct uuid *id, struct error *err)
{
    struct blob_info info;
    enum status st;
    int fd;

    st = store_find(store, id, &fd, &info, err);
    if (st == ST_END) /* taken away since it was listed */
        return ST_OK;
    if (st != ST_OK)
        return st;
    close(fd);
    print_blob(config, id, &info);
    return ferror(stdout) ? error_sys(err, errno, "write the list") : ST_OK;
}

static enum status print_all(struct store *store, const struct config *config,
                             struct error *err)
{
    struct uuid *page = calloc(PAGE, sizeof(*page)), after;
    enum status st = ST_OK;
    bool first = true;
    size_t count = 1;

    if (!page)
        return error_sys(err, ENOMEM, "list");
    while (st == ST_OK && count > 0) {
        st = store_list(store, first ? NULL : &after, page, PAGE, &count, err);
        for (size_t i = 0; st == ST_OK && i < count; i++)
            st = print_one(store, config, &page[i], err);
        if (st == ST_OK && count > 0)
            after = page[count - 1];
        first = false;
    }
    free(page);
    return st;
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
        st = print_all(store, &config, &err);
    if (st == ST_OK && fflush(stdout) != 0)
        st = error_sys(&err, errno, "write the list");
    store_close(&store);
    if (st == ST_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "blob-receiver: %s\n", err.text);
    return EXIT_INCOMPLETE;
}
