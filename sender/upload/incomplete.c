/* SPDX-License-Identifier: MIT */
#include "sender/upload/incomplete.h"

#include "common/log.h"
#include "sender/upload/attempts.h"
#include "sender/upload/naming.h"

#include <string.h>

enum status incomplete_prepare(struct upload_run *run, struct object_session *session,
                               struct error *err)
{
    const struct upload_config *config = run->config;
    struct attempts attempts = {.alone = true};
    enum status st;

    do
        st = object_prepare(session, !config->dry_run, config->allow_public, err);
    while (attempts_again(&attempts, run, session, st, err));
    if (st == ST_OK || st == ST_END) /* a dry run makes no bucket */
        return ST_OK;
    return error_prefix(err, "%s '%s' at %s", run->store->ops->title,
                        config->where.bucket, run->store->place);
}

struct sweep {
    struct upload_run *run;
    struct object_session *session; /* not the one that lists */
    char root[NAMING_ROOT_SIZE];
    uint64_t count;
};

static enum status abort_one(void *context, const char *key, const char *upload,
                             struct error *err)
{
    struct sweep *sweep = context;
    struct attempts attempts = {.alone = true};
    enum status st;

    /* A store that overlooks the prefix lists what is not ours to abort. */
    if (strncmp(key, sweep->root, strlen(sweep->root)) != 0)
        return ST_OK;
    do
        st = object_abort(sweep->session, key, upload, err);
    while (attempts_again(&attempts, sweep->run, sweep->session, st, err));
    if (st == ST_OK)
        sweep->count++;
    return st;
}

enum status incomplete_abort(struct upload_run *run, struct object_session *session,
                             struct error *err)
{
    struct sweep sweep = {.run = run};
    struct attempts attempts = {.alone = true};
    enum status st = object_session_open(run->store, &sweep.session, err);

    if (st != ST_OK)
        return st;
    naming_root(sweep.root, run->config->where.prefix);
    do
        st = object_uploads(session, sweep.root, abort_one, &sweep, err);
    while (attempts_again(&attempts, run, session, st, err));
    object_session_close(&sweep.session);
    log_event(LOG_INFO, "aborted", LOG_FIELDS(log_number("count", sweep.count)),
              "Unfinished multipart uploads aborted: %llu",
              (unsigned long long)sweep.count);
    return st == ST_OK ? st : error_prefix(err, "abort unfinished uploads");
}
