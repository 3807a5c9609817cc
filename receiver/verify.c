/* SPDX-License-Identifier: MIT */
#include "receiver/verify.h"

#include "common/bandwidth.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"
#include "common/progress.h"
#include "common/signals.h"
#include "common/units.h"
#include "receiver/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 1000, READ_BYTES = 256 * 1024, PROGRESS_MS = 250 };

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
    {.name = "log-file",
     .letter = 'f',
     .type = OPTION_TEXT,
     .offset = AT(log_file),
     .value_name = "FILE",
     .help = "append the log to this file instead of standard error"},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .offset = AT(log_format),
     .value_name = "FORMAT",
     .preset = "text",
     .choices = log_format_names,
     .help = "text or json, of the log and of the summary"},
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
    .verb = "verify",
    .env_prefix = "BLOB_RECEIVER",
    .operands = "DIR",
    .about =
        "Reads every blob stored in DIR again and compares it with the digest it was "
        "acknowledged with. The receiver may be running.",
    .epilog =
        "Exit codes: 0 every blob has its digest; 1 some do not, could not be read, "
        "have no digest,\nor it was stopped; 2 bad usage.",
    .specs = specs,
    .count = sizeof(specs) / sizeof(specs[0]),
};

struct audit {
    struct store *store;
    const struct config *config;
    struct sha256 *sha;
    struct bandwidth bandwidth;
    struct latch stop;
    int signals;
    uint64_t started_ns, painted_ns;
    uint64_t verified, corrupt, unreadable, without_digest, bytes;
};

/* Between two reads: has somebody asked to stop? */
static bool stopped(struct audit *audit)
{
    int number;

    while ((number = signals_take(audit->signals)) != 0)
        if (number != SIGHUP)
            latch_set(&audit->stop);
    return latch_is_set(&audit->stop);
}

static void paint(struct audit *audit)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (now_ns - audit->painted_ns < UINT64_C(1000000) * PROGRESS_MS)
        return;
    audit->painted_ns = now_ns;
    progress_show(&(struct progress){
        .noun = "blobs",
        .done = audit->verified + audit->corrupt + audit->unreadable +
                audit->without_digest,
        .bytes = audit->bytes,
        .elapsed_ms = (now_ns - audit->started_ns) / 1000000,
    });
}

/* ST_CLOSED when it was stopped. What is read once is dropped from the page cache, so
 * that verifying a large store does not push everything else out of memory. */
static enum status hash_file(struct audit *audit, int fd, struct sha256_digest *out,
                             struct error *err)
{
    static char buffer[READ_BYTES];
    off_t offset = 0;
    ssize_t n;

    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    sha256_start(audit->sha);
    while ((n = pread(fd, buffer, sizeof(buffer), offset)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, errno, "read");
        sha256_update(audit->sha, buffer, (size_t)n);
        (void)posix_fadvise(fd, offset, n, POSIX_FADV_DONTNEED);
        offset += n;
        audit->bytes += (uint64_t)n;
        bandwidth_take(&audit->bandwidth, (size_t)n);
        paint(audit);
        if (stopped(audit))
            return ST_CLOSED;
    }
    return sha256_finish(audit->sha, out, err);
}

static void report_corrupt(struct audit *audit, const struct uuid *id,
                           const struct blob_info *info,
                           const struct sha256_digest *found)
{
    char text[UUID_TEXT_SIZE], should[SHA256_HEX_SIZE], is[SHA256_HEX_SIZE];
    struct error err;

    audit->corrupt++;
    uuid_format(text, id);
    sha256_to_hex(should, &info->digest);
    sha256_to_hex(is, found);
    log_event(LOG_ERROR, "corrupt",
              LOG_FIELDS(log_text("blob", text), log_text("expected", should),
                         log_text("found", is)),
              "corrupt %s: its sha256 is %s, but %s was acknowledged", text, is,
              should);
    if (!audit->config->quarantine)
        return;
    if (store_quarantine(audit->store, id, &err) == ST_OK)
        log_event(LOG_WARN, "quarantined", LOG_FIELDS(log_text("blob", text)),
                  "quarantined %s", text);
    else
        log_event(LOG_ERROR, "failed", LOG_FIELDS(log_text("blob", text)),
                  "cannot quarantine %s: %s", text, err.text);
}

static void unreadable(struct audit *audit, const struct uuid *id,
                       const struct error *err)
{
    char text[UUID_TEXT_SIZE];

    audit->unreadable++;
    log_event(LOG_ERROR, "unreadable",
              LOG_FIELDS(log_text("blob", uuid_format(text, id))), "unreadable %s: %s",
              text, err->text);
}

static enum status verify_open(struct audit *audit, const struct uuid *id, int fd,
                               const struct blob_info *info)
{
    char text[UUID_TEXT_SIZE];
    struct sha256_digest found;
    struct error err;
    enum status st;

    if (!info->has_digest) {
        audit->without_digest++;
        log_event(LOG_WARN, "no_digest",
                  LOG_FIELDS(log_text("blob", uuid_format(text, id))),
                  "no digest to compare %s with", text);
        return ST_OK;
    }
    st = hash_file(audit, fd, &found, &err);
    if (st == ST_CLOSED)
        return st;
    if (st != ST_OK)
        unreadable(audit, id, &err);
    else if (sha256_equal(&found, &info->digest))
        audit->verified++;
    else
        report_corrupt(audit, id, info, &found);
    return ST_OK;
}

static enum status verify_one(struct audit *audit, const struct uuid *id)
{
    struct blob_info info;
    struct error err;
    enum status st;
    int fd;

    st = store_find(audit->store, id, &fd, &info, &err);
    if (st == ST_END) /* taken away since it was listed */
        return ST_OK;
    if (st != ST_OK) {
        unreadable(audit, id, &err);
        return ST_OK;
    }
    st = verify_open(audit, id, fd, &info);
    close(fd);
    return st;
}

static enum status verify_all(struct audit *audit, struct error *err)
{
    struct uuid *page = calloc(PAGE, sizeof(*page)), after;
    enum status st = ST_OK;
    bool first = true;
    size_t count = 1;

    if (!page)
        return error_sys(err, ENOMEM, "verify");
    while (st == ST_OK && count > 0) {
        st = store_list(audit->store, first ? NULL : &after, page, PAGE, &count, err);
        for (size_t i = 0; st == ST_OK && i < count; i++)
            st = verify_one(audit, &page[i]);
        if (st == ST_OK && count > 0)
            after = page[count - 1];
        first = false;
    }
    free(page);
    return st;
}

static void summarize(const struct audit *audit, bool complete)
{
    double seconds = (double)(clock_monotonic_ns() - audit->started_ns) / 1e9;

    if (audit->config->log_format == LOG_FORMAT_JSON) {
        printf("{\"event\":\"summary\",\"verified\":%" PRIu64 ",\"corrupt\":%" PRIu64
               ",\"unreadable\":%" PRIu64 ",\"without_digest\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f,\"complete\":%s}\n",
               audit->verified, audit->corrupt, audit->unreadable,
               audit->without_digest, audit->bytes, seconds,
               complete ? "true" : "false");
        return;
    }
    printf("verified:       %" PRIu64 "\ncorrupt:        %" PRIu64
           "\nunreadable:     %" PRIu64 "\nwithout digest: %" PRIu64
           "\nbytes:          %" PRIu64 "\nseconds:        %.3f\n%s",
           audit->verified, audit->corrupt, audit->unreadable, audit->without_digest,
           audit->bytes, seconds, complete ? "" : "stopped before the end\n");
}

static int run(struct audit *audit, const char *directory)
{
    struct error err;
    enum status st;

    st = store_open_beside(&audit->store, directory, &err);
    if (st == ST_OK)
        st = sha256_create(&audit->sha, &err);
    if (st == ST_OK)
        st = verify_all(audit, &err);
    progress_hide();
    if (st != ST_OK && st != ST_CLOSED) {
        log_event(LOG_ERROR, "failed", NULL, "cannot verify: %s", err.text);
    } else {
        summarize(audit, st == ST_OK);
        if (fflush(stdout) != 0)
            st = ST_SYSTEM;
    }
    sha256_destroy(&audit->sha);
    store_close(&audit->store);
    return st == ST_OK &&
                   audit->corrupt + audit->unreadable + audit->without_digest == 0
               ? EXIT_SUCCESS
               : EXIT_INCOMPLETE;
}

int verify_main(int argc, char **argv)
{
    struct config config = {0};
    struct audit audit = {.config = &config, .started_ns = clock_monotonic_ns()};
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
    st = signals_open(&audit.signals, &err);
    if (st == ST_OK)
        st = log_open(
            &(struct log_config){.program = "receiver",
                                 .file = config.log_file,
                                 .level = (enum log_level)config.log_level,
                                 .format = (enum log_format)config.log_format},
            &err);
    if (st != ST_OK) {
        fprintf(stderr, "blob-receiver: %s\n", err.text);
        return EXIT_INCOMPLETE;
    }
    latch_init(&audit.stop);
    bandwidth_init(&audit.bandwidth, config.max_rate, &audit.stop);
    status = run(&audit, argv[operand]);
    bandwidth_release(&audit.bandwidth);
    latch_release(&audit.stop);
    log_close();
    close(audit.signals);
    return status;
}
