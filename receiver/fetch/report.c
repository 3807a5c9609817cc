/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/report.h"

#include "common/json.h"
#include "common/log.h"
#include "common/units.h"
#include "common/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    URL_TEXT_SIZE = 8192,
    /* JSON spells a byte with up to six. */
    LINE_SIZE = 6 * (URL_TEXT_SIZE + NAME_SIZE + sizeof((struct error){0}).text) + 1024,
    SHOWN_NAME_SIZE = 4 * NAME_SIZE,
};

static uint64_t fetched_bytes(const struct job_result *result)
{
    return result->bytes - result->resumed;
}

static void print_json(const struct job *job, const struct job_result *result,
                       const char *event, const struct error *err)
{
    char line[LINE_SIZE], url[URL_TEXT_SIZE], hex[SHA256_HEX_SIZE];
    struct json json;

    json_init(&json, line, sizeof line);
    json_open(&json, NULL, '{');
    json_string(&json, "event", event);
    json_string(&json, "file", job->name);
    json_string(&json, "url", name_redact_url(url, sizeof url, job->url));
    if (err != NULL) {
        json_string(&json, "error", err->text);
        json_number(&json, "http_status", result->facts.http_status);
        json_number(&json, "exit_status", report_exit_status(result, err));
    } else if (!result->skipped) {
        json_number(&json, "bytes", (int64_t)result->bytes);
        json_number(&json, "resumed_bytes", (int64_t)result->resumed);
        json_string(&json, "sha256", sha256_to_hex(hex, &result->sha256));
        json_boolean(&json, "verified", result->offer.kind != OFFER_NONE);
        if (result->offer.kind != OFFER_NONE)
            json_string(&json, "verified_against", result->offer.source);
        json_boolean(&json, "length_unproven", result->facts.length_unproven);
    }
    json_number(&json, "elapsed_ms", (int64_t)result->elapsed_ms);
    json_number(&json, "connections", result->facts.connections);
    json_number(&json, "retries", result->facts.retries);
    json_close(&json, '}');
    assert(!json.overflow);
    puts(line);
}

static void print_text(const struct job *job, const struct job_result *result)
{
    char rate[UNITS_TEXT_SIZE], took[UNITS_TEXT_SIZE], resumed[64] = "";
    char hex[SHA256_HEX_SIZE], name[SHOWN_NAME_SIZE];
    uint64_t ms = result->elapsed_ms > 0 ? result->elapsed_ms : 1;

    utf8_show(name, sizeof name, job->name);
    units_format_size(rate,
                      (uint64_t)((double)fetched_bytes(result) * 1e3 / (double)ms));
    units_format_duration(took, result->elapsed_ms);
    if (result->resumed > 0)
        snprintf(resumed, sizeof resumed, ", %" PRIu64 " of them earlier",
                 result->resumed);
    printf("%s: %" PRIu64 " bytes%s, %s, %s/s over %u connection%s\n", name,
           result->bytes, resumed, took, rate, result->facts.connections,
           result->facts.connections == 1 ? "" : "s");
    printf("  sha256 %s, ", sha256_to_hex(hex, &result->sha256));
    if (result->offer.kind != OFFER_NONE)
        printf("verified against %s\n", result->offer.source);
    else
        printf("not verified: no digest was offered\n");
    if (result->facts.length_unproven && result->offer.kind == OFFER_NONE)
        printf("  the server named no length: a cut connection would look the same\n");
}

void report_success(const struct job *job, const struct job_result *result)
{
    char name[SHOWN_NAME_SIZE];

    if (job->config->quiet)
        return;
    if (job->config->json) {
        print_json(job, result, result->skipped ? "skipped" : "fetched", NULL);
    } else if (result->skipped) {
        utf8_show(name, sizeof name, job->name);
        printf("%s: is there already\n", name);
    } else {
        print_text(job, result);
    }
    fflush(stdout);
}

void report_failure(const struct job *job, const struct job_result *result,
                    const struct error *err)
{
    if (job->config->json && !job->config->quiet) {
        print_json(job, result, "failed", err);
        fflush(stdout);
    }
    log_event(LOG_ERROR, "failed",
              LOG_FIELDS(log_text("file", job->name), log_text("why", err->text),
                         log_number("http_status", result->facts.http_status)),
              "%s: %s", job->name, err->text);
}

int report_exit_status(const struct job_result *result, const struct error *err)
{
    switch (err->status) {
    case ST_OK:
    case ST_END:
        return 0;
    case ST_AGAIN:
        return result->facts.http_status >= 400 ? EXIT_SERVER_REFUSED : EXIT_NETWORK;
    case ST_CLOSED:
        return EXIT_NETWORK;
    case ST_REFUSED:
        return result->facts.http_status != 0 ? EXIT_SERVER_REFUSED : EXIT_INCOMPLETE;
    case ST_CORRUPT:
        return EXIT_BAD_BYTES;
    case ST_INVALID:
        return EXIT_USAGE;
    case ST_SYSTEM:
        return EXIT_CANNOT_WRITE;
    }
    return EXIT_INCOMPLETE;
}
