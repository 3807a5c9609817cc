/* SPDX-License-Identifier: MIT */
#include "common/crew.h"
#include "receiver/metrics.h"
#include "unit.h"

#include <string.h>

static struct metrics metrics;
static struct reply reply;

static void set_up(void)
{
    memset((void *)&metrics, 0, sizeof metrics);
    reply_init(&reply);
}

static void tear_down(void)
{
    reply_release(&reply);
}

static void answered(int status, const char *title, bool upload)
{
    if (status >= 400)
        reply_problem(&reply, status, title, "because");
    else
        reply.status = status;
    metrics_answered(&metrics, &reply, upload, 1000);
    reply_release(&reply);
    reply_init(&reply);
}

static bool scrape_has(const char *line)
{
    struct metrics_gauges now = {.ready = true, .free_bytes = 12345};
    char *copy;
    bool found;

    metrics_reply(&metrics, &now, &reply);
    ck_assert_int_eq(reply.status, 200);
    copy = strndup(reply.text, reply.length);
    found = strstr(copy, line) != NULL;
    free(copy);
    reply_release(&reply);
    reply_init(&reply);
    return found;
}

START_TEST(each_answer_counts_where_it_belongs)
{
    answered(201, NULL, true);
    answered(200, NULL, true);
    answered(200, NULL, false);
    answered(404, "No such blob", false);
    answered(400, "Digest mismatch", true);
    answered(400, "Digest mismatch", true);
    answered(418, "Teapot", true);

    ck_assert(scrape_has("\nblob_receiver_blobs_stored_total 1\n"));
    ck_assert(scrape_has("\nblob_receiver_blobs_replayed_total 1\n"));
    ck_assert(scrape_has("rejected_total{reason=\"digest_mismatch\"} 2\n"));
    ck_assert(scrape_has("rejected_total{reason=\"other\"} 1\n"));
    ck_assert(scrape_has("requests_total{code=\"200\"} 2\n"));
    ck_assert(scrape_has("requests_total{code=\"404\"} 1\n"));
    ck_assert(scrape_has("\nblob_receiver_request_duration_seconds_count 7\n"));
}
END_TEST

START_TEST(what_is_not_known_is_other)
{
    ck_assert_str_eq(metrics_reason(NULL), "other");
    ck_assert_str_eq(metrics_reason(""), "other");
    ck_assert_str_eq(metrics_reason("digest mismatch"), "other");
    ck_assert_str_eq(metrics_reason("Insufficient storage"), "insufficient_storage");
}
END_TEST

START_TEST(a_status_that_is_none_is_not_counted)
{
    reply.status = METRICS_STATUSES;
    metrics_answered(&metrics, &reply, false, 0);
    reply.status = -1;
    metrics_answered(&metrics, &reply, false, 0);
    ck_assert(!scrape_has("requests_total{"));
    ck_assert(scrape_has("\nblob_receiver_request_duration_seconds_count 0\n"));
}
END_TEST

static void look(void *context, struct metrics_gauges *out)
{
    out->connections = *(const unsigned *)context;
}

START_TEST(gauges_come_from_both_sides)
{
    unsigned connections = 7;

    metrics.look = look;
    metrics.server = &connections;
    ck_assert(scrape_has("\nblob_receiver_connections 7\n"));
    ck_assert(scrape_has("\nblob_receiver_filesystem_free_bytes 12345\n"));
    ck_assert(scrape_has("\nblob_receiver_ready 1\n"));
    ck_assert(scrape_has("\nblob_receiver_build_info{version=\""));
}
END_TEST

enum { THREADS = 4, ANSWERS = 20000 };

static void answer_many(void *context, unsigned index)
{
    struct reply stored;

    (void)context;
    (void)index;
    reply_init(&stored);
    stored.status = 201;
    for (int i = 0; i < ANSWERS; i++)
        metrics_answered(&metrics, &stored, true, 10);
}

START_TEST(threads_lose_no_answer)
{
    struct crew *crew = NULL;
    struct error err;

    ck_assert_int_eq(crew_start(&crew, "answer", THREADS, answer_many, NULL, &err),
                     ST_OK);
    crew_join(&crew);
    ck_assert_uint_eq(metrics.stored, THREADS * ANSWERS);
    ck_assert_uint_eq(metrics.answered[201], THREADS * ANSWERS);
    ck_assert_uint_eq(metrics.request_us.count, THREADS * ANSWERS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *cases = tcase_create("metrics");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, each_answer_counts_where_it_belongs);
    tcase_add_test(cases, what_is_not_known_is_other);
    tcase_add_test(cases, a_status_that_is_none_is_not_counted);
    tcase_add_test(cases, gauges_come_from_both_sides);
    tcase_add_test(cases, threads_lose_no_answer);
    return unit_run(suite);
}
