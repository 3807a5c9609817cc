/* SPDX-License-Identifier: MIT */
#include "common/crew.h"
#include "common/queue.h"
#include "unit.h"

#include <stdatomic.h>
#include <stdint.h>

static struct queue *new_queue(size_t capacity)
{
    struct queue *queue = NULL;
    struct error err;

    ck_assert_int_eq(queue_create(&queue, capacity, &err), ST_OK);
    return queue;
}

static void push(struct queue *queue, int *value)
{
    void *job = value;

    ck_assert_int_eq(queue_push(queue, &job), ST_OK);
    ck_assert_ptr_null(job);
}

START_TEST(jobs_leave_in_the_order_they_came)
{
    struct queue *queue = new_queue(3);
    int values[10];
    void *job = NULL;

    push(queue, &values[0]);
    for (size_t i = 1; i < COUNT_OF(values); i++) {
        push(queue, &values[i]);
        ck_assert_int_eq(queue_pop(queue, &job), ST_OK);
        ck_assert_ptr_eq(job, &values[i - 1]);
    }
    ck_assert_uint_eq(queue_length(queue), 1);
    ck_assert_int_eq(queue_pop(queue, &job), ST_OK);
    queue_destroy(&queue);
    ck_assert_ptr_null(queue);
}
END_TEST

START_TEST(push_after_close_keeps_the_job)
{
    struct queue *queue = new_queue(4);
    int value = 7;
    void *job = &value;

    queue_close(queue);
    queue_close(queue);

    ck_assert_int_eq(queue_push(queue, &job), ST_CLOSED);
    ck_assert_ptr_eq(job, &value);
    queue_destroy(&queue);
}
END_TEST

START_TEST(pop_drains_a_closed_queue_before_it_ends)
{
    struct queue *queue = new_queue(4);
    int values[2];
    void *job = NULL;

    push(queue, &values[0]);
    push(queue, &values[1]);
    queue_close(queue);

    ck_assert_int_eq(queue_pop(queue, &job), ST_OK);
    ck_assert_int_eq(queue_pop(queue, &job), ST_OK);
    ck_assert_ptr_eq(job, &values[1]);
    ck_assert_int_eq(queue_pop(queue, &job), ST_CLOSED);
    ck_assert_ptr_eq(job, &values[1]);
    queue_destroy(&queue);
}
END_TEST

START_TEST(pop_many_takes_what_is_there_up_to_max)
{
    struct queue *queue = new_queue(5);
    int values[5];
    void *jobs[4] = {NULL};

    for (size_t i = 0; i < COUNT_OF(values); i++)
        push(queue, &values[i]);

    ck_assert_uint_eq(queue_pop_many(queue, jobs, 4), 4);
    ck_assert_ptr_eq(jobs[0], &values[0]);
    ck_assert_ptr_eq(jobs[3], &values[3]);
    ck_assert_uint_eq(queue_pop_many(queue, jobs, 4), 1);
    ck_assert_ptr_eq(jobs[0], &values[4]);
    queue_close(queue);
    ck_assert_uint_eq(queue_pop_many(queue, jobs, 4), 0);
    queue_destroy(&queue);
}
END_TEST

START_TEST(a_capacity_beyond_memory_is_an_error)
{
    struct queue *queue = NULL;
    struct error err;

    ck_assert_int_eq(queue_create(&queue, SIZE_MAX / 2, &err), ST_SYSTEM);
    ck_assert_ptr_null(queue);
}
END_TEST

struct stuck {
    struct queue *queue;
    atomic_uint closed;
};

static void push_until_closed(void *context, unsigned index)
{
    struct stuck *stuck = context;
    int value = (int)index;
    void *job = &value;

    if (queue_push(stuck->queue, &job) == ST_CLOSED && job == &value)
        atomic_fetch_add(&stuck->closed, 1);
}

static void pop_until_closed(void *context, unsigned index)
{
    struct stuck *stuck = context;
    void *job = NULL;

    (void)index;
    if (queue_pop(stuck->queue, &job) == ST_CLOSED)
        atomic_fetch_add(&stuck->closed, 1);
}

START_TEST(close_frees_those_who_wait_for_room)
{
    struct stuck stuck = {.queue = new_queue(1)};
    struct crew *crew = NULL;
    struct error err;
    int value;
    void *job;

    push(stuck.queue, &value);
    ck_assert_int_eq(crew_start(&crew, "push", 3, push_until_closed, &stuck, &err),
                     ST_OK);
    queue_close(stuck.queue);
    crew_join(&crew);

    ck_assert_uint_eq(stuck.closed, 3);
    ck_assert_int_eq(queue_pop(stuck.queue, &job), ST_OK);
    queue_destroy(&stuck.queue);
}
END_TEST

START_TEST(close_frees_those_who_wait_for_jobs)
{
    struct stuck stuck = {.queue = new_queue(1)};
    struct crew *crew = NULL;
    struct error err;

    ck_assert_int_eq(crew_start(&crew, "pop", 3, pop_until_closed, &stuck, &err),
                     ST_OK);
    queue_close(stuck.queue);
    crew_join(&crew);

    ck_assert_uint_eq(stuck.closed, 3);
    queue_destroy(&stuck.queue);
}
END_TEST

enum { PRODUCERS = 3, CONSUMERS = 3, JOBS_EACH = 3000, JOBS = PRODUCERS * JOBS_EACH };

struct traffic {
    struct queue *queue;
    atomic_uint seen[JOBS];
    atomic_uint failures;
};

static void produce(void *context, unsigned index)
{
    struct traffic *traffic = context;

    for (unsigned i = 0; i < JOBS_EACH; i++) {
        void *job = &traffic->seen[index * JOBS_EACH + i];

        if (queue_push(traffic->queue, &job) != ST_OK)
            atomic_fetch_add(&traffic->failures, 1);
    }
}

static void consume(void *context, unsigned index)
{
    struct traffic *traffic = context;
    void *jobs[8];
    size_t n;

    while ((n = queue_pop_many(traffic->queue, jobs, 1 + index * 3)) > 0) {
        for (size_t i = 0; i < n; i++)
            atomic_fetch_add((atomic_uint *)jobs[i], 1);
    }
}

START_TEST(many_threads_see_every_job_once)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);
    struct crew *producers = NULL, *consumers = NULL;
    struct error err;

    ck_assert_ptr_nonnull(traffic);
    traffic->queue = new_queue(7);
    ck_assert_int_eq(
        crew_start(&consumers, "consume", CONSUMERS, consume, traffic, &err), ST_OK);
    ck_assert_int_eq(
        crew_start(&producers, "produce", PRODUCERS, produce, traffic, &err), ST_OK);
    crew_join(&producers);
    queue_close(traffic->queue);
    crew_join(&consumers);

    ck_assert_uint_eq(traffic->failures, 0);
    for (unsigned i = 0; i < JOBS; i++)
        ck_assert_uint_eq(traffic->seen[i], 1);
    queue_destroy(&traffic->queue);
    free(traffic);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *cases = tcase_create("jobs");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, jobs_leave_in_the_order_they_came);
    tcase_add_test(cases, push_after_close_keeps_the_job);
    tcase_add_test(cases, pop_drains_a_closed_queue_before_it_ends);
    tcase_add_test(cases, pop_many_takes_what_is_there_up_to_max);
    tcase_add_test(cases, a_capacity_beyond_memory_is_an_error);
    tcase_add_test(cases, close_frees_those_who_wait_for_room);
    tcase_add_test(cases, close_frees_those_who_wait_for_jobs);
    tcase_add_test(cases, many_threads_see_every_job_once);
    return unit_run(suite);
}
