/* SPDX-License-Identifier: MIT */
#include "receiver/gate.h"
#include "split_head.h"
#include "unit.h"

#include <stdlib.h>

#define H   "Host: h\r\n"
#define GET "GET /blobs HTTP/1.1\r\n" H

static bool pass(struct split_head *split, const char *text, size_t n)
{
    static char bytes[16384];

    ck_assert_uint_lt(n, sizeof bytes);
    memcpy(bytes, text, n);
    ck_assert_msg(split_head(split, bytes, n), "not even libmicrohttpd takes %s", text);
    return gate_check(&split->request) &&
           gate_check_layout(&split->request, &split->head);
}

static const struct {
    const char *head;
    bool chunked, has_length, expects;
    uint64_t length;
} good[] = {
    {.head = GET "\r\n"},
    {.head = "GET / HTTP/1.0\r\n\r\n"},
    {.head = "GET / HTTP/1.0\r\n" H "\r\n"},
    {.head = "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {.head = "GET / HTTP/1.1\r\nHost:h\r\nX: \t a  b\t\r\n\r\n"},
    {.head = GET "X:\r\nY: \r\n\r\n"},
    {.head = GET "X: caf\xc3\xa9\r\n\r\n"},
    {.head = GET "Accept: a\r\nAccept: b\r\n\r\n"},
    {.head = "!#$%&'*+-.^_`|~aZ9 / HTTP/1.1\r\n" H "!#$%&'*+-.^_`|~aZ9: v\r\n\r\n"},
    {.head = "GET http://h/blobs?limit=1 HTTP/1.1\r\n" H "\r\n"},
    {.head = GET "Content-Length: 0\r\n\r\n", .has_length = true},
    {.head = GET "content-length: 42\r\n\r\n", .has_length = true, .length = 42},
    {.head = GET "Content-Length: 9223372036854775807\r\n\r\n",
     .has_length = true,
     .length = INT64_MAX},
    {.head = "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n",
     .has_length = true,
     .length = 1},
    {.head = GET "Transfer-Encoding: chunked\r\n\r\n", .chunked = true},
    {.head = GET "TRANSFER-ENCODING: Chunked\r\n\r\n", .chunked = true},
    {.head = GET "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
     .has_length = true,
     .expects = true,
     .length = 1},
};

START_TEST(a_plain_request_passes_and_its_framing_is_known)
{
    struct split_head split;

    ck_assert_msg(pass(&split, good[_i].head, strlen(good[_i].head)), "refused %s: %s",
                  good[_i].head, split.request.reply.body);
    ck_assert_int_eq(split.request.chunked, good[_i].chunked);
    ck_assert_int_eq(split.request.has_length, good[_i].has_length);
    ck_assert_int_eq(split.request.expects_continue, good[_i].expects);
    ck_assert_uint_eq(split.request.length, good[_i].length);
    ck_assert_int_eq(split.request.reply.status, 0);
}
END_TEST

#define BAD(head, detail)                                                              \
    {                                                                                  \
        head, sizeof(head) - 1, 400, detail                                            \
    }

static const struct {
    const char *head;
    size_t length;
    int status;
    const char *detail;
} bad[] = {
    BAD("GET / HTTP/1.2\r\n" H "\r\n", "version"),
    BAD("GET / HTTP/2.0\r\n" H "\r\n", "version"),
    BAD("GET / HTTP/0.9\r\n" H "\r\n", "version"),
    BAD("GET / http/1.1\r\n" H "\r\n", "version"),
    BAD("GET / HTTP/1.10\r\n" H "\r\n", "version"),
    BAD("GE\tT / HTTP/1.1\r\n" H "\r\n", "method"),
    BAD("GE(T / HTTP/1.1\r\n" H "\r\n", "method"),
    BAD("G\xc3\x89T / HTTP/1.1\r\n" H "\r\n", "method"),
    BAD("GET /a b HTTP/1.1\r\n" H "\r\n", "target"),
    BAD("GET /a\tb HTTP/1.1\r\n" H "\r\n", "target"),
    BAD("GET /a\x7f HTTP/1.1\r\n" H "\r\n", "target"),
    BAD("GET /caf\xc3\xa9 HTTP/1.1\r\n" H "\r\n", "target"),

    BAD(GET "X : 1\r\n\r\n", "header name"),
    BAD(GET "X\t: 1\r\n\r\n", "header name"),
    BAD(GET ": 1\r\n\r\n", "header name"),
    BAD(GET "X Y: 1\r\n\r\n", "header name"),
    BAD(GET "X\x01Y: 1\r\n\r\n", "header name"),
    BAD(GET "X\xc3\xa9: 1\r\n\r\n", "header name"),
    BAD(GET "(X): 1\r\n\r\n", "header name"),
    BAD(GET "X: a\x01z\r\n\r\n", "header value"),
    BAD(GET "X: a\x1bz\r\n\r\n", "header value"),
    BAD(GET "X: a\x7fz\r\n\r\n", "header value"),

    BAD("GET / HTTP/1.1\r\n\r\n", "no Host"),
    BAD("GET / HTTP/1.1\r\nHosts: h\r\n\r\n", "no Host"),
    BAD(GET H "\r\n", "more than one Host"),
    BAD(GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "more than one Content-Length"),
    BAD(GET "Content-Length: 1\r\ncontent-length: 2\r\n\r\n",
        "more than one Content-Length"),
    BAD(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "more than one Transfer-Encoding"),
    BAD(GET "Authorization: a\r\nAuthorization: b\r\n\r\n",
        "more than one Authorization"),
    BAD(GET "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n",
        "more than one Content-Type"),
    BAD(GET "Range: bytes=0-\r\nRange: bytes=1-\r\n\r\n", "more than one Range"),
    BAD(GET "Idempotency-Key: a\r\nIdempotency-Key: a\r\n\r\n",
        "more than one Idempotency-Key"),
    BAD(GET "X-SHA256: a\r\nX-SHA256: a\r\n\r\n", "more than one X-SHA256"),
    BAD(GET "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
        "more than one Expect"),

    BAD(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "both Content-Length and Transfer-Encoding"),
    BAD(GET "Transfer-Encoding: gzip, chunked\r\n\r\n", "exactly 'chunked'"),
    BAD(GET "Transfer-Encoding: chunked, identity\r\n\r\n", "exactly 'chunked'"),
    BAD(GET "Transfer-Encoding: identity\r\n\r\n", "exactly 'chunked'"),
    BAD(GET "Transfer-Encoding: xchunked\r\n\r\n", "exactly 'chunked'"),
    BAD(GET "Transfer-Encoding: chunked \r\n\r\n", "exactly 'chunked'"),
    BAD(GET "Transfer-Encoding:\r\n\r\n", "exactly 'chunked'"),
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "needs HTTP/1.1"),
    BAD(GET "Content-Length:\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: -1\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: +1\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: 0x10\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: 1, 1\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: 1 1\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: 1.0\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: 99999999999999999999\r\n\r\n", "not a number"),
    BAD(GET "Content-Length: 9223372036854775808\r\n\r\n", "beyond all measure"),
    {GET "Expect: 200-ok\r\n\r\n", sizeof(GET "Expect: 200-ok\r\n\r\n") - 1, 417,
     "Expect is not"},

    BAD("GET  / HTTP/1.1\r\n" H "\r\n", "stray blanks"),
    BAD("GET /  HTTP/1.1\r\n" H "\r\n", "stray blanks|target"),
    BAD("GET / HTTP/1.1 \r\n" H "\r\n", "CR LF|version"),
    BAD("GET / HTTP/1.1\n" H "\r\n", "CR LF"),
    BAD("GET / HTTP/1.1\r" H "\r\n", "CR LF"),
    BAD("GET / HTTP/1.1\r\nHost: h\n\r\n", "CR LF"),
    BAD("GET / HTTP/1.1\r\nHost: h\n\n", "CR LF"),
    BAD("GET / HTTP/1.1\r\nHost: h\r\n\n", "CR LF"),
    BAD("GET / HTTP/1.0\n\n", "CR LF"),
    BAD(GET "X: a\nContent-Length: 4\r\n\r\n", "CR LF"),
    BAD(GET "X: a\rContent-Length: 4\r\n\r\n", "CR LF"),
    BAD(GET "X: a\0b\r\n\r\n", "CR LF"),
    BAD(GET "X: a\0b\r\nY: c\r\n\r\n", "CR LF"),
    BAD(GET "X: a\r\n b\r\n\r\n", "folded|CR LF"),
    BAD(GET "X: a\r\n\tb\r\nY: c\r\n\r\n", "folded|CR LF"),
    BAD(GET "X:\r\n Content-Length: 4\r\nY: c\r\n\r\n", "folded|CR LF"),
    BAD("GET / HTTP/1.0\0\r\n\r\n", "CR LF"),
    BAD("GET / HTTP/1.1\0junk\r\n" H "\r\n", "CR LF"),
    BAD("GET /a\0b HTTP/1.1\r\n" H "\r\n", "stray blanks"),
    BAD("GE\0T / HTTP/1.1\r\n" H "\r\n", "stray blanks"),
};

/* Whether the reply holds one of the texts that '|' separates. */
static bool says(const struct reply *reply, const char *texts)
{
    while (*texts) {
        size_t n = strcspn(texts, "|");
        char one[64];

        snprintf(one, sizeof one, "%.*s", (int)n, texts);
        if (strstr(reply->body, one))
            return true;
        texts += n + (texts[n] == '|');
    }
    return false;
}

START_TEST(what_two_parsers_could_read_in_two_ways_is_refused)
{
    struct split_head split;

    ck_assert_msg(!pass(&split, bad[_i].head, bad[_i].length), "passed %s",
                  bad[_i].head);
    ck_assert_int_eq(split.request.reply.status, bad[_i].status);
    ck_assert_msg(says(&split.request.reply, bad[_i].detail), "'%s' is not in %s",
                  bad[_i].detail, split.request.reply.body);
    ck_assert_msg(split.request.reply.close, "the connection would stay open");
}
END_TEST

/* NUL bytes in names and values whose length the parser does know. */
START_TEST(lengths_are_believed_over_terminators)
{
    static struct split_head split;
    struct request_header *header = &split.request.header[1];

    ck_assert(pass(&split, GET "X-Y: a\r\n\r\n", sizeof(GET "X-Y: a\r\n\r\n") - 1));
    header->value = _i == 0 ? "a\0b" : "a";
    header->value_length = _i == 0 ? 3 : 1;
    header->name = _i == 1 ? "X\0Y" : "X-Y";

    ck_assert(!gate_check(&split.request) || _i == 2);
    ck_assert(!gate_check_layout(&split.request, &split.head));
}
END_TEST

START_TEST(an_empty_target_is_refused)
{
    struct split_head split;

    ck_assert(pass(&split, GET "\r\n", sizeof(GET "\r\n") - 1));
    split.request.target[0] = '\0';
    ck_assert(!gate_check(&split.request));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *tcase = tcase_create("gate");

    tcase_add_loop_test(tcase, a_plain_request_passes_and_its_framing_is_known, 0,
                        COUNT_OF(good));
    tcase_add_loop_test(tcase, what_two_parsers_could_read_in_two_ways_is_refused, 0,
                        COUNT_OF(bad));
    tcase_add_loop_test(tcase, lengths_are_believed_over_terminators, 0, 3);
    tcase_add_test(tcase, an_empty_target_is_refused);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
