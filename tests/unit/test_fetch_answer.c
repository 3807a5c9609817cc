/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/answer.h"
#include "tests/unit/headers.h"
#include "tests/unit/unit.h"

#define STRONG "ETag: \"v1\"\n"
#define WEAK   "ETag: W/\"v1\"\n"
#define OLD    "Last-Modified: Sat, 21 Nov 2026 18:00:00 GMT\n"
#define LATER  "Last-Modified: Sat, 21 Nov 2026 18:00:02 GMT\n"
#define NOW    "Date: Sat, 21 Nov 2026 18:00:01 GMT\n"
#define PART   "Content-Range: bytes 100-199/1000\n"
#define OTHER_DIGEST                                                                   \
    "Repr-Digest: sha-256=:57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\n"
#define DIGEST "Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\n"

static struct answer read_answer(int status, const char *headers)
{
    char text[1024];
    struct answer answer;

    snprintf(text, sizeof text, "%s", headers);
    answer_read(&answer, status, 0, headers_find, text);
    return answer;
}

/* Asked for bytes 100-199 of a file; known: the first answer's headers, or NULL. */
static const struct {
    int status;
    const char *headers, *known;
    enum answer_kind kind;
} cases[] = {
    {206, PART STRONG, NULL, ANSWER_PART},
    {206, PART STRONG "Content-Length: 100\n", NULL, ANSWER_PART},
    {206, PART STRONG "Content-Encoding: identity\n", NULL, ANSWER_PART},
    {206, PART STRONG, STRONG, ANSWER_PART},
    {206, PART STRONG OLD, STRONG, ANSWER_PART},
    {206, PART OLD, OLD, ANSWER_PART},
    {206, PART WEAK OLD, WEAK OLD, ANSWER_PART},
    {206, PART STRONG, STRONG OLD DIGEST, ANSWER_PART},
    {206, PART DIGEST, DIGEST, ANSWER_PART},
    {206, "Content-Range: bytes 100-150/1000\n" STRONG, STRONG, ANSWER_PART},
    /* another version */
    {206, PART "ETag: \"v2\"\n", STRONG, ANSWER_CHANGED},
    {206, PART WEAK, STRONG, ANSWER_CHANGED},
    {206, PART, STRONG, ANSWER_CHANGED},
    {206, PART NOW, OLD, ANSWER_CHANGED},
    {206, PART "Last-Modified: Sat, 21 Nov 2026 18:00:02 GMT\n", OLD, ANSWER_CHANGED},
    {206, PART, DIGEST, ANSWER_CHANGED},
    {206, PART WEAK LATER, WEAK OLD, ANSWER_CHANGED},
    {206, PART WEAK, WEAK OLD, ANSWER_CHANGED},
    {206, PART STRONG LATER, STRONG OLD, ANSWER_CHANGED},
    {206, PART STRONG OTHER_DIGEST, STRONG DIGEST, ANSWER_CHANGED},
    {206, PART OLD OTHER_DIGEST, OLD DIGEST, ANSWER_CHANGED},
    {206, "Content-Range: bytes 100-199/1001\n" STRONG, STRONG, ANSWER_CHANGED},
    {200, "ETag: \"v2\"\nContent-Length: 1000\n", STRONG, ANSWER_CHANGED},
    {200, STRONG "Content-Length: 999\n", STRONG, ANSWER_CHANGED},
    {416, "Content-Range: bytes */50\n", STRONG, ANSWER_CHANGED},
    {416, "Content-Range: bytes */0\n", STRONG, ANSWER_CHANGED},
    /* nonsense */
    {206, STRONG, NULL, ANSWER_AGAIN},
    {206, "Content-Range: bytes\n" STRONG, NULL, ANSWER_AGAIN},
    {206, "Content-Range: bytes */1000\n" STRONG, NULL, ANSWER_AGAIN},
    {206, "Content-Range: bytes 0-99/1000\n" STRONG, NULL, ANSWER_AGAIN},
    {206, "Content-Range: bytes 100-200/1000\n" STRONG, NULL, ANSWER_AGAIN},
    {206, "Content-Range: bytes 100-199/*\n" STRONG, STRONG, ANSWER_AGAIN},
    {206, PART STRONG "Content-Length: 99\n", NULL, ANSWER_AGAIN},
    {416, "Content-Range: bytes */1000\n", STRONG, ANSWER_AGAIN},
    {416, "", STRONG, ANSWER_AGAIN},
    /* no ranges */
    {206, "Content-Range: bytes 100-199/*\n" STRONG, NULL, ANSWER_UNRANGED},
    {416, "", NULL, ANSWER_UNRANGED},
    {416, "Content-Range: bytes */50\n", NULL, ANSWER_UNRANGED},
    {200, "Content-Length: 1000\n", NULL, ANSWER_WHOLE},
    {200, "Transfer-Encoding: chunked\n", NULL, ANSWER_WHOLE},
    {200, STRONG "Content-Length: 1000\n", STRONG, ANSWER_UNCHANGED},
    {200, "Content-Length: 0\n", NULL, ANSWER_EMPTY},
    {416, "Content-Range: bytes */0\n", NULL, ANSWER_UNRANGED},
    /* refused */
    {206, PART STRONG "Content-Encoding: gzip\n", NULL, ANSWER_REFUSED},
    {200, "Content-Encoding: gzip\n", NULL, ANSWER_REFUSED},
    {206, "Content-Range: bytes 100-199/9223372036854775808\n" STRONG, NULL,
     ANSWER_REFUSED},
    {206, "Content-Range: bytes 100-199/18446744073709551615\n" STRONG, STRONG,
     ANSWER_REFUSED},
    {200, "Content-Length: 18446744073709551615\n", NULL, ANSWER_REFUSED},
    {200, "Content-Encoding: br\n" STRONG, STRONG, ANSWER_REFUSED},
    {204, "", NULL, ANSWER_REFUSED},
    {302, "", NULL, ANSWER_REFUSED},
    {401, "", NULL, ANSWER_REFUSED},
    {404, "", STRONG, ANSWER_REFUSED},
    {412, "", STRONG, ANSWER_REFUSED},
    /* later */
    {429, "", NULL, ANSWER_BUSY},
    {503, "", STRONG, ANSWER_BUSY},
    {408, "", NULL, ANSWER_AGAIN},
    {500, "", NULL, ANSWER_AGAIN},
    {502, "", STRONG, ANSWER_AGAIN},
};

START_TEST(answer_is_judged)
{
    struct answer answer = read_answer(cases[_i].status, cases[_i].headers), first;
    struct question question = {.ranged = true, .range = {100, 199}, .total = 1000};
    struct error err = {.text = ""};
    enum answer_kind kind;

    if (cases[_i].known != NULL) {
        first = read_answer(206, cases[_i].known);
        question.known = &first.validators;
    }
    kind = answer_judge(&answer, &question, &err);
    ck_assert_msg(kind == cases[_i].kind, "%d %s is %d, not %d", cases[_i].status,
                  cases[_i].headers, kind, cases[_i].kind);
    if (kind >= ANSWER_UNCHANGED)
        ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(part_is_no_answer_to_a_request_for_everything)
{
    struct answer answer = read_answer(206, PART STRONG);
    struct question question = {.ranged = false};
    struct error err;

    ck_assert_int_eq(answer_judge(&answer, &question, &err), ANSWER_AGAIN);
    answer.status = 416;
    ck_assert_int_eq(answer_judge(&answer, &question, &err), ANSWER_REFUSED);
}
END_TEST

static const struct {
    const char *headers, *if_range;
    bool strong;
} versions[] = {
    {STRONG, "\"v1\"", true},
    {STRONG OLD NOW, "\"v1\"", true},
    {WEAK, NULL, false},
    {WEAK OLD NOW, NULL, true},
    {OLD NOW, "Sat, 21 Nov 2026 18:00:00 GMT", true},
    {OLD "Date: Sat, 21 Nov 2026 18:00:00 GMT\n", NULL, false},
    {OLD, NULL, false},
    {"Last-Modified: yesterday\n" NOW, NULL, false},
    {DIGEST, NULL, true},
    {"Repr-Digest: sha-256=:AAAA:\n", NULL, false},
    {"", NULL, false},
};

START_TEST(only_a_strong_validator_goes_into_if_range)
{
    struct answer answer = read_answer(206, versions[_i].headers);
    const char *if_range = validators_if_range(&answer.validators);

    ck_assert_pstr_eq(if_range, versions[_i].if_range);
    ck_assert_int_eq(validators_are_strong(&answer.validators), versions[_i].strong);
}
END_TEST

START_TEST(validator_that_does_not_fit_is_none)
{
    char headers[600];
    struct answer answer;

    snprintf(headers, sizeof headers, "ETag: \"%0*d\"\n", ETAG_SIZE, 1);
    answer = read_answer(206, headers);
    ck_assert_str_eq(answer.validators.etag, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_answer");
    TCase *tcase = tcase_create("fetch_answer");

    tcase_add_loop_test(tcase, answer_is_judged, 0, COUNT_OF(cases));
    tcase_add_test(tcase, part_is_no_answer_to_a_request_for_everything);
    tcase_add_loop_test(tcase, only_a_strong_validator_goes_into_if_range, 0,
                        COUNT_OF(versions));
    tcase_add_test(tcase, validator_that_does_not_fit_is_none);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
