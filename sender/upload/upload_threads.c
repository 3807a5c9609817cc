/* SPDX-License-Identifier: MIT */
#include "sender/upload/upload_threads.h"

#include "common/clock.h"
#include "common/log.h"
#include "sender/upload/incomplete.h"
#include "sender/upload/worker.h"

#include <sys/eventfd.h>

static enum status take_file(void *context, struct walk_entry **entry,
                             struct error *err)
{
    struct upload *upload = context;

    if (dispatch_push(upload->run.dispatch, entry) == ST_OK)
        return ST_OK;
    return error_set(err, ST_CLOSED, "stopped");
}

static void take_trouble(void *context, const char *path, const struct error *err)
{
    struct upload *upload = context;

    upload_file_failed(&upload->run, path, err);
}

static void walk_config(struct upload *upload, struct walk_config *out)
{
    const struct upload_config *config = upload->run.config;

    *out = (struct walk_config){
        .root = config->root,
        .follow = config->follow,
        .filter = {.includes = config->includes.items,
                   .include_count = config->includes.count,
                   .excludes = config->excludes.items,
                   .exclude_count = config->excludes.count},
        .own = &upload->run.own,
        .stop = &upload->run.stop,
        .file = take_file,
        .trouble = take_trouble,
        .context = upload,
    };
}

static void run_worker(void *context, unsigned index)
{
    struct upload *upload = context;

    worker_run(&upload->run, index);
    if (atomic_fetch_sub(&upload->working, 1) == 1)
        eventfd_write(upload->finished_fd, 1);
}

/* Asks the store whether it is there and private, before a single file is looked at. */
static enum status prepare_store(struct upload *upload, struct error *err)
{
    const struct upload_config *config = upload->run.config;
    struct object_session *session = NULL;
    enum status st = object_session_open(upload->run.store, &session, err);

    if (st == ST_OK)
        st = incomplete_prepare(&upload->run, session, err);
    if (st == ST_OK && config->abort_incomplete)
        st = incomplete_abort(&upload->run, session, err);
    object_session_close(&session);
    return st;
}

static enum status start_workers(struct upload *upload, struct error *err)
{
    atomic_store(&upload->working, upload->jobs_max);
    return crew_start(&upload->workers, "upload", upload->jobs_max, run_worker, upload,
                      err);
}

static void walk(struct upload *upload)
{
    struct walk_config config;
    struct error err;

    walk_config(upload, &config);
    if (walk_tree(&config, &upload->run.tally.walk, &err) != ST_OK &&
        err.status != ST_CLOSED)
        upload_give_up(&upload->run, err.text);
    dispatch_close(upload->run.dispatch);
}

/* The store may take its time to answer: not in main, which listens for signals. */
static void run_walk(void *context, unsigned index)
{
    struct upload *upload = context;
    struct error err;

    (void)index;
    if (prepare_store(upload, &err) == ST_OK && start_workers(upload, &err) == ST_OK) {
        walk(upload);
        return;
    }
    if (!latch_is_set(&upload->run.stop))
        upload_give_up(&upload->run, err.text);
    eventfd_write(upload->finished_fd, 1);
}

enum status upload_threads_start(struct upload *upload, struct error *err)
{
    const struct upload_config *config = upload->run.config;
    struct walk_config walk;
    enum status st = ST_OK;

    log_event(LOG_INFO, "started",
              LOG_FIELDS(log_text("directory", config->root),
                         log_text("store", upload->run.store->place),
                         log_text("prefix", config->where.prefix)),
              "Uploading '%s' to %s, prefix '%s', jobs: %s", config->root,
              upload->run.store->place, config->where.prefix, config->jobs_text);
    upload->run.tally.start_ns = clock_monotonic_ns();
    if (log_footer_visible()) {
        walk_config(upload, &walk);
        st = scan_start(&upload->scan, &walk, err);
    }
    if (st == ST_OK)
        st = crew_start(&upload->walk, "walk", 1, run_walk, upload, err);
    return st;
}

void upload_threads_join(struct upload *upload)
{
    crew_join(&upload->walk); /* first: it starts the workers */
    crew_join(&upload->workers);
    scan_stop(&upload->scan);
}
