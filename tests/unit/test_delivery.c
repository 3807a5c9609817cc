/* SPDX-License-Identifier: MIT */
#include "common/digest_field.h"
#include "common/exchange.h"
#include "common/log.h"
#include "scratch.h"
#include "scripted_server.h"
#include "sender/delivery.h"
#include "unit.h"

#include <sodium.h>
#include <stdio.h>

enum { BLOB_BYTES = 3000, ANSWERS_MAX = 4, ANSWER_SIZE = 512, MAX_ATTEMPTS = 3 };

#define LENGTH(n) "Content-Length: " #n "\r\n\r\n"
#define MISMATCH                                                                       \
    "HTTP/1.1 400 Bad\r\nContent-Type: application/problem+json\r\n" LENGTH(           \
        46) "{\"type\":\"https://x/#digest-mismatched-values\"}"
#define CREATED   "HTTP/1.1 201 Created\r\nRepr-Digest: %s\r\n" LENGTH(0)
#define THERE     "HTTP/1.1 200 OK\r\nRepr-Digest: %s\r\n" LENGTH(0)
#define NO_DIGEST "HTTP/1.1 201 Created\r\n" LENGTH(0)
#define NOT_OURS                                                                       \
    "HTTP/1.1 201 Created\r\n"                                                         \
    "Repr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\r\n" LENGTH(  \
        0)
#define BUSY      "HTTP/1.1 503 Busy\r\n" LENGTH(0)
#define CONFLICT  "HTTP/1.1 409 Conflict\r\n" LENGTH(0)
#define OTHER_400 "HTTP/1.1 400 Bad\r\n" LENGTH(0)
#define DROPPED   ""

/* What the receiver answers, and what must become of the blob. %s: its digest. */
static const struct {
    const char *answer[ANSWERS_MAX]; /* DROPPED: it closes the connection */
    unsigned percent;
    struct {
        unsigned delivered, dead, retried, injected, undetected;
    } expected;
} rows[] = {
    {{CREATED}, 0, {.delivered = 1}},
    {{THERE}, 0, {.delivered = 1}},
    {{BUSY, DROPPED, CREATED}, 0, {.delivered = 1, .retried = 2}},
    {{BUSY, BUSY, BUSY}, 0, {.dead = 1, .retried = 2}},
    {{NO_DIGEST, NOT_OURS, CREATED}, 0, {.delivered = 1, .retried = 2}},
    {{NO_DIGEST, NO_DIGEST, NO_DIGEST}, 0, {.dead = 1, .retried = 2}},
    {{MISMATCH, CREATED}, 0, {.delivered = 1, .retried = 1}},
    {{CONFLICT}, 0, {.dead = 1}},
    {{OTHER_400}, 0, {.dead = 1}},
    {{MISMATCH, MISMATCH, MISMATCH}, 100, {.dead = 1, .retried = 2, .injected = 3}},
    {{CREATED}, 100, {.dead = 1, .undetected = 1}},
    {{THERE}, 100, {.delivered = 1}},
};

static struct scratch scratch;
static struct spool *spool;
static struct queue *queue;
static struct report report;
static struct latch abandon;
static struct error err;

static void set_up(void)
{
    const struct spool_config config = {.dir = scratch.path};
    unsigned swept;

    memset((void *)&report, 0, sizeof report);
    latch_init(&abandon);
    scratch_create(&scratch);
    ck_assert_int_eq(spool_open(&spool, &config, &swept, &err), ST_OK);
    ck_assert_int_eq(queue_create(&queue, 1, &err), ST_OK);
}

static void tear_down(void)
{
    queue_destroy(&queue);
    spool_close(&spool);
    scratch_remove(&scratch);
    latch_release(&abandon);
}

static void fill(void *context, uint64_t offset, void *into, size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)into)[i] = server_pattern(offset + i);
}

static struct uuid store(char digest[DIGEST_FIELD_TEXT_SIZE])
{
    struct uuid id = uuid_generate(1000);
    struct blob_info info;
    int fd = -1;

    ck_assert_int_eq(spool_store(spool, &id, BLOB_BYTES, fill, NULL, &err), ST_OK);
    ck_assert_int_eq(spool_fetch(spool, &id, &fd, &info, &err), ST_OK);
    close(fd);
    digest_field_format(digest, &info.digest);
    return id;
}

static void deliver(const struct uuid *id, unsigned port, unsigned percent)
{
    char url[64];
    const struct delivery_config config = {
        .queue = queue,
        .spool = spool,
        .report = &report,
        .abandon = &abandon,
        .url = url,
        .timeout_ms = 10000,
        .retry = {.base_ms = 1, .cap_ms = 1, .max_attempts = MAX_ATTEMPTS},
        .inject = {.percent = percent},
    };
    struct delivery_job *job = malloc(sizeof *job);
    struct delivery *delivery = NULL;
    void *cargo = job;

    ck_assert_ptr_nonnull(job);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/blobs", port);
    *job = (struct delivery_job){.id = *id};
    ck_assert_int_eq(queue_push(queue, &cargo), ST_OK);
    queue_close(queue);
    ck_assert_int_eq(delivery_create(&delivery, &config, 1, &err), ST_OK);
    delivery_work(delivery, 0);
    delivery_destroy(&delivery);
}

START_TEST(answer_decides_what_becomes_of_the_blob)
{
    char digest[DIGEST_FIELD_TEXT_SIZE], answer[ANSWERS_MAX][ANSWER_SIZE];
    struct server_step step[ANSWERS_MAX] = {{.answer = NULL}};
    const struct uuid id = store(digest);
    struct server server;
    struct uuid *left = NULL;
    size_t steps = 0, pending = 0;

    for (; steps < ANSWERS_MAX && rows[_i].answer[steps]; steps++) {
        const char *text = rows[_i].answer[steps], *at = strstr(text, "%s");

        snprintf(answer[steps], ANSWER_SIZE, "%.*s%s%s",
                 at ? (int)(at - text) : (int)strlen(text), text, at ? digest : "",
                 at ? at + 2 : "");
        step[steps].answer = answer[steps];
        /* A connection used before would make libcurl try again by itself. */
        step[steps].after = CLOSE;
    }
    server_start(&server, step, steps);
    deliver(&id, server.port, rows[_i].percent);
    server_stop(&server);

    ck_assert_uint_eq(report.delivered, rows[_i].expected.delivered);
    ck_assert_uint_eq(report.dead, rows[_i].expected.dead);
    ck_assert_uint_eq(report.retried, rows[_i].expected.retried);
    ck_assert_uint_eq(report.injected, rows[_i].expected.injected);
    ck_assert_uint_eq(report.undetected, rows[_i].expected.undetected);
    ck_assert_uint_eq(report.left + report.lost, 0);
    for (size_t i = 0; i < steps; i++) {
        ck_assert_uint_eq(server.record[i].body_bytes, BLOB_BYTES);
        ck_assert_int_eq(server.record[i].body_is_right, rows[_i].percent == 0);
        ck_assert_ptr_nonnull(strstr(server.record[i].head, digest));
    }
    ck_assert_int_eq(spool_list(spool, &left, &pending, &err), ST_OK);
    ck_assert_uint_eq(pending, 0);
    free(left);
}
END_TEST

START_TEST(rotten_file_becomes_a_dead_letter_at_once)
{
    const struct server_step step = {.answer = MISMATCH, .after = CLOSE};
    char digest[DIGEST_FIELD_TEXT_SIZE], name[BLOB_FILE_NAME_SIZE];
    const struct uuid id = store(digest);
    struct server server;
    int fd = openat(scratch.dir_fd, blob_file_name(name, &id), O_WRONLY | O_CLOEXEC);

    ck_assert_int_eq(pwrite(fd, "rot", 3, 100), 3);
    close(fd);
    server_start(&server, &step, 1);
    deliver(&id, server.port, 0);
    server_stop(&server);
    ck_assert_uint_eq(report.dead, 1);
    ck_assert_uint_eq(report.retried, 0);
}
END_TEST

START_TEST(vanished_file_is_counted_as_lost)
{
    char digest[DIGEST_FIELD_TEXT_SIZE];
    const struct uuid id = store(digest);

    ck_assert_int_eq(spool_forget(spool, &id, &err), ST_OK);
    deliver(&id, 1, 0);
    ck_assert_uint_eq(report.lost, 1);
}
END_TEST

START_TEST(abandoned_blob_stays_in_the_spool)
{
    const struct server_step step = {.after = HOLD, .signal = &abandon};
    char digest[DIGEST_FIELD_TEXT_SIZE];
    const struct uuid id = store(digest);
    struct server server;
    struct uuid *left = NULL;
    size_t pending = 0;

    server_start(&server, &step, 1);
    deliver(&id, server.port, 0);
    server_stop(&server);
    ck_assert_uint_eq(report.left, 1);
    ck_assert_int_eq(spool_list(spool, &left, &pending, &err), ST_OK);
    ck_assert_uint_eq(pending, 1);
    free(left);
}
END_TEST

static Suite *delivery_suite(void)
{
    Suite *suite = suite_create("delivery");
    TCase *tcase = tcase_create("delivery");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, answer_decides_what_becomes_of_the_blob, 0,
                        COUNT_OF(rows));
    tcase_add_test(tcase, rotten_file_becomes_a_dead_letter_at_once);
    tcase_add_test(tcase, vanished_file_is_counted_as_lost);
    tcase_add_test(tcase, abandoned_blob_stays_in_the_spool);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    const struct log_config quiet = {.program = "test", .file = "/dev/null"};
    struct error trouble;
    int code;

    if (sodium_init() < 0 || log_open(&quiet, &trouble) != ST_OK ||
        exchange_global_init(&trouble) != ST_OK)
        return EXIT_FAILURE;
    code = unit_run(delivery_suite());
    exchange_global_cleanup();
    log_close();
    return code;
}
