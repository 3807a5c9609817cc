/* SPDX-License-Identifier: MIT */
#include "receiver/verify.h"

#include "common/audit.h"
#include "common/log.h"
#include "common/log_options.h"
#include "common/options.h"
#include "receiver/store.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config {
    uint64_t max_rate;
    bool quarantine;
    const char *log_file;
    unsigned log_format, log_level;
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
    {.name = "quarantine",
     .type = OPTION_FLAG,
     .offset = AT(quarantine),
     .help = "move blobs that do not have their digest to DIR/quarantine, where nobody "
             "is served them"},
    LOG_OPTIONS(struct config),
};

static const struct option_set options = {
    .program = "blob-receiver",
    .verb = "verify",
    .env_prefix = "BLOB_RECEIVER",
    .operands = "DIR",
    .about =
        "Reads every blob stored in DIR again and compares it with the digest it was "
        "acknowledged with. The receiver may be running.",
    .epilog =
        "Exit codes: 0 every blob has its digest; 1 some do not, could not be read or\n"
        "have no digest, or it was stopped; 2 bad usage.",
    .specs = specs,
    .count = sizeof(specs) / sizeof(specs[0]),
};

struct check {
    struct store *store;
    const struct config *config;
    struct audit *audit;
};

static void quarantine(struct check *check, const struct uuid *id, const char *text)
{
    struct error err;

    if (store_quarantine(check->store, id, &err) == ST_OK)
        log_event(LOG_WARN, "quarantined", LOG_FIELDS(log_text("blob", text)),
                  "quarantined %s", text);
    else
        log_event(LOG_ERROR, "failed", LOG_FIELDS(log_text("blob", text)),
                  "cannot quarantine %s: %s", text, err.text);
}

static void report_corrupt(const char *text, const struct blob_info *info,
                           const struct sha256_digest *found)
{
    char should[SHA256_HEX_SIZE], is[SHA256_HEX_SIZE];

    sha256_to_hex(should, &info->digest);
    sha256_to_hex(is, found);
    log_event(LOG_ERROR, "corrupt",
              LOG_FIELDS(log_text("blob", text), log_text("expected", should),
                         log_text("found", is)),
              "corrupt %s: its sha256 is %s, but %s was acknowledged", text, is,
              should);
}

static void report_unreadable(const char *text, const struct error *err)
{
    log_event(LOG_ERROR, "unreadable", LOG_FIELDS(log_text("blob", text)),
              "unreadable %s: %s", text, err->text);
}

static enum status verify_open(struct check *check, const struct uuid *id, int fd,
                               const struct blob_info *info)
{
    char text[UUID_TEXT_SIZE];
    struct sha256_digest found;
    struct error err;

    uuid_format(text, id);
    switch (audit_check(check->audit, fd, info, &found, &err)) {
    case ST_OK:
        break;
    case ST_CLOSED:
        return ST_CLOSED;
    case ST_CORRUPT:
        report_corrupt(text, info, &found);
        if (check->config->quarantine)
            quarantine(check, id, text);
        break;
    case ST_END:
        log_event(LOG_WARN, "no_digest", LOG_FIELDS(log_text("blob", text)),
                  "no digest to compare %s with", text);
        break;
    case ST_AGAIN:
    case ST_REFUSED:
    case ST_INVALID:
    case ST_SYSTEM:
        report_unreadable(text, &err);
        break;
    }
    return ST_OK;
}

static enum status verify_one(void *context, const struct uuid *id,
                              struct error *failure)
{
    struct check *check = context;
    char text[UUID_TEXT_SIZE];
    struct blob_info info;
    struct error err;
    enum status st;
    int fd;

    (void)
        failure; /* what is wrong with one blob is reported, and the next one checked */
    st = store_find(check->store, id, &fd, &info, &err);
    if (st == ST_END) /* taken away since it was listed */
        return ST_OK;
    if (st != ST_OK) {
        audit_unreadable(check->audit);
        report_unreadable(uuid_format(text, id), &err);
        return ST_OK;
    }
    st = verify_open(check, id, fd, &info);
    close(fd);
    return st;
}

static int run(struct check *check, const char *directory)
{
    bool json = check->config->log_format == LOG_FORMAT_JSON;
    struct error err;
    enum status st, summary;

    st = store_open_beside(&check->store, directory, &err);
    if (st == ST_OK)
        st = store_each(check->store, verify_one, check, &err);
    store_close(&check->store);
    if (st != ST_OK && st != ST_CLOSED) {
        log_footer(NULL);
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

int verify_main(int argc, char **argv)
{
    struct config config = {0};
    struct check check = {.config = &config};
    struct error err;
    enum status st;
    int operand, status = EXIT_INCOMPLETE;

    st = options_parse(&options, argc, argv, &config, &operand, &err);
    if (st == ST_END)
        return EXIT_SUCCESS;
    if (st == ST_OK && argc - operand != 1)
        st = error_set(&err, ST_INVALID, "verify takes one directory");
    if (st != ST_OK) {
        fprintf(stderr, "blob-receiver: %s\n", err.text);
        return st == ST_SYSTEM ? EXIT_INCOMPLETE : EXIT_USAGE;
    }
    st = audit_create(&check.audit, config.max_rate, &err);
    if (st == ST_OK)
        st = log_open(
            &(struct log_config){.program = "receiver",
                                 .file = config.log_file,
                                 .level = (enum log_level)config.log_level,
                                 .format = (enum log_format)config.log_format},
            &err);
    if (st != ST_OK) {
        fprintf(stderr, "blob-receiver: %s\n", err.text);
        audit_destroy(&check.audit);
        return EXIT_INCOMPLETE;
    }
    status = run(&check, argv[operand]);
    log_close();
    audit_destroy(&check.audit);
    return status;
}
