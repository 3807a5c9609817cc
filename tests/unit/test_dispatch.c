/* SPDX-License-Identifier: MIT */
#include "common/crew.h"
#include "scratch.h"
#include "sender/upload/dispatch.h"
#include "unit.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 40, CAPACITY = 4, WORKERS = 6, PARTS = 50 };

static struct scratch scratch;
static struct dispatch *dispatch;
static struct error err;

static void set_up(void)
{
    scratch_create(&scratch);
    for (int i = 0; i < FILES; i++) {
        char path[sizeof scratch.path + 16];
        int fd;

        snprintf(path, sizeof path, "%s/%d", scratch.path, i);
        fd = open(path, O_CREAT | O_WRONLY, 0644);
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
}

static void tear_down(void)
{
    dispatch_destroy(&dispatch);
    scratch_remove(&scratch);
}

static enum status push(void *context, struct walk_entry **entry, struct error *e)
{
    (void)context;
    return dispatch_push(dispatch, entry) == ST_OK ? ST_OK
                                                   : error_set(e, ST_CLOSED, "stopped");
}

static void no_trouble(void *context, const char *path, const struct error *e)
{
    (void)context;
    (void)path;
    (void)e;
}

static enum status walk(void)
{
    struct walk_counts counts = {.files = 0};
    struct latch stop;
    const struct walk_config config = {
        .root = scratch.path, .stop = &stop, .file = push, .trouble = no_trouble};
    enum status st;

    latch_init(&stop);
    st = walk_tree(&config, &counts, &err);
    latch_release(&stop);
    return st;
}

static void walk_and_close(void *context, unsigned index)
{
    enum status st = walk();

    (void)context;
    (void)index;
    (void)st;
    dispatch_close(dispatch);
}

struct tally {
    atomic_uint files, parts, last, running, most;
    struct dispatch_batch batch;
};

static void note_running(struct tally *tally)
{
    unsigned now = atomic_fetch_add(&tally->running, 1) + 1;
    unsigned most = atomic_load(&tally->most);

    while (now > most && !atomic_compare_exchange_weak(&tally->most, &most, now))
        ;
}

/* The first file turns out to have parts. */
static void work(void *context, unsigned index)
{
    struct tally *tally = context;
    struct dispatch_task task;

    (void)index;
    while (dispatch_take(dispatch, &task) == ST_OK) {
        note_running(tally);
        if (task.batch) {
            atomic_fetch_add(&tally->parts, 1);
            if (dispatch_part_done(dispatch, task.batch))
                atomic_fetch_add(&tally->last, 1);
        } else {
            if (atomic_fetch_add(&tally->files, 1) == 0)
                dispatch_add(dispatch, &tally->batch, PARTS);
            walk_entry_release(&task.entry);
        }
        atomic_fetch_sub(&tally->running, 1);
        dispatch_done(dispatch);
    }
}

START_TEST(everything_is_handed_out_once_within_the_limit)
{
    struct tally tally = {.files = 0};
    struct crew *workers = NULL, *walker = NULL;

    ck_assert_int_eq(dispatch_create(&dispatch, CAPACITY, 3, &err), ST_OK);
    ck_assert_int_eq(crew_start(&workers, "work", WORKERS, work, &tally, &err), ST_OK);
    ck_assert_int_eq(crew_start(&walker, "walk", 1, walk_and_close, NULL, &err), ST_OK);
    crew_join(&walker);
    crew_join(&workers);

    ck_assert_uint_eq(tally.files, FILES);
    ck_assert_uint_eq(tally.parts, PARTS);
    ck_assert_uint_eq(tally.last, 1);
    ck_assert_uint_le(tally.most, 3);
}
END_TEST

START_TEST(parts_go_before_files)
{
    struct dispatch_batch batch;
    struct dispatch_task task;

    ck_assert_int_eq(dispatch_create(&dispatch, FILES, 8, &err), ST_OK);
    ck_assert_int_eq(walk(), ST_OK);
    dispatch_add(dispatch, &batch, 2);

    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(dispatch_take(dispatch, &task), ST_OK);
        ck_assert_ptr_eq(task.batch, &batch);
        ck_assert_uint_eq(task.ticket, i);
    }
    ck_assert(!dispatch_part_done(dispatch, &batch));
    ck_assert(dispatch_part_done(dispatch, &batch));
    dispatch_done(dispatch);
    dispatch_done(dispatch);
    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_OK);
    ck_assert_ptr_nonnull(task.entry);
    walk_entry_release(&task.entry);
    dispatch_done(dispatch);
}
END_TEST

START_TEST(a_cancelled_batch_ends_with_what_is_under_way)
{
    struct dispatch_batch batch;
    struct dispatch_task task;

    ck_assert_int_eq(dispatch_create(&dispatch, CAPACITY, 8, &err), ST_OK);
    dispatch_close(dispatch);
    dispatch_add(dispatch, &batch, PARTS);
    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_OK);
    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_OK);
    dispatch_cancel(dispatch, &batch);

    ck_assert(!dispatch_part_done(dispatch, &batch));
    ck_assert(dispatch_part_done(dispatch, &batch));
    dispatch_done(dispatch);
    dispatch_done(dispatch);
    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_CLOSED);
}
END_TEST

START_TEST(stopping_hands_out_parts_but_no_files)
{
    struct dispatch_batch batch;
    struct dispatch_task task;

    ck_assert_int_eq(dispatch_create(&dispatch, FILES, 8, &err), ST_OK);
    ck_assert_int_eq(walk(), ST_OK);
    dispatch_add(dispatch, &batch, 1);
    dispatch_stop(dispatch);

    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_OK);
    ck_assert_ptr_eq(task.batch, &batch);
    ck_assert(dispatch_part_done(dispatch, &batch));
    dispatch_done(dispatch);
    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_CLOSED);
    ck_assert_int_eq(walk(), ST_CLOSED);
}
END_TEST

START_TEST(a_raised_limit_lets_more_run)
{
    struct dispatch_task task;

    ck_assert_int_eq(dispatch_create(&dispatch, FILES, 1, &err), ST_OK);
    ck_assert_int_eq(walk(), ST_OK);
    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_OK);
    walk_entry_release(&task.entry);
    dispatch_set_limit(dispatch, 2);

    ck_assert_int_eq(dispatch_take(dispatch, &task), ST_OK);
    walk_entry_release(&task.entry);
    ck_assert_uint_eq(dispatch_running(dispatch), 2);
    dispatch_done(dispatch);
    dispatch_done(dispatch);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch");
    TCase *tcase = tcase_create("dispatch");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, everything_is_handed_out_once_within_the_limit);
    tcase_add_test(tcase, parts_go_before_files);
    tcase_add_test(tcase, a_cancelled_batch_ends_with_what_is_under_way);
    tcase_add_test(tcase, stopping_hands_out_parts_but_no_files);
    tcase_add_test(tcase, a_raised_limit_lets_more_run);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
