/* SPDX-License-Identifier: MIT */
#include "common/exchange.h"
#include "scripted_server.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { URL_SIZE = 64 };

static enum status read_pattern(void *context, uint64_t offset, void *into, size_t n,
                                struct error *err)
{
    (void)context;
    (void)err;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)into)[i] = server_pattern(offset + i);
    return ST_OK;
}

static enum status read_fails(void *context, uint64_t offset, void *into, size_t n,
                              struct error *err)
{
    (void)context;
    (void)offset;
    memset(into, 0, n);
    return error_set(err, ST_CORRUPT, "the source has changed");
}

/* An exchange and the server it talks to. */
struct pair {
    struct server server;
    struct exchange *exchange;
    char url[URL_SIZE];
    struct exchange_response response;
    struct error err;
};

static struct pair pair;

static void pair_start_with(const struct server_step *step, size_t steps,
                            const struct exchange_config *config)
{
    memset(&pair, 0, sizeof pair);
    server_start(&pair.server, step, steps);
    snprintf(pair.url, sizeof pair.url, "http://127.0.0.1:%u/a/b", pair.server.port);
    ck_assert_int_eq(exchange_create(&pair.exchange, config, &pair.err), ST_OK);
}

static void pair_start(const struct server_step *step, size_t steps)
{
    const struct exchange_config config = {.connect_timeout_ms = 5000};

    pair_start_with(step, steps, &config);
}

static void pair_stop(void)
{
    exchange_destroy(&pair.exchange);
    server_stop(&pair.server);
}

static enum status perform(const char *method, const struct exchange_body *body)
{
    const struct exchange_request request = {
        .method = method, .url = pair.url, .body = body, .timeout_ms = 10000};

    return exchange_perform(pair.exchange, &request, &pair.response, &pair.err);
}

static enum status post(uint64_t bytes)
{
    const struct exchange_body body = {.size = bytes, .read = read_pattern};

    return perform("POST", &body);
}

static bool asked(size_t step, const char *text)
{
    return strcasestr(pair.server.record[step].head, text) != NULL;
}

static const char created[] = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n"
                              "Repr-Digest: sha-256=:AAAA:\r\n\r\nok";
static const char empty[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

static const uint64_t body_sizes[] = {0,     1,      65535,  65536,
                                      65537, 524288, 524289, 1572865};

START_TEST(body_arrives_whole_and_the_connection_stays)
{
    const struct server_step steps[] = {{.answer = created}, {.answer = empty}};
    uint64_t bytes = body_sizes[_i];
    char digest[32];

    pair_start(steps, 2);
    ck_assert_int_eq(post(bytes), ST_OK);
    ck_assert_int_eq(pair.response.status, 201);
    ck_assert_str_eq(pair.response.body, "ok");
    ck_assert_uint_eq(pair.response.body_length, 2);
    ck_assert(
        exchange_response_header(pair.exchange, "repr-digest", digest, sizeof digest));
    ck_assert_str_eq(digest, "sha-256=:AAAA:");
    ck_assert(!exchange_response_header(pair.exchange, "ETag", digest, sizeof digest));
    ck_assert_int_eq(perform("GET", NULL), ST_OK);
    ck_assert(
        !exchange_response_header(pair.exchange, "Repr-Digest", digest, sizeof digest));
    pair_stop();

    ck_assert_uint_eq(pair.server.record[0].body_bytes, bytes);
    ck_assert(pair.server.record[0].body_is_right);
    ck_assert_uint_eq(pair.server.connections, 1);
    ck_assert(!asked(0, "Content-Type"));
    ck_assert_int_eq(asked(0, "Expect"), bytes > 1024 * 1024);
}
END_TEST

START_TEST(methods_do_not_rub_off_on_each_other)
{
    static const char *const methods[] = {"POST", "HEAD", "PUT",   "GET",
                                          "HEAD", "POST", "DELETE"};
    const struct exchange_body body = {.size = 3, .read = read_pattern};
    const struct server_step steps[] = {
        {.answer = empty}, {.answer = empty}, {.answer = empty}, {.answer = empty},
        {.answer = empty}, {.answer = empty}, {.answer = empty}};

    pair_start(steps, COUNT_OF(steps));
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        bool sends = methods[i][0] == 'P';

        ck_assert_int_eq(perform(methods[i], sends ? &body : NULL), ST_OK);
    }
    pair_stop();

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        bool sends = methods[i][0] == 'P';
        char line[32];

        snprintf(line, sizeof line, "%s /a/b HTTP/1.1\r\n", methods[i]);
        ck_assert_int_eq(strncmp(pair.server.record[i].head, line, strlen(line)), 0);
        ck_assert_int_eq(asked(i, "Content-Length: 3\r\n"), sends);
        ck_assert_int_eq(asked(i, "Expect"), 0);
        ck_assert_uint_eq(pair.server.record[i].body_bytes, sends ? 3 : 0);
    }
    ck_assert_uint_eq(pair.server.connections, 1);
}
END_TEST

START_TEST(headers_are_sent_or_withheld_as_asked)
{
    const struct server_step steps[] = {{.answer = empty}};
    const struct exchange_header headers[] = {
        {"Content-Type", "text/plain"}, {"X-One", "1"}, {"Accept", ""}};
    struct exchange_request request = {
        .method = "POST", .headers = headers, .header_count = COUNT_OF(headers)};

    pair_start(steps, 1);
    request.url = pair.url;
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err), ST_OK);
    pair_stop();

    ck_assert(asked(0, "\r\nContent-Type: text/plain\r\n"));
    ck_assert(asked(0, "\r\nX-One: 1\r\n"));
    ck_assert(!asked(0, "\r\nAccept:"));
    ck_assert(asked(0, "\r\nContent-Length: 0\r\n"));
}
END_TEST

START_TEST(nonsense_is_refused_before_anything_is_sent)
{
    const struct exchange_header split = {"X", "a\r\nY: b"};
    struct exchange_request request = {.method = "GET", .url = "http://"};

    pair_start(NULL, 0);
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err),
        ST_INVALID);
    request.url = "file:///etc/passwd";
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err),
        ST_INVALID);
    request.url = pair.url;
    request.headers = &split;
    request.header_count = 1;
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err),
        ST_INVALID);
    pair_stop();
}
END_TEST

START_TEST(refused_connection_names_the_origin_and_no_secret)
{
    char expected[128], url[128];
    struct exchange_request request = {.method = "GET", .url = url};

    pair_start(NULL, 0);
    server_stop(&pair.server);
    snprintf(url, sizeof url, "http://user:word@127.0.0.1:%u/x?key=secret",
             pair.server.port);
    snprintf(expected, sizeof expected,
             "cannot connect to http://127.0.0.1:%u: Connection refused",
             pair.server.port);

    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err), ST_AGAIN);
    ck_assert_str_eq(pair.err.text, expected);
    ck_assert_int_eq(pair.err.sys, ECONNREFUSED);
    exchange_destroy(&pair.exchange);
}
END_TEST

static const struct {
    const char *name;
    struct server_step step;
} broken_answers[] = {
    {"reset", {.after = RESET}},
    {"closed", {.after = CLOSE}},
    {"cut in the headers", {.answer = "HTTP/1.1 200 OK\r\nCont", .after = CLOSE}},
    {"cut in the body",
     {.answer = "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nhalf",
      .after = CLOSE}},
    {"not HTTP", {.answer = "SSH-2.0-OpenSSH_9.2\r\n", .after = CLOSE}},
};

START_TEST(broken_answer_is_worth_another_attempt)
{
    pair_start(&broken_answers[_i].step, 1);
    ck_assert_msg(post(100000) == ST_AGAIN, "%s: %s", broken_answers[_i].name,
                  pair.err.text);
    pair_stop();
}
END_TEST

START_TEST(request_that_hits_a_dying_connection_is_replayed_whole)
{
    const struct server_step steps[] = {
        {.answer = empty}, {.after = CLOSE}, {.answer = created}};

    pair_start(steps, 3);
    ck_assert_int_eq(post(10), ST_OK);
    ck_assert_int_eq(post(300000), ST_OK);
    ck_assert_int_eq(pair.response.status, 201);
    pair_stop();

    ck_assert_uint_eq(pair.server.record[2].body_bytes, 300000);
    ck_assert(pair.server.record[2].body_is_right);
    ck_assert_uint_eq(pair.server.connections, 2);
}
END_TEST

START_TEST(retry_after_is_reported_in_milliseconds)
{
    const struct server_step steps[] = {
        {.answer = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"},
        {.answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"},
    };

    pair_start(steps, 2);
    ck_assert_int_eq(post(10), ST_OK);
    ck_assert_int_eq(pair.response.status, 503);
    ck_assert_uint_eq(pair.response.retry_after_ms, 7000);
    ck_assert_int_eq(post(10), ST_OK);
    ck_assert_uint_eq(pair.response.retry_after_ms, 0);
    pair_stop();
}
END_TEST

START_TEST(early_refusal_is_the_answer_whatever_becomes_of_the_upload)
{
    const struct server_step steps[] = {
        {.answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n"
                   "Connection: close\r\n\r\nlarge",
         .leave_body = true,
         .after = CLOSE}};

    pair_start(steps, 1);
    ck_assert_msg(post(8 * 1024 * 1024) == ST_OK, "%s", pair.err.text);
    ck_assert_int_eq(pair.response.status, 413);
    pair_stop();
}
END_TEST

START_TEST(long_answer_is_cut_to_what_is_kept)
{
    static char answer[EXCHANGE_BODY_MAX + 4096];
    const struct server_step steps[] = {{.answer = answer}, {.answer = created}};
    int head;

    head = snprintf(answer, sizeof answer,
                    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                    EXCHANGE_BODY_MAX + 100);
    memset(answer + head, 'x', EXCHANGE_BODY_MAX + 100);
    pair_start(steps, 2);
    ck_assert_int_eq(perform("GET", NULL), ST_OK);
    ck_assert_uint_eq(pair.response.body_length, EXCHANGE_BODY_MAX);
    ck_assert_uint_eq(strlen(pair.response.body), EXCHANGE_BODY_MAX);
    ck_assert_int_eq(perform("GET", NULL), ST_OK);
    ck_assert_str_eq(pair.response.body, "ok");
    pair_stop();
}
END_TEST

START_TEST(silence_ends_with_the_timeout)
{
    const struct server_step steps[] = {{.after = HOLD}};
    struct exchange_request request = {.method = "GET", .timeout_ms = 50};

    pair_start(steps, 1);
    request.url = pair.url;
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err), ST_AGAIN);
    pair_stop();
}
END_TEST

START_TEST(stalled_transfer_is_given_up)
{
    const struct server_step steps[] = {
        {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1", .after = HOLD}};
    struct exchange_request request = {.method = "GET",
                                       .timeout_ms = 20000,
                                       .stall_bytes_per_s = 1000,
                                       .stall_ms = 100};

    pair_start(steps, 1);
    request.url = pair.url;
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err), ST_AGAIN);
    ck_assert_ptr_nonnull(strstr(pair.err.text, "slower than 1000 bytes/s"));
    pair_stop();
}
END_TEST

START_TEST(cancel_ends_a_transfer_and_prevents_the_next)
{
    struct latch cancel;
    const struct server_step steps[] = {{.after = HOLD, .signal = &cancel}};
    const struct exchange_config config = {.connect_timeout_ms = 5000,
                                           .cancel = &cancel};

    latch_init(&cancel);
    pair_start_with(steps, 1, &config);
    ck_assert_int_eq(post(10), ST_CLOSED);
    ck_assert_int_eq(post(10), ST_CLOSED);
    pair_stop();
    latch_release(&cancel);
}
END_TEST

START_TEST(source_that_fails_ends_the_exchange_with_its_own_verdict)
{
    const struct server_step steps[] = {{.after = CLOSE}};
    const struct exchange_body body = {.size = _i == 0 ? 10 : 100000,
                                       .read = read_fails};

    pair_start(steps, 1);
    ck_assert_int_eq(perform("POST", &body), ST_CORRUPT);
    ck_assert_str_eq(pair.err.text, "the source has changed");
    pair_stop();
}
END_TEST

/* A sink that records, and fails where it is told to. */
struct tray {
    unsigned begun;
    int status;
    char type[32], bytes[32];
    size_t length;
    bool fail_begin, fail_write;
};

static enum status tray_begin(void *context, struct exchange *exchange,
                              const struct exchange_response *response,
                              struct error *err)
{
    struct tray *tray = context;

    tray->begun++;
    tray->status = response->status;
    if (!exchange_response_header(exchange, "Content-Type", tray->type,
                                  sizeof tray->type))
        tray->type[0] = '\0';
    return tray->fail_begin ? error_set(err, ST_REFUSED, "not this one") : ST_OK;
}

static enum status tray_write(void *context, const void *bytes, size_t n,
                              struct error *err)
{
    struct tray *tray = context;

    if (tray->fail_write)
        return error_sys(err, ENOSPC, "write");
    ck_assert_uint_le(tray->length + n, sizeof tray->bytes);
    memcpy(tray->bytes + tray->length, bytes, n);
    tray->length += n;
    return ST_OK;
}

static enum status get_into(struct tray *tray, unsigned redirects)
{
    const struct exchange_sink sink = {tray_begin, tray_write, tray};
    const struct exchange_header headers[] = {
        {"Authorization", "Bearer t"}, {"Cookie", "c=1"}, {"X-Other", "o"}};
    const struct exchange_request request = {.method = "GET",
                                             .url = pair.url,
                                             .headers = headers,
                                             .header_count = COUNT_OF(headers),
                                             .sink = &sink,
                                             .timeout_ms = 10000,
                                             .max_redirects = redirects};

    return exchange_perform(pair.exchange, &request, &pair.response, &pair.err);
}

static const char typed[] = "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n"
                            "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";

START_TEST(sink_sees_the_headers_first_and_then_every_byte)
{
    const struct server_step steps[] = {{.answer = typed}, {.answer = empty}};
    struct tray tray = {.begun = 0}, nothing = {.begun = 0};

    pair_start(steps, 2);
    ck_assert_int_eq(get_into(&tray, 0), ST_OK);
    ck_assert_int_eq(get_into(&nothing, 0), ST_OK);
    pair_stop();

    ck_assert_uint_eq(tray.begun, 1);
    ck_assert_int_eq(tray.status, 200);
    ck_assert_str_eq(tray.type, "text/x");
    ck_assert_uint_eq(tray.length, 5);
    ck_assert_int_eq(memcmp(tray.bytes, "abcde", 5), 0);
    ck_assert_uint_eq(nothing.begun, 1);
}
END_TEST

START_TEST(sink_that_fails_ends_the_exchange_with_its_own_verdict)
{
    const struct server_step steps[] = {
        {.answer = typed}, {.answer = typed}, {.answer = empty}};
    struct tray unwanted = {.fail_begin = true}, full = {.fail_write = true};

    pair_start(steps, 3);
    ck_assert_int_eq(get_into(&unwanted, 0), ST_REFUSED);
    ck_assert_int_eq(get_into(&full, 0), ST_SYSTEM);
    ck_assert_int_eq(pair.err.sys, ENOSPC);
    ck_assert_int_eq(get_into(&unwanted, 0), ST_REFUSED); /* without a body, too */
    pair_stop();
}
END_TEST

enum { BLOCK_BYTES = 48 * 1024 }; /* whole steps of libcurl */

struct block {
    char bytes[BLOCK_BYTES];
    size_t length;
    struct latch *whole;
};

static enum status block_write(void *context, const void *bytes, size_t n,
                               struct error *err)
{
    struct block *block = context;

    (void)err;
    ck_assert_uint_le(block->length + n, BLOCK_BYTES);
    memcpy(block->bytes + block->length, bytes, n);
    block->length += n;
    if (block->length == BLOCK_BYTES && block->whole != NULL)
        latch_set(block->whole);
    return ST_OK;
}

static const size_t receive_buffers[] = {0, 20 * 1024, 512 * 1024};

/* The answer is cut, or stays away: what has come is the sink's all the same. */
START_TEST(sink_gets_what_has_come_before_anything_is_waited_for)
{
    static char answer[BLOCK_BYTES + 128];
    static struct block closed, held;
    struct latch cancel;
    const struct server_step steps[] = {{.answer = answer, .after = CLOSE},
                                        {.answer = answer, .after = HOLD}};
    const struct exchange_config config = {.connect_timeout_ms = 5000,
                                           .receive_buffer_bytes = receive_buffers[_i],
                                           .cancel = &cancel};
    struct exchange_sink sink = {.write = block_write, .context = &closed};
    const struct exchange_request request = {
        .method = "GET", .url = pair.url, .sink = &sink, .timeout_ms = 15000};
    int head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");

    for (size_t i = 0; i < BLOCK_BYTES; i++)
        answer[(size_t)head + i] = (char)('a' + i / 100 % 26);
    latch_init(&cancel);
    closed.length = held.length = 0;
    held.whole = &cancel;
    pair_start_with(steps, 2, &config);
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err), ST_AGAIN);
    sink.context = &held;
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err),
        ST_CLOSED);
    pair_stop();
    latch_release(&cancel);

    ck_assert_uint_eq(closed.length, BLOCK_BYTES);
    ck_assert_int_eq(memcmp(closed.bytes, answer + head, BLOCK_BYTES), 0);
    ck_assert_int_eq(memcmp(held.bytes, answer + head, BLOCK_BYTES), 0);
}
END_TEST

static const char moved[] = "HTTP/1.1 302 Found\r\nLocation: ../c?d=e\r\n"
                            "Content-Length: 4\r\n\r\ngone";

START_TEST(redirect_is_an_answer_unless_it_is_to_be_followed)
{
    const struct server_step steps[] = {
        {.answer = moved}, {.answer = moved}, {.answer = typed}};
    struct tray tray = {.begun = 0}, followed = {.begun = 0};

    pair_start(steps, 3);
    ck_assert_int_eq(get_into(&tray, 0), ST_OK);
    ck_assert_int_eq(pair.response.status, 302);
    ck_assert_int_eq(tray.status, 302);
    ck_assert_uint_eq(tray.length, 4);
    ck_assert_int_eq(get_into(&followed, 1), ST_OK);
    ck_assert_int_eq(pair.response.status, 200);
    ck_assert_uint_eq(followed.begun, 1);
    ck_assert_uint_eq(followed.length, 5);
    pair_stop();

    ck_assert_int_eq(strncmp(pair.server.record[2].head, "GET /c?d=e HTTP/1.1\r\n", 21),
                     0);
    ck_assert(asked(2, "Authorization: Bearer t\r\n"));
    ck_assert_uint_eq(pair.server.connections, 1);
}
END_TEST

START_TEST(redirect_with_an_endless_body_is_not_followed)
{
    static char answer[128 * 1024];
    const struct server_step steps[] = {{.answer = answer, .after = CLOSE}};
    struct tray tray = {.begun = 0};
    int head = snprintf(answer, sizeof answer,
                        "HTTP/1.1 302 Found\r\nLocation: /b\r\n"
                        "Content-Length: 1000000\r\n\r\n");

    memset(answer + head, 'x', 100 * 1000);
    pair_start(steps, 1);
    ck_assert_int_eq(get_into(&tray, 3), ST_AGAIN);
    ck_assert_ptr_nonnull(strstr(pair.err.text, "with a redirect"));
    ck_assert_uint_eq(tray.begun, 0);
    pair_stop();
}
END_TEST

START_TEST(answer_without_end_is_not_read_to_it)
{
    enum { LENGTH = 6 * 1024 * 1024 };
    char *answer = malloc(LENGTH + 128);
    const struct server_step steps[] = {{.answer = answer, .after = CLOSE}};
    int head;

    ck_assert_ptr_nonnull(answer);
    head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LENGTH);
    memset(answer + head, 'x', LENGTH);
    answer[head + LENGTH] = '\0';
    pair_start(steps, 1);
    ck_assert_int_eq(perform("GET", NULL), ST_AGAIN);
    ck_assert_ptr_nonnull(strstr(pair.err.text, "without end"));
    pair_stop();
    free(answer);
}
END_TEST

static const char *const unusable_locations[] = {
    "Location: http://h:99999999/", "Location: ftp://127.0.0.1/a",
    "Location: file:///etc/passwd", "Location: http://", "X-Location: /b"};

START_TEST(redirect_that_leads_nowhere_is_an_answer)
{
    char answer[256];
    const struct server_step steps[] = {{.answer = answer}};
    struct tray tray = {.begun = 0};

    snprintf(answer, sizeof answer,
             "HTTP/1.1 302 Found\r\n%s\r\nContent-Length: 4\r\n\r\ngone",
             unusable_locations[_i]);
    pair_start(steps, 1);
    ck_assert_int_eq(get_into(&tray, 3), ST_OK);
    ck_assert_int_eq(tray.status, 302);
    ck_assert_uint_eq(tray.length, 4);
    pair_stop();
}
END_TEST

START_TEST(redirects_end_where_they_were_to_end)
{
    const struct server_step steps[] = {
        {.answer = moved}, {.answer = moved}, {.answer = moved}};
    struct tray tray = {.begun = 0};

    pair_start(steps, 3);
    ck_assert_int_eq(get_into(&tray, 2), ST_OK);
    ck_assert_int_eq(pair.response.status, 302);
    pair_stop();
}
END_TEST

START_TEST(credentials_do_not_follow_to_another_origin)
{
    char away[128];
    const struct server_step first[] = {{.answer = away}},
                             second[] = {{.answer = typed}};
    struct server other;
    struct tray tray = {.begun = 0};

    server_start(&other, second, 1);
    snprintf(away, sizeof away,
             "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/z\r\n"
             "Content-Length: 0\r\n\r\n",
             other.port);
    pair_start(first, 1);
    ck_assert_int_eq(get_into(&tray, 3), ST_OK);
    ck_assert_int_eq(pair.response.status, 200);
    pair_stop();
    server_stop(&other);

    ck_assert(asked(0, "Authorization: Bearer t\r\n"));
    ck_assert_ptr_null(strcasestr(other.record[0].head, "Authorization"));
    ck_assert_ptr_null(strcasestr(other.record[0].head, "Cookie"));
    ck_assert_ptr_nonnull(strcasestr(other.record[0].head, "X-Other: o\r\n"));
}
END_TEST

START_TEST(redirect_repeats_a_body_only_when_it_says_so)
{
    const struct server_step steps[] = {
        {.answer =
             "HTTP/1.1 307 Temporary\r\nLocation: /q\r\nContent-Length: 0\r\n\r\n"},
        {.answer = created},
        {.answer = moved}};
    const struct exchange_body body = {.size = 70000, .read = read_pattern};
    struct exchange_request request = {
        .method = "PUT", .body = &body, .timeout_ms = 10000, .max_redirects = 5};

    pair_start(steps, 3);
    request.url = pair.url;
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err), ST_OK);
    ck_assert_int_eq(pair.response.status, 201);
    ck_assert_int_eq(
        exchange_perform(pair.exchange, &request, &pair.response, &pair.err), ST_OK);
    ck_assert_int_eq(pair.response.status, 302);
    pair_stop();

    ck_assert(asked(1, "PUT /q HTTP/1.1\r\n"));
    ck_assert_uint_eq(pair.server.record[1].body_bytes, 70000);
    ck_assert(pair.server.record[1].body_is_right);
}
END_TEST

START_TEST(verdict_says_what_is_worth_another_attempt)
{
    static const struct {
        int http_status;
        enum status verdict;
    } rows[] = {{200, ST_OK},      {201, ST_OK},      {204, ST_OK},
                {302, ST_REFUSED}, {400, ST_REFUSED}, {404, ST_REFUSED},
                {408, ST_AGAIN},   {409, ST_REFUSED}, {425, ST_AGAIN},
                {429, ST_AGAIN},   {499, ST_REFUSED}, {500, ST_AGAIN},
                {503, ST_AGAIN},   {507, ST_AGAIN},   {599, ST_AGAIN}};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_int_eq(exchange_verdict(rows[i].http_status), rows[i].verdict);
}
END_TEST

static Suite *exchange_suite(void)
{
    Suite *suite = suite_create("exchange");
    TCase *tcase = tcase_create("exchange");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, body_arrives_whole_and_the_connection_stays, 0,
                        COUNT_OF(body_sizes));
    tcase_add_test(tcase, methods_do_not_rub_off_on_each_other);
    tcase_add_test(tcase, headers_are_sent_or_withheld_as_asked);
    tcase_add_test(tcase, nonsense_is_refused_before_anything_is_sent);
    tcase_add_test(tcase, refused_connection_names_the_origin_and_no_secret);
    tcase_add_loop_test(tcase, broken_answer_is_worth_another_attempt, 0,
                        COUNT_OF(broken_answers));
    tcase_add_test(tcase, request_that_hits_a_dying_connection_is_replayed_whole);
    tcase_add_test(tcase, retry_after_is_reported_in_milliseconds);
    tcase_add_loop_test(
        tcase, early_refusal_is_the_answer_whatever_becomes_of_the_upload, 0, 20);
    tcase_add_test(tcase, long_answer_is_cut_to_what_is_kept);
    tcase_add_test(tcase, silence_ends_with_the_timeout);
    tcase_add_test(tcase, stalled_transfer_is_given_up);
    tcase_add_test(tcase, cancel_ends_a_transfer_and_prevents_the_next);
    tcase_add_loop_test(tcase, source_that_fails_ends_the_exchange_with_its_own_verdict,
                        0, 2);
    tcase_add_test(tcase, sink_sees_the_headers_first_and_then_every_byte);
    tcase_add_test(tcase, sink_that_fails_ends_the_exchange_with_its_own_verdict);
    tcase_add_loop_test(tcase, sink_gets_what_has_come_before_anything_is_waited_for, 0,
                        COUNT_OF(receive_buffers));
    tcase_add_test(tcase, redirect_is_an_answer_unless_it_is_to_be_followed);
    tcase_add_test(tcase, redirect_with_an_endless_body_is_not_followed);
    tcase_add_test(tcase, answer_without_end_is_not_read_to_it);
    tcase_add_loop_test(tcase, redirect_that_leads_nowhere_is_an_answer, 0,
                        COUNT_OF(unusable_locations));
    tcase_add_test(tcase, redirects_end_where_they_were_to_end);
    tcase_add_test(tcase, credentials_do_not_follow_to_another_origin);
    tcase_add_test(tcase, redirect_repeats_a_body_only_when_it_says_so);
    tcase_add_test(tcase, verdict_says_what_is_worth_another_attempt);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    struct error err;
    int code;

    if (exchange_global_init(&err) != ST_OK)
        return EXIT_FAILURE;
    code = unit_run(exchange_suite());
    exchange_global_cleanup();
    return code;
}
