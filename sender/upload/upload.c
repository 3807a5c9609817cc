/* SPDX-License-Identifier: MIT */
/*
 * upload -- from a directory to a store. How it stops:
 *
 *   all is found       the walk closes the dispatch; the workers drain it; the last one
 *                      writes to an eventfd
 *   first signal, or   nothing new is begun, retries end; requests under way may finish
 *   giving up          until --drain-timeout, then they are broken off within a second;
 *                      multipart uploads stay, for the next run to go on with
 *   second signal      the process ends at once
 *
 * then: join walk, workers and scan, publish the manifest or discard it, print the
 * summary, close the store.
 */
#include "sender/upload/upload.h"

#include "common/clock.h"
#include "common/exchange.h"
#include "common/log.h"
#include "common/options.h"
#include "common/progress.h"
#include "common/signals.h"
#include "sender/upload/multipart.h"
#include "sender/upload/resume.h"
#include "sender/upload/upload_threads.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    QUEUE_FILES = 512,
    JOBS_START = 8,
    JOBS_AUTO_MAX = 64,
    RETRY_BASE_MS = 200,
    RETRY_CAP_MS = 20 * 1000,
    RETRY_AFTER_CAP_MS = 60 * 1000,
    ARENAS_MAX = 2,
    STEP_BYTES = 4 << 20, /* as telling to the tuner as a file that came through */
};

/* A session with libcurl's buffers, a worker's own, a stack; and all the rest. Files in
 * parts come on top. */
static const uint64_t job_bytes = UINT64_C(1) << 20, base_bytes = UINT64_C(16) << 20;

/* What one request is worth to the tuner, beside its bytes: for small files the number
 * of files is what counts. */
static const double request_work = 64 * 1024;

/* ---- what upload_run.h promises ---- */

void upload_give_up(struct upload_run *run, const char *reason)
{
    bool first;

    pthread_mutex_lock(&run->end.lock);
    first = !*run->end.reason;
    if (first)
        snprintf(run->end.reason, sizeof run->end.reason, "%s", reason);
    pthread_mutex_unlock(&run->end.lock);
    if (first)
        log_event(LOG_ERROR, "giving_up", LOG_FIELDS(log_text("reason", reason)),
                  "Giving up: %s", reason);
    latch_set(&run->stop);
    dispatch_stop(run->dispatch);
}

void upload_file_failed(struct upload_run *run, const char *path,
                        const struct error *err)
{
    tally_fail(&run->tally, path, err->text);
    log_event(LOG_ERROR, "failed",
              LOG_FIELDS(log_text("path", path), log_text("reason", err->text)),
              "failed %s: %s", path, err->text);
}

/* ---- while it runs ---- */

static void tune(struct upload *upload)
{
    struct tally *tally = &upload->run.tally;
    long long moved = atomic_load(&tally->moved);
    uint64_t delivered = tally->delivered;
    const struct tuner_sample sample = {
        .now_ms = clock_monotonic_ns() / 1000000,
        .work = (double)moved + (double)delivered * request_work,
        .steps = delivered + (moved > 0 ? (uint64_t)moved / STEP_BYTES : 0),
        .throttled = tally->throttled,
        .idle = dispatch_running(upload->run.dispatch) < upload->tuner.jobs,
    };
    unsigned before = upload->tuner.jobs;

    if (upload->run.config->jobs > 0)
        return;
    if (tuner_update(&upload->tuner, &sample) == before)
        return;
    dispatch_set_limit(upload->run.dispatch, upload->tuner.jobs);
    log_event(LOG_DEBUG, "jobs", LOG_FIELDS(log_number("jobs", upload->tuner.jobs)),
              "%u requests at a time", upload->tuner.jobs);
}

static void show_progress(struct upload *upload)
{
    struct tally *tally = &upload->run.tally;
    long long moved = atomic_load(&tally->moved);
    char note[80];

    if (!upload->scan)
        return;
    if (tally->failed > 0)
        snprintf(note, sizeof note, "%u jobs, %" PRIu64 " failed", upload->tuner.jobs,
                 (uint64_t)tally->failed);
    else
        snprintf(note, sizeof note, "%u jobs", upload->tuner.jobs);
    progress_show(&(struct progress){
        .noun = "files",
        .note = note,
        .done = tally->uploaded + tally->skipped + tally->failed,
        .total = scan_files(upload->scan),
        .bytes = moved > 0 ? (uint64_t)moved : 0,
        .elapsed_ms = (clock_monotonic_ns() - tally->start_ns) / 1000000,
    });
}

static void begin_to_stop(struct upload *upload)
{
    struct upload_run *run = &upload->run;

    latch_set(&run->stop);
    dispatch_stop(run->dispatch);
    upload->abandon_ns = clock_monotonic_ns() + run->config->drain_timeout_ms * 1000000;
}

static void take_signals(struct upload *upload, int signal_fd)
{
    struct error err;
    int number;

    while ((number = signals_take(signal_fd)) != 0) {
        if (number == SIGHUP) {
            if (log_reopen(&err) != ST_OK)
                log_event(LOG_ERROR, "log_reopen", NULL, "%s", err.text);
            continue;
        }
        signals_surrender(SIGNALS_ECHO_MS);
        if (upload->abandon_ns != 0)
            continue;
        log_event(
            LOG_INFO, "stopping", LOG_FIELDS(log_number("signal", number)),
            "Stopping: finishing what is under way; a second signal ends at once");
        begin_to_stop(upload);
    }
}

static void wait_until_finished(struct upload *upload, int signal_fd)
{
    struct pollfd watched[] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = upload->finished_fd, .events = POLLIN},
    };

    while (!(watched[1].revents & POLLIN)) {
        poll(watched, 2, TICK_MS);
        take_signals(upload, signal_fd);
        if (upload->abandon_ns == 0 && latch_is_set(&upload->run.stop))
            begin_to_stop(upload);
        if (upload->abandon_ns != 0 && clock_monotonic_ns() >= upload->abandon_ns)
            latch_set(&upload->run.cancel);
        tune(upload);
        show_progress(upload);
    }
    progress_hide();
}

/* ---- before ---- */

static unsigned jobs_that_fit(const struct upload_config *config,
                              const struct object_limits *limits)
{
    uint64_t fit = (config->max_memory - base_bytes) /
                   (job_bytes + multipart_memory_max(limits));
    unsigned wanted = config->jobs > 0 ? config->jobs : JOBS_AUTO_MAX;

    return fit < wanted ? (unsigned)fit : wanted;
}

/* Entries in the queue keep their directories open. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum status open_store(struct upload *upload, struct error *err)
{
    const struct upload_config *config = upload->run.config;
    const struct object_options options = {
        .endpoint_url = config->endpoint_url,
        .region = config->region,
        .profile = config->profile,
        .addressing = (enum object_addressing)config->addressing,
        .ca_file = config->ca_file,
        .stall_ms = config->stall_ms,
        .cancel = &upload->run.cancel,
    };

    return object_store_open(&upload->run.store, &config->where, &options, err);
}

/* What may lie in the tree and changes while it is read. */
static void note_own_files(struct upload_run *run)
{
    own_files_add_fd(&run->own, STDOUT_FILENO);
    own_files_add_fd(&run->own, STDERR_FILENO);
    own_files_add(&run->own, run->config->log_file);
    own_files_add(&run->own, run->resume_dir);
    if (run->manifest)
        manifest_own_files(run->manifest, &run->own);
}

static void start_tuner(struct upload *upload)
{
    const struct upload_config *config = upload->run.config;
    unsigned first;

    upload->jobs_max = jobs_that_fit(config, &upload->run.store->limits);
    first = config->jobs > 0 || upload->jobs_max < JOBS_START ? upload->jobs_max
                                                              : JOBS_START;
    tuner_init(&upload->tuner, first, upload->jobs_max, clock_monotonic_ns() / 1000000);
    if (config->jobs > 0)
        upload->tuner.reason = config->jobs == upload->jobs_max
                                   ? "as told"
                                   : "as many as --max-memory allows";
    retry_budget_init(&upload->run.budget,
                      upload->jobs_max * upload->run.retry.max_attempts);
}

static enum status start(struct upload *upload, struct error *err)
{
    const struct upload_config *config = upload->run.config;
    enum status st;

    upload->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (upload->finished_fd < 0)
        return error_sys(err, errno, "eventfd");
    st = open_store(upload, err);
    if (st != ST_OK)
        return st;
    start_tuner(upload);
    st = dispatch_create(&upload->run.dispatch, QUEUE_FILES, upload->tuner.jobs, err);
    if (st == ST_OK && config->manifest)
        st = manifest_create(&upload->run.manifest, config->manifest, err);
    if (st != ST_OK)
        return st;
    note_own_files(&upload->run);
    if (!config->dry_run)
        resume_sweep(upload->run.resume_dir);
    return upload_threads_start(upload, err);
}

static void init(struct upload *upload, const struct upload_config *config)
{
    struct upload_run *run = &upload->run;

    run->config = config;
    run->retry = (struct retry_policy){
        .base_ms = RETRY_BASE_MS,
        .cap_ms = RETRY_CAP_MS,
        .retry_after_cap_ms = RETRY_AFTER_CAP_MS,
        .max_attempts = (unsigned)config->max_attempts,
    };
    tally_init(&run->tally);
    latch_init(&run->stop);
    latch_init(&run->cancel);
    bandwidth_init(&run->bandwidth, config->bandwidth, &run->stop);
    pthread_mutex_init(&run->end.lock, NULL);
    run->resume_dir = resume_directory();
    upload->finished_fd = -1;
}

/* ---- after ---- */

static void release(struct upload *upload)
{
    struct upload_run *run = &upload->run;

    dispatch_destroy(&run->dispatch);
    object_store_destroy(&run->store);
    manifest_discard(&run->manifest);
    tally_release(&run->tally);
    bandwidth_release(&run->bandwidth);
    latch_release(&run->stop);
    latch_release(&run->cancel);
    pthread_mutex_destroy(&run->end.lock);
    free(run->resume_dir);
    if (upload->finished_fd >= 0)
        close(upload->finished_fd);
}

/* A list of some of the files would be no list of what is in the store: the older one
 * says it better. */
static bool conclude_manifest(struct upload_run *run, bool came_to_all)
{
    struct error err;

    if (!run->manifest)
        return true;
    if (!came_to_all) {
        log_event(LOG_WARN, "manifest_kept", NULL,
                  "Manifest: not written, the run did not come to its end");
        manifest_discard(&run->manifest);
        return true;
    }
    if (manifest_publish(&run->manifest, &err) == ST_OK)
        return true;
    log_event(LOG_ERROR, "manifest_failed", NULL, "Manifest: %s", err.text);
    return false;
}

static int conclude(struct upload *upload)
{
    struct upload_run *run = &upload->run;
    char *summary;
    bool came_to_all, complete;

    run->tally.end_ns = clock_monotonic_ns();
    run->tally.jobs = upload->tuner.jobs;
    run->tally.jobs_reason = upload->tuner.reason;
    came_to_all = tally_left(&run->tally) == 0 && !latch_is_set(&run->stop);
    complete = conclude_manifest(run, came_to_all) && came_to_all &&
               run->tally.failed == 0;
    summary = run->config->log_format == LOG_FORMAT_JSON ? tally_json(&run->tally)
                                                         : tally_text(&run->tally);
    if (!summary || fputs(summary, stdout) < 0 || fflush(stdout) != 0) {
        complete = false;
        log_event(LOG_ERROR, "summary_failed", NULL, "Cannot write the summary");
    }
    free(summary);
    return complete ? EXIT_SUCCESS : EXIT_INCOMPLETE;
}

static int run(const struct upload_config *config, int signal_fd)
{
    static struct upload upload; /* a histogram is too much for a stack */
    struct error err;
    int code = EXIT_INCOMPLETE;

    init(&upload, config);
    if (start(&upload, &err) == ST_OK) {
        wait_until_finished(&upload, signal_fd);
        upload_threads_join(&upload);
        code = conclude(&upload);
    } else {
        log_event(LOG_ERROR, "failed", LOG_FIELDS(log_text("reason", err.text)), "%s",
                  err.text);
        code = err.status == ST_INVALID ? EXIT_USAGE : EXIT_INCOMPLETE;
        upload_threads_join(&upload);
    }
    release(&upload);
    return code;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "blob-sender: %s\n", err->text);
    return err->status == ST_INVALID ? EXIT_USAGE : EXIT_INCOMPLETE;
}

int upload_main(int argc, char **argv)
{
    static struct upload_config config;
    struct log_config log_config = {.program = "sender"};
    struct error err;
    int signal_fd = -1, code;
    enum status st = upload_config_parse(argc, argv, &config, &err);

    if (st == ST_END)
        return EXIT_SUCCESS;
    if (st != ST_OK)
        return fail(&err);
    log_config.file = config.log_file;
    log_config.level = config.log_level;
    log_config.format = config.log_format;
    mallopt(M_ARENA_MAX, ARENAS_MAX); /* many threads, little memory */
    raise_descriptor_limit();
    courtesy_adopt(config.nice);
    if (log_open(&log_config, &err) != ST_OK || exchange_global_init(&err) != ST_OK ||
        signals_open(&signal_fd, &err) != ST_OK)
        return fail(&err);
    code = run(&config, signal_fd);
    exchange_global_cleanup();
    close(signal_fd);
    log_close();
    return code;
}
