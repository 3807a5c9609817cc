/* SPDX-License-Identifier: MIT */
#include "sender/spool_verbs.h"

#include "common/json.h"
#include "common/units.h"
#include "sender/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRY_SIZE = 4096 };

static int fail(const struct error *err, int code)
{
    fprintf(stderr, "blob-sender: %s\n", err->text);
    return code;
}

bool spool_verbs_parse(const struct option_set *set, int argc, char **argv,
                       void *config, int operands_max, int *operand, int *code)
{
    struct error err;
    enum status st = options_parse(set, argc, argv, config, operand, &err);

    if (st == ST_OK && (argc - *operand < 1 || argc - *operand > operands_max))
        st = error_set(&err, ST_INVALID, "%s takes %s", set->verb, set->operands);
    if (st == ST_OK)
        return true;
    if (st == ST_END)
        *code = EXIT_SUCCESS;
    else
        *code = fail(&err, st == ST_INVALID ? EXIT_USAGE : EXIT_INCOMPLETE);
    return false;
}

/* list */

struct list_config {
    bool json;
};

static const struct option_spec list_specs[] = {
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = offsetof(struct list_config, json),
     .help = "one JSON object a line"},
};

static const struct option_set list_options = {
    .program = "blob-sender",
    .verb = "spool list",
    .env_prefix = "BLOB_SENDER_SPOOL",
    .operands = "DIR",
    .about =
        "Lists what waits in the spool DIR: pending blobs, then dead letters, each "
        "oldest first: state, time, size, id, and type or reason. The sender may be "
        "running.",
    .epilog = "Exit codes: 0 listed; 1 DIR or a blob in it could not be read; 2 bad "
              "usage.",
    .specs = list_specs,
    .count = sizeof list_specs / sizeof list_specs[0],
};

struct entry {
    const char *state;
    const struct uuid *id;
    const struct blob_info *info;
    const char *reason; /* NULL: it is not dead */
};

static void print_json(const struct entry *entry, const char *id, const char *time)
{
    char text[ENTRY_SIZE], hex[SHA256_HEX_SIZE];
    struct json json;

    json_init(&json, text, sizeof text);
    json_open(&json, NULL, '{');
    json_string(&json, "state", entry->state);
    json_string(&json, "id", id);
    json_number(&json, "size", (int64_t)entry->info->size);
    if (entry->info->has_digest)
        json_string(&json, "sha256", sha256_to_hex(hex, &entry->info->digest));
    json_string(&json, "type", entry->info->type);
    json_string(&json, "modified", time);
    if (entry->reason)
        json_string(&json, "reason", entry->reason);
    json_close(&json, '}');
    puts(text);
}

static void print_entry(const struct entry *entry, bool as_json)
{
    char id[UUID_TEXT_SIZE], time[UNITS_TEXT_SIZE];

    uuid_format(id, entry->id);
    units_format_time(time, entry->info->modified_s);
    if (as_json)
        print_json(entry, id, time);
    else
        printf("%-7s %s %12" PRIu64 "  %s  %s\n", entry->state, time, entry->info->size,
               id, entry->reason ? entry->reason : entry->info->type);
}

static enum status list_one(struct spool *spool, bool dead, const struct uuid *id,
                            bool as_json, struct error *err)
{
    char reason[SPOOL_REASON_SIZE];
    struct blob_info info;
    struct entry entry = {dead ? "dead" : "pending", id, &info, dead ? reason : NULL};
    enum status st;
    int fd;

    if (dead)
        st = spool_fetch_dead(spool, id, &fd, &info, reason, err);
    else
        st = spool_fetch(spool, id, &fd, &info, err);
    if (st == ST_END) /* delivered since it was listed */
        return ST_OK;
    if (st != ST_OK)
        return st;
    close(fd);
    print_entry(&entry, as_json);
    return ST_OK;
}

/* What cannot be read is named, and does not hide the others. */
static enum status list_all(struct spool *spool, bool dead, bool as_json,
                            struct error *err)
{
    struct uuid *ids;
    size_t count;
    struct error one;
    enum status st = dead ? spool_list_dead(spool, &ids, &count, err)
                          : spool_list(spool, &ids, &count, err);

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count; i++) {
        if (list_one(spool, dead, &ids[i], as_json, &one) == ST_OK)
            continue;
        fail(&one, EXIT_INCOMPLETE);
        st = error_set(err, one.status, "not every blob could be read");
    }
    free(ids);
    return st;
}

static int list_main(int argc, char **argv)
{
    struct list_config config = {0};
    struct spool *spool = NULL;
    struct error err, other;
    enum status st, st_dead;
    int operand, code;

    if (!spool_verbs_parse(&list_options, argc, argv, &config, 1, &operand, &code))
        return code;
    st = spool_open_beside(&spool, argv[operand], &err);
    if (st != ST_OK)
        return fail(&err, EXIT_INCOMPLETE);
    st = list_all(spool, false, config.json, &err);
    st_dead = list_all(spool, true, config.json, &other);
    spool_close(&spool);
    if (st_dead != ST_OK)
        st = error_set(&err, st_dead, "%s", other.text);
    if (fflush(stdout) != 0 && st == ST_OK)
        st = error_sys(&err, errno, "write the list");
    return st == ST_OK ? EXIT_SUCCESS : fail(&err, EXIT_INCOMPLETE);
}

/* requeue */

static const struct option_set requeue_options = {
    .program = "blob-sender",
    .verb = "spool requeue",
    .env_prefix = "BLOB_SENDER_SPOOL",
    .operands = "DIR [ID]...",
    .about =
        "Makes dead letters in the spool DIR pending again, all or those named, so "
        "that the next sender tries them anew. No sender may be running on DIR.",
    .epilog = "Exit codes: 0 requeued; 1 not all could be; 2 bad usage.",
};

static enum status parse_ids(char **texts, size_t count, struct uuid **out,
                             struct error *err)
{
    struct uuid *ids = calloc(count, sizeof *ids);

    if (!ids)
        return error_sys(err, ENOMEM, "requeue");
    for (size_t i = 0; i < count; i++) {
        if (uuid_parse(texts[i], strlen(texts[i]), &ids[i]))
            continue;
        free(ids);
        return error_set(err, ST_INVALID, "'%.100s' is not an id", texts[i]);
    }
    *out = ids;
    return ST_OK;
}

static enum status open_to_change(struct spool **out, const char *dir,
                                  struct error *err)
{
    const struct spool_config config = {.dir = dir, .strict = true};
    struct spool *there = NULL;
    unsigned swept = 0;

    /* A spool that is not there must not be made. */
    if (spool_open_beside(&there, dir, err) != ST_OK)
        return err->status;
    spool_close(&there);
    return spool_open(out, &config, &swept, err);
}

static int requeue_ids(struct spool *spool, const struct uuid *ids, size_t count)
{
    size_t requeued = 0;
    struct error err;

    for (size_t i = 0; i < count; i++) {
        if (spool_requeue(spool, &ids[i], &err) == ST_OK)
            requeued++;
        else
            fail(&err, EXIT_INCOMPLETE);
    }
    printf("requeued: %zu\n", requeued);
    return requeued == count && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_INCOMPLETE;
}

static int requeue_main(int argc, char **argv)
{
    struct spool *spool = NULL;
    struct uuid *ids = NULL;
    struct error err;
    size_t count;
    enum status st = ST_OK;
    int operand, code;

    if (!spool_verbs_parse(&requeue_options, argc, argv, NULL, INT_MAX, &operand,
                           &code))
        return code;
    count = (size_t)(argc - operand) - 1;
    if (count > 0)
        st = parse_ids(argv + operand + 1, count, &ids, &err);
    if (st != ST_OK)
        return fail(&err, st == ST_INVALID ? EXIT_USAGE : EXIT_INCOMPLETE);
    st = open_to_change(&spool, argv[operand], &err);
    if (st == ST_OK && !ids)
        st = spool_list_dead(spool, &ids, &count, &err);
    if (st == ST_OK)
        code = requeue_ids(spool, ids, count);
    else
        code = fail(&err, EXIT_INCOMPLETE);
    spool_close(&spool);
    free(ids);
    return code;
}

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} verbs[] = {
    {"list", list_main},
    {"requeue", requeue_main},
    {"verify", spool_verify_main},
};

int spool_main(int argc, char **argv)
{
    struct error err;

    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("Usage: blob-sender spool list|requeue|verify [OPTION]... DIR\n\n"
             "Looks after a spool. Each of the three has its own --help.");
        return EXIT_SUCCESS;
    }
    if (argc > 1)
        error_set(&err, ST_INVALID, "spool: '%s' is not list, requeue or verify",
                  argv[1]);
    else
        error_set(&err, ST_INVALID, "spool: say list, requeue or verify");
    return fail(&err, EXIT_USAGE);
}
