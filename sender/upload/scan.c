/* SPDX-License-Identifier: MIT */
#include "sender/upload/scan.h"

#include "common/crew.h"

#include <errno.h>
#include <stdlib.h>

struct scan {
    struct walk_config config;
    struct walk_counts counts;
    struct latch stop;
    struct crew *crew;
    atomic_bool done;
};

static enum status pass_over(void *context, struct walk_entry **entry,
                             struct error *err)
{
    struct scan *scan = context;

    (void)entry;
    return latch_is_set(&scan->stop) ? error_set(err, ST_CLOSED, "stopped") : ST_OK;
}

static void ignore(void *context, const char *path, const struct error *err)
{
    (void)context;
    (void)path;
    (void)err;
}

static void count(void *context, unsigned index)
{
    struct scan *scan = context;
    struct error err;

    (void)index;
    if (walk_tree(&scan->config, &scan->counts, &err) == ST_OK)
        atomic_store(&scan->done, true);
}

enum status scan_start(struct scan **out, const struct walk_config *walk,
                       struct error *err)
{
    struct scan *scan = calloc(1, sizeof *scan);
    enum status st;

    if (!scan)
        return error_sys(err, ENOMEM, "count the files");
    latch_init(&scan->stop);
    scan->config = *walk;
    scan->config.stop = &scan->stop;
    scan->config.file = pass_over;
    scan->config.trouble = ignore;
    scan->config.context = scan;
    st = crew_start(&scan->crew, "scan", 1, count, scan, err);
    if (st == ST_OK)
        *out = scan;
    else
        scan_stop(&scan);
    return st;
}

void scan_stop(struct scan **scan)
{
    if (!*scan)
        return;
    latch_set(&(*scan)->stop);
    crew_join(&(*scan)->crew);
    latch_release(&(*scan)->stop);
    free(*scan);
    *scan = NULL;
}

uint64_t scan_files(const struct scan *scan)
{
    if (!atomic_load(&scan->done))
        return 0;
    return scan->counts.files + scan->counts.troubles;
}
