/* SPDX-License-Identifier: MIT */
#include "common/audit.h"
#include "common/log.h"
#include "sender/spool.h"
#include "sender/spool_verbs.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct config {
    uint64_t max_rate;
    unsigned log_format;
};

#define AT(member) offsetof(struct config, member)

static const struct option_spec specs[] = {
    {.name = "max-rate",
     .type = OPTION_SIZE,
     .offset = AT(max_rate),
     .value_name = "SIZE",
     .preset = "0",
     .help =
         "read at most this much a second, to leave the disk to others; 0: no limit"},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .offset = AT(log_format),
     .value_name = "FORMAT",
     .preset = "text",
     .choices = log_format_names,
     .help = "text or json, of the log and of the summary"},
};

static const struct option_set options = {
    .program = "blob-sender",
    .verb = "spool verify",
    .env_prefix = "BLOB_SENDER_SPOOL",
    .operands = "DIR",
    .about =
        "Reads every blob in the spool DIR again, pending or dead, and compares it "
        "with the digest it was spooled with. The sender may be running.",
    .epilog = "Exit codes: 0 every blob has its digest; 1 some do not, could not be "
              "read or\nhave no digest, or it was stopped; 2 bad usage.",
    .specs = specs,
    .count = sizeof specs / sizeof specs[0],
};

struct check {
    struct spool *spool;
    struct audit *audit;
};

static void complain(const char *event, const struct uuid *id, const struct error *err)
{
    char text[UUID_TEXT_SIZE];

    log_event(LOG_ERROR, event,
              LOG_FIELDS(log_text("blob", uuid_format(text, id)),
                         log_text("reason", err->text)),
              "%s %s: %s", event, text, err->text);
}

static enum status check_open(struct check *check, const struct uuid *id, int fd,
                              const struct blob_info *info)
{
    struct sha256_digest found;
    struct error err;

    switch (audit_check(check->audit, fd, info, &found, &err)) {
    case ST_OK:
        break;
    case ST_CLOSED:
        return ST_CLOSED;
    case ST_CORRUPT:
        complain("corrupt", id, &err);
        break;
    case ST_END:
        error_set(&err, ST_END, "there is no digest to compare it with");
        complain("no_digest", id, &err);
        break;
    case ST_AGAIN:
    case ST_REFUSED:
    case ST_INVALID:
    case ST_SYSTEM:
        complain("unreadable", id, &err);
        break;
    }
    return ST_OK;
}

static enum status check_one(struct check *check, bool dead, const struct uuid *id)
{
    char reason[SPOOL_REASON_SIZE];
    struct blob_info info;
    struct error err;
    enum status st;
    int fd;

    if (dead)
        st = spool_fetch_dead(check->spool, id, &fd, &info, reason, &err);
    else
        st = spool_fetch(check->spool, id, &fd, &info, &err);
    if (st == ST_END) /* delivered since it was listed */
        return ST_OK;
    if (st != ST_OK) {
        audit_unreadable(check->audit);
        complain("unreadable", id, &err);
        return ST_OK;
    }
    st = check_open(check, id, fd, &info);
    close(fd);
    return st;
}

static enum status check_all(struct check *check, bool dead, struct error *err)
{
    struct uuid *ids;
    size_t count;
    enum status st = dead ? spool_list_dead(check->spool, &ids, &count, err)
                          : spool_list(check->spool, &ids, &count, err);

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = check_one(check, dead, &ids[i]);
    free(ids);
    return st;
}

static int run(struct check *check, const char *dir, bool json)
{
    struct error err;
    enum status st, summary;

    st = spool_open_beside(&check->spool, dir, &err);
    if (st == ST_OK)
        st = check_all(check, false, &err);
    if (st == ST_OK)
        st = check_all(check, true, &err);
    spool_close(&check->spool);
    if (st != ST_OK && st != ST_CLOSED) {
        log_event(LOG_ERROR, "failed", NULL, "cannot verify: %s", err.text);
        return EXIT_INCOMPLETE;
    }
    summary = audit_summarize(check->audit, json, st == ST_OK, &err);
    if (summary != ST_OK)
        log_event(LOG_ERROR, "failed", NULL, "%s", err.text);
    return st == ST_OK && summary == ST_OK && audit_is_clean(check->audit)
               ? EXIT_SUCCESS
               : EXIT_INCOMPLETE;
}

int spool_verify_main(int argc, char **argv)
{
    struct config config = {0};
    struct check check = {0};
    struct error err;
    enum status st;
    int operand, code;

    if (!spool_verbs_parse(&options, argc, argv, &config, 1, &operand, &code))
        return code;
    st = audit_create(&check.audit, config.max_rate, &err);
    if (st == ST_OK)
        st = log_open(
            &(struct log_config){.program = "sender",
                                 .level = LOG_INFO,
                                 .format = (enum log_format)config.log_format},
            &err);
    if (st != ST_OK) {
        fprintf(stderr, "blob-sender: %s\n", err.text);
        code = EXIT_INCOMPLETE;
    } else {
        code = run(&check, argv[operand], config.log_format == LOG_FORMAT_JSON);
        log_close();
    }
    audit_destroy(&check.audit);
    return code;
}
