/* SPDX-License-Identifier: MIT */
/*
 * blob-sender. How it stops:
 *
 * - All blobs made: the generator closes the queue; the workers drain it, retries
 *   included; the last one writes to the stream's eventfd.
 * - First signal: no more blobs are made; what is queued is delivered until
 *   --drain-timeout; then attempts are abandoned within a second and the rest stays in
 *   the spool.
 * - Second signal: the process ends at once; the spool keeps what is not delivered.
 *
 * Then: join the generator, join the workers, destroy connections, queue and spool,
 * reconcile and print the summary.
 */
#include "common/clock.h"
#include "common/exchange.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/options.h"
#include "common/progress.h"
#include "common/signals.h"
#include "sender/metrics.h"
#include "sender/report.h"
#include "sender/spool_verbs.h"
#include "sender/stream.h"
#include "sender/stream_config.h"
#include "sender/upload/upload.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEVER UINT64_MAX

enum {
    TICK_MS = 250,
    NS_PER_MS = 1000000,
    SUMMARY_SIZE = 2048,
    NOTE_SIZE = 32,
};

static void show_progress(const struct stream *stream, const struct report *report)
{
    char note[NOTE_SIZE] = "";
    uint64_t retried = report->retried;

    if (retried > 0)
        snprintf(note, sizeof note, "%llu retried", (unsigned long long)retried);
    progress_show(&(struct progress){
        .noun = "blobs",
        .note = retried > 0 ? note : NULL,
        .done = report->delivered,
        .total = stream_total(stream),
        .bytes = report->bytes,
        .elapsed_ms = (clock_monotonic_ns() - report->start_ns) / 1000000,
    });
}

static void reopen_log(void)
{
    struct error err;

    if (log_reopen(&err) != ST_OK)
        log_event(LOG_ERROR, "log_reopen", NULL, "%s", err.text);
}

/* How far stopping has come; times are monotonic. */
struct stopping {
    uint64_t abandon_ns; /* NEVER until the first signal */
    bool abandoned;
};

static void take_signals(struct stream *stream, int signal_fd,
                         const struct stream_config *config, struct stopping *stopping)
{
    int number;

    while ((number = signals_take(signal_fd)) != 0) {
        uint64_t now_ns = clock_monotonic_ns();

        if (number == SIGHUP) {
            reopen_log();
            stream_reload(stream);
            continue;
        }
        if (stopping->abandon_ns != NEVER)
            continue;
        log_event(LOG_INFO, "stopping", LOG_FIELDS(log_number("signal", number)),
                  "Stopping: delivering what is queued; a second signal ends at once");
        signals_surrender(SIGNALS_ECHO_MS);
        stream_close(stream);
        stopping->abandon_ns = now_ns + config->drain_timeout_ms * NS_PER_MS;
    }
}

static void act_on_time(struct stream *stream, const struct stream_config *config,
                        struct stopping *stopping)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (!stopping->abandoned && now_ns >= stopping->abandon_ns) {
        stopping->abandoned = true;
        log_event(LOG_WARN, "abandoned", NULL,
                  "Not everything could be delivered in time; the rest stays in '%s'",
                  config->spool_dir);
        stream_abandon(stream);
    }
}

static void wait_until_finished(struct stream *stream, int signal_fd,
                                const struct stream_config *config,
                                const struct report *report)
{
    struct stopping stopping = {.abandon_ns = NEVER};
    struct pollfd watched[] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = stream_finished_fd(stream), .events = POLLIN},
    };

    while (!(watched[1].revents & POLLIN)) {
        bool ticking = log_footer_visible() || stopping.abandon_ns != NEVER;

        poll(watched, 2, ticking ? TICK_MS : -1);
        take_signals(stream, signal_fd, config, &stopping);
        act_on_time(stream, config, &stopping);
        show_progress(stream, report);
    }
    progress_hide();
}

static int conclude(const struct report *report, const struct stream_config *config,
                    bool generated_all)
{
    char summary[SUMMARY_SIZE];

    if (!report_reconciles(report))
        log_event(LOG_ERROR, "unreconciled", NULL,
                  "THE COUNTS DO NOT RECONCILE: what was taken on is not what was "
                  "delivered, dead, lost and left");
    if (report->undetected > 0)
        log_event(LOG_ERROR, "undetected", NULL,
                  "UNDETECTED CORRUPTION: the receiver acknowledged damaged copies");
    if (config->log_format == LOG_FORMAT_JSON)
        report_json(report, summary, sizeof summary);
    else
        report_text(report, summary, sizeof summary);
    fputs(summary, stdout);
    if (fflush(stdout) != 0) {
        log_event(LOG_ERROR, "summary_failed", NULL, "Cannot write the summary: %s",
                  strerrordesc_np(errno));
        return EXIT_INCOMPLETE;
    }
    return generated_all && report_is_complete(report) ? EXIT_SUCCESS : EXIT_INCOMPLETE;
}

static enum status serve_metrics(struct metrics **out,
                                 const struct stream_config *config,
                                 const struct report *report, struct error *err)
{
    enum status st;

    if (!config->metrics_address)
        return ST_OK;
    st = metrics_start(out, config->metrics_address, report, config->spool_dir, err);
    if (st == ST_OK)
        log_event(LOG_INFO, "metrics",
                  LOG_FIELDS(log_text("address", config->metrics_address),
                             log_number("port", metrics_port(*out))),
                  "Metrics on port %u of %s", metrics_port(*out),
                  config->metrics_address);
    return st;
}

static int run(const struct stream_config *config, int signal_fd)
{
    static struct report report; /* a histogram is too much for a stack */
    struct metrics *metrics = NULL;
    struct stream *stream = NULL;
    struct notify notify;
    struct error err;
    bool generated_all, misused;
    enum status st;

    notify_open(&notify);
    report.start_ns = clock_monotonic_ns();
    st = serve_metrics(&metrics, config, &report, &err);
    misused = st == ST_INVALID;
    if (st == ST_OK)
        st = stream_start(&stream, config, &report, &err);
    if (st != ST_OK) {
        log_event(LOG_ERROR, "failed", NULL, "%s", err.text);
        metrics_stop(&metrics);
        notify_close(&notify);
        return misused ? EXIT_USAGE : EXIT_INCOMPLETE;
    }
    notify_ready(&notify, "Sending to %s", config->target);
    wait_until_finished(stream, signal_fd, config, &report);
    notify_stopping(&notify, "Reconciling");
    generated_all = stream_stop(&stream);
    metrics_stop(&metrics);
    notify_close(&notify);
    report.end_ns = clock_monotonic_ns();
    return conclude(&report, config, generated_all);
}

static int fail(const struct error *err)
{
    fprintf(stderr, "blob-sender: %s\n", err->text);
    return err->status == ST_INVALID ? EXIT_USAGE : EXIT_INCOMPLETE;
}

static int stream_main(int argc, char **argv)
{
    static struct stream_config config;
    struct log_config log_config = {.program = "sender"};
    struct error err;
    int signal_fd = -1, code;
    enum status st = stream_config_parse(argc, argv, &config, &err);

    if (st == ST_END)
        return EXIT_SUCCESS;
    if (st != ST_OK)
        return fail(&err);
    log_config.file = config.log_file;
    log_config.level = config.log_level;
    log_config.format = config.log_format;
    if (log_open(&log_config, &err) != ST_OK || exchange_global_init(&err) != ST_OK ||
        signals_open(&signal_fd, &err) != ST_OK)
        return fail(&err);
    code = run(&config, signal_fd);
    exchange_global_cleanup();
    close(signal_fd);
    log_close();
    return code;
}

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the verb or the program */
} verbs[] = {
    {"stream", stream_main}, /* the default */
    {"spool", spool_main},
    {"upload", upload_main},
};

int main(int argc, char **argv)
{
    struct error err;

    if (sodium_init() < 0) {
        error_set(&err, ST_SYSTEM, "libsodium cannot be initialised");
        return fail(&err);
    }
    if (argc < 2 || argv[1][0] == '-')
        return verbs[0].run(argc, argv);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    error_set(&err, ST_INVALID, "'%s' is not a verb; try --help", argv[1]);
    return fail(&err);
}
