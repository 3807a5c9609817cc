/* SPDX-License-Identifier: MIT */
#include "common/utf8.h"
#include "receiver/reply.h"
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct reply reply;

static void set_up(void)
{
    memset(&reply, 0, sizeof reply);
    reply_init(&reply);
}

static void tear_down(void)
{
    reply_release(&reply);
}

static const char *header_of(const char *name)
{
    for (size_t i = 0; i < reply.headers; i++)
        if (strcmp(reply.header[i].name, name) == 0)
            return reply.header[i].value;
    return NULL;
}

static const char *member(const char *key)
{
    static char value[REPLY_BODY_SIZE];

    ck_assert_uint_eq(reply.length, strlen(reply.body));
    ck_assert_msg(json_find_string(reply.body, reply.length, key, value, sizeof value),
                  "no %s in %s", key, reply.body);
    return value;
}

static bool is_utf8(const char *text)
{
    size_t n = strlen(text), length;

    for (; n > 0; text += length, n -= length) {
        length = utf8_length(text, n);
        if (length == 0)
            return false;
    }
    return true;
}

START_TEST(a_problem_is_a_document_with_its_media_type)
{
    reply_problem(&reply, 409, "Id taken", "%s is stored", "it");

    ck_assert_int_eq(reply.status, 409);
    ck_assert_str_eq(reply.body, "{\"type\":\"about:blank\",\"title\":\"Id taken\","
                                 "\"status\":409,\"detail\":\"it is stored\"}\n");
    ck_assert_uint_eq(reply.length, strlen(reply.body));
    ck_assert_pstr_eq(header_of("Content-Type"), "application/problem+json");
    ck_assert_str_eq(reply.reason, "Id taken");
    ck_assert_int_eq(reply.fd, -1);
}
END_TEST

static const struct {
    const char *detail, *read;
} hostile[] = {
    {"", ""},
    {"\"}", "\"}"},
    {"\\\"\\", "\\\"\\"},
    {"a\r\nX: b", "a\r\nX: b"},
    {"\x01\x1f\x7f\t\b", "\x01\x1f\x7f\t\b"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"a\xff", "a" UTF8_REPLACEMENT},
    {"\xc3", UTF8_REPLACEMENT},
    {"\xed\xa0\x80", UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT},
    {"</script>", "</script>"},
};

START_TEST(a_hostile_detail_stays_inside_of_its_string)
{
    reply_problem(&reply, 400, "Bad", "%s", hostile[_i].detail);

    ck_assert(is_utf8(reply.body));
    ck_assert_str_eq(member("detail"), hostile[_i].read);
    ck_assert_str_eq(member("title"), "Bad");
    for (size_t i = 0; i + 1 < reply.length; i++)
        ck_assert_int_ge((unsigned char)reply.body[i], 0x20);
}
END_TEST

/* The worst of them: each byte becomes six, or three. */
static const char *const long_details[] = {"\x01", "\"", "\xff", "\xe2\x82\xac", "x"};

START_TEST(a_long_detail_is_cut_and_the_document_stays_whole)
{
    char detail[4096] = "";
    size_t unit = strlen(long_details[_i]);

    for (size_t at = 0; at + unit < sizeof detail; at += unit)
        memcpy(detail + at, long_details[_i], unit + 1);
    reply_problem(&reply, 400, "A title of a length that is usual for them", "%s",
                  detail);

    ck_assert_uint_gt(strlen(member("detail")), 100);
    ck_assert(is_utf8(reply.body));
    ck_assert_str_eq(reply.body + reply.length - 2, "}\n");
}
END_TEST

START_TEST(a_problem_replaces_what_was_about_to_be_sent)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    reply.status = 200;
    reply_header(&reply, "ETag", "\"x\"");
    reply.fd = fd;
    reply.text = strdup("a list");
    reply.close = true;
    reply_problem(&reply, 500, "Storage failed", "read");

    ck_assert_uint_eq(reply.headers, 1);
    ck_assert_ptr_null(reply.text);
    ck_assert_int_eq(reply.fd, -1);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    ck_assert(!reply.close);
}
END_TEST

#define TYPE "https://iana.org/assignments/http-problem-types#"

START_TEST(a_mismatch_names_the_claim_and_nothing_else)
{
    reply_digest_mismatch(&reply, "Repr-Digest", ":AAAA:");

    ck_assert_int_eq(reply.status, 400);
    ck_assert_str_eq(member("type"), TYPE "digest-mismatched-values");
    ck_assert_ptr_nonnull(strstr(
        reply.body, "\"mismatched_digests\":[{\"algorithm\":\"sha-256\","
                    "\"provided_digest\":\":AAAA:\",\"header\":\"Repr-Digest\"}]}\n"));
    ck_assert_ptr_null(header_of("Repr-Digest"));
}
END_TEST

START_TEST(an_invalid_digest_has_its_reason)
{
    reply_digest_invalid(&reply, "X-SHA256", "not 64 hex digits");

    ck_assert_int_eq(reply.status, 400);
    ck_assert_str_eq(member("type"), TYPE "digest-invalid-values");
    ck_assert_ptr_nonnull(strstr(
        reply.body, "\"invalid_digests\":[{\"algorithm\":\"sha-256\","
                    "\"header\":\"X-SHA256\",\"reason\":\"not 64 hex digits\"}]}\n"));
}
END_TEST

START_TEST(an_unsupported_algorithm_is_told_what_is_wanted)
{
    reply_digest_unsupported(&reply, "Content-Digest", "md5\"");

    ck_assert_int_eq(reply.status, 400);
    ck_assert_str_eq(member("type"), TYPE "digest-unsupported-algorithms");
    ck_assert_ptr_nonnull(
        strstr(reply.body, "\"unsupported_algorithms\":[{\"algorithm\":\"md5\\\"\","
                           "\"header\":\"Content-Digest\"}]}\n"));
    ck_assert_pstr_eq(header_of("Want-Repr-Digest"), "sha-256=10");
}
END_TEST

START_TEST(a_missing_digest_is_told_what_is_wanted)
{
    reply_digest_missing(&reply);

    ck_assert_int_eq(reply.status, 400);
    ck_assert_str_eq(member("type"), "about:blank");
    ck_assert_pstr_eq(header_of("Want-Repr-Digest"), "sha-256=10");
}
END_TEST

START_TEST(an_answer_of_its_own_memory_ends_in_a_line_end_too)
{
    struct json json;

    reply.text = malloc(16);
    ck_assert_ptr_nonnull(reply.text);
    json_init(&json, reply.text, 16);
    json_open(&json, NULL, '{');
    json_close(&json, '}');
    reply_json(&reply, 200, &json);

    ck_assert_uint_eq(reply.length, 3);
    ck_assert_mem_eq(reply.text, "{}\n", 3);
    ck_assert_pstr_eq(header_of("Content-Type"), "application/json");
}
END_TEST

START_TEST(a_long_header_value_is_cut)
{
    char value[4 * REPLY_VALUE_SIZE];

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    reply_header(&reply, "X", "%s", value);
    ck_assert_uint_eq(strlen(reply.header[0].value), REPLY_VALUE_SIZE - 1);
}
END_TEST

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {405, "Method Not Allowed"},
    {507, "Insufficient Storage"},
    {299, "Unknown"},
    {0, "Unknown"},
};

START_TEST(a_status_has_its_phrase)
{
    ck_assert_str_eq(reply_phrase(phrases[_i].status), phrases[_i].phrase);
}
END_TEST

static const char wire[] = "HTTP/1.1 404 Not Found\r\n"
                           "Connection: close\r\n"
                           "Content-Length: 3\r\n"
                           "Content-Type: application/json\r\n"
                           "ETag: \"1\"\r\n"
                           "\r\n"
                           "{}\n";

static void prepare_wire(void)
{
    struct json json;

    json_init(&json, reply.body, sizeof reply.body);
    json_open(&json, NULL, '{');
    json_close(&json, '}');
    reply_json(&reply, 404, &json);
    reply_header(&reply, "ETag", "\"%d\"", 1);
}

START_TEST(a_reply_can_be_bytes)
{
    char out[256];

    prepare_wire();
    ck_assert_uint_eq(reply_serialize(&reply, out, sizeof out), sizeof wire - 1);
    ck_assert_mem_eq(out, wire, sizeof wire - 1);
}
END_TEST

/* The buffer ends where the allocation does, for AddressSanitizer to see. */
START_TEST(bytes_that_do_not_fit_are_not_written)
{
    prepare_wire();
    for (size_t size = 1; size <= sizeof wire; size++) {
        char *out = malloc(size);
        size_t n;

        ck_assert_ptr_nonnull(out);
        n = reply_serialize(&reply, out, size);
        ck_assert_uint_eq(n, size < sizeof wire - 1 ? 0 : sizeof wire - 1);
        free(out);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_problem_is_a_document_with_its_media_type);
    tcase_add_loop_test(tcase, a_hostile_detail_stays_inside_of_its_string, 0,
                        COUNT_OF(hostile));
    tcase_add_loop_test(tcase, a_long_detail_is_cut_and_the_document_stays_whole, 0,
                        COUNT_OF(long_details));
    tcase_add_test(tcase, a_problem_replaces_what_was_about_to_be_sent);
    tcase_add_test(tcase, a_mismatch_names_the_claim_and_nothing_else);
    tcase_add_test(tcase, an_invalid_digest_has_its_reason);
    tcase_add_test(tcase, an_unsupported_algorithm_is_told_what_is_wanted);
    tcase_add_test(tcase, a_missing_digest_is_told_what_is_wanted);
    tcase_add_test(tcase, an_answer_of_its_own_memory_ends_in_a_line_end_too);
    tcase_add_test(tcase, a_long_header_value_is_cut);
    tcase_add_loop_test(tcase, a_status_has_its_phrase, 0, COUNT_OF(phrases));
    tcase_add_test(tcase, a_reply_can_be_bytes);
    tcase_add_test(tcase, bytes_that_do_not_fit_are_not_written);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
