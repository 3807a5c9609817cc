/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/fetch.h"

#include "common/durable_file.h"
#include "common/exchange.h"
#include "common/log.h"
#include "common/signals.h"
#include "common/utf8.h"
#include "receiver/fetch/report.h"
#include "receiver/fetch/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its name is to last like what will be put in it. */
static enum status make_directory(const char *path, bool durable, struct error *err)
{
    enum status st = ST_OK;
    int fd, parent;

    if (mkdir(path, 0777) != 0)
        return errno == EEXIST ? ST_OK : error_sys(err, errno, "make '%.160s'", path);
    if (!durable)
        return ST_OK;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    parent = fd >= 0 ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (parent < 0 && errno != EACCES) /* not ours to sync */
        st = error_sys(err, errno, "open the parent of '%.160s'", path);
    else if (parent >= 0)
        st = durable_directory_sync(parent, err);
    if (parent >= 0)
        close(parent);
    if (fd >= 0)
        close(fd);
    return st;
}

/* With all above it. */
static enum status make_directories(const char *path, bool durable, struct error *err)
{
    enum status st = ST_OK;
    char *prefix = strdup(path);

    if (prefix == NULL)
        return error_sys(err, ENOMEM, "make '%.160s'", path);
    for (char *at = prefix; *at != '\0' && st == ST_OK; at++) {
        if (*at != '/' || at == prefix)
            continue;
        *at = '\0';
        st = make_directory(prefix, durable, err);
        *at = '/';
    }
    if (st == ST_OK)
        st = make_directory(prefix, durable, err);
    free(prefix);
    return st;
}

static enum status open_outer(const struct fetch_config *config, int *fd,
                              struct error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

    *fd = open(config->dir, flags);
    if (*fd < 0 && errno == ENOENT) {
        if (make_directories(config->dir, config->durability == FETCH_STRICT, err) !=
            ST_OK)
            return error_prefix(err, "--dir");
        *fd = open(config->dir, flags);
    }
    if (*fd < 0)
        return error_sys(err, errno, "--dir: open '%.160s'", config->dir);
    return ST_OK;
}

/* The directory of --output, in that of --dir. */
static enum status open_directory(const struct fetch_config *config, int *fd,
                                  struct error *err)
{
    const char *slash = config->output != NULL ? strrchr(config->output, '/') : NULL;
    const char *path = slash == config->output ? "/" : config->output;
    char *inner = NULL;
    int outer;

    if (open_outer(config, &outer, err) != ST_OK)
        return err->status;
    if (slash == NULL) {
        *fd = outer;
        return ST_OK;
    }
    inner = slash > config->output ? strndup(path, (size_t)(slash - path))
                                   : strdup(path);
    *fd = inner != NULL ? openat(outer, inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (*fd < 0)
        error_sys(err, errno, "--output: open the directory of '%.160s'",
                  config->output);
    free(inner);
    close(outer);
    return *fd < 0 ? err->status : ST_OK;
}

/* Returns the exit status of the first failure, 0 when there was none. */
static int fetch_each(struct job *job, const struct targets *targets)
{
    int first = 0;

    for (size_t i = 0; i < targets->count; i++) {
        struct job_result result;
        struct error err = {.status = ST_OK};

        job->url = targets->of[i].url;
        job->name = targets->of[i].name;
        if (job_run(job, &result, &err) == ST_OK) {
            report_success(job, &result);
            continue;
        }
        report_failure(job, &result, &err);
        if (first == 0)
            first = report_exit_status(&result, &err);
        if (err.status == ST_CLOSED)
            break;
    }
    return first;
}

static enum status open_log(const struct fetch_config *config, struct error *err)
{
    const struct log_config log = {
        .program = "receiver",
        .level = config->quiet ? LOG_ERROR : LOG_INFO,
        .format = config->json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
    };

    return log_open(&log, err);
}

static enum status fetch_all(const struct fetch_config *config,
                             const struct targets *targets, int *exit_status,
                             struct error *err)
{
    struct limiter limiter;
    struct job job = {
        .config = config, .limiter = &limiter, .dir_fd = -1, .signal_fd = -1};
    enum status st;

    limiter_init(&limiter, config->limit_rate);
    st = open_directory(config, &job.dir_fd, err);
    if (st == ST_OK)
        st = signals_open(&job.signal_fd, err);
    if (st == ST_OK)
        st = exchange_global_init(err);
    if (st == ST_OK) {
        *exit_status = fetch_each(&job, targets);
        exchange_global_cleanup();
    }
    if (job.signal_fd >= 0)
        close(job.signal_fd);
    if (job.dir_fd >= 0)
        close(job.dir_fd);
    limiter_release(&limiter);
    return st;
}

int fetch_main(int argc, char **argv)
{
    struct fetch_config config;
    struct targets targets = {0};
    struct error err;
    int operand, exit_status = EXIT_INCOMPLETE;
    enum status st = config_parse(&config, argc, argv, &operand, &err);

    if (st == ST_OK)
        st = targets_collect(&targets, &config, argv + operand,
                             (size_t)(argc - operand), &err);
    if (st == ST_OK && sodium_init() < 0)
        st = error_set(&err, ST_SYSTEM, "initialise libsodium");
    if (st == ST_OK)
        st = open_log(&config, &err);
    if (st == ST_OK)
        st = fetch_all(&config, &targets, &exit_status, &err);
    targets_release(&targets);
    if (st == ST_END)
        return EXIT_SUCCESS;
    if (st != ST_OK) {
        char shown[4 * sizeof err.text];

        utf8_show(shown, sizeof shown, err.text);
        fprintf(stderr, "blob-receiver: %s\n", shown);
        return st == ST_INVALID ? EXIT_USAGE : EXIT_INCOMPLETE;
    }
    log_close();
    return exit_status;
}
