/* SPDX-License-Identifier: MIT */
#include "receiver/claims.h"
#include "unit.h"
#include "upload.h"

#include <stdio.h>

/* SHA-256 of "abc" and of nothing. */
#define ABC_BASE64   "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define ABC_HEX      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY_BASE64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define ABC          "sha-256=:" ABC_BASE64 ":"
#define EMPTY        "sha-256=:" EMPTY_BASE64 ":"
#define MD5          "md5=:kAFQmDzST7DWlj99KOF/cg==:"

static struct request request;
static struct claims claims;

static void set_up(void)
{
    upload_init(&request);
    memset(&claims, 0, sizeof claims);
}

static bool verify(const char *content)
{
    struct sha256_digest digest = upload_digest(content, strlen(content));

    return claims_verify(&claims, &request, &digest, true);
}

static const struct {
    const char *line[3][2];
    size_t count;
} good[] = {
    {{{"Repr-Digest", ABC}}, 1},
    {{{"repr-digest", ABC}}, 1},
    {{{"Content-Digest", ABC}}, 1},
    {{{"X-SHA256", ABC_HEX}}, 1},
    {{{"Repr-Digest", MD5 ", " ABC}}, 1},
    {{{"Repr-Digest", MD5}, {"Repr-Digest", ABC}}, 1},
    {{{"Repr-Digest", ABC}, {"Repr-Digest", MD5}}, 1},
    {{{"Repr-Digest", EMPTY}, {"Repr-Digest", ABC}}, 1}, /* the later member counts */
    {{{"Repr-Digest", ABC}, {"Content-Digest", ABC}, {"X-SHA256", ABC_HEX}}, 3},
    {{{"Repr-Digest", ""}, {"X-SHA256", ABC_HEX}}, 1},
};

START_TEST(every_claim_in_the_head_is_read_and_holds)
{
    for (size_t i = 0; i < 3 && good[_i].line[i][0]; i++)
        upload_header(&request, good[_i].line[i][0], good[_i].line[i][1]);

    ck_assert(claims_read(&claims, &request, true));
    ck_assert_uint_eq(claims.count, good[_i].count);
    ck_assert(verify("abc"));
    ck_assert_int_eq(request.reply.status, 0);
}
END_TEST

static const struct {
    const char *line[3][2];
    const char *culprit; /* the header that is named */
} wrong[] = {
    {{{"Repr-Digest", EMPTY}}, "Repr-Digest"},
    {{{"X-SHA256", ABC_HEX}, {"Content-Digest", EMPTY}}, "Content-Digest"},
    {{{"Repr-Digest", EMPTY}, {"X-SHA256", ABC_HEX}}, "Repr-Digest"},
    {{{"Repr-Digest", ABC}, {"Repr-Digest", EMPTY}}, "Repr-Digest"},
};

START_TEST(one_claim_that_does_not_hold_is_enough)
{
    char named[64];

    for (size_t i = 0; i < 3 && wrong[_i].line[i][0]; i++)
        upload_header(&request, wrong[_i].line[i][0], wrong[_i].line[i][1]);

    ck_assert(claims_read(&claims, &request, true));
    ck_assert(!verify("abc"));
    ck_assert_int_eq(request.reply.status, 400);
    ck_assert_str_eq(request.reply.reason, "Digest mismatch");
    snprintf(named, sizeof named, "\"header\":\"%s\"", wrong[_i].culprit);
    ck_assert_ptr_nonnull(strstr(request.reply.body, named));
    ck_assert_ptr_nonnull(strstr(request.reply.body, "\":" EMPTY_BASE64 ":\""));
    ck_assert_ptr_null(strstr(request.reply.body, ABC_BASE64));
    ck_assert_ptr_null(strstr(request.reply.body, ABC_HEX));
}
END_TEST

static const struct {
    const char *name, *value, *reason;
} refused[] = {
    {"Repr-Digest", MD5, "Unsupported digest algorithm"},
    {"Content-Digest", "sha-512=:AAAA:", "Unsupported digest algorithm"},
    {"Repr-Digest", "sha-256=:AAAA:", "Invalid digest"},
    {"Repr-Digest", "sha-256=" ABC_HEX, "Malformed digest field"},
    {"Repr-Digest", ABC ",", "Malformed digest field"},
    {"Repr-Digest", "=", "Malformed digest field"},
    {"X-SHA256", "abc", "Invalid digest"},
    {"X-SHA256", ABC_HEX "0", "Invalid digest"},
    {"X-SHA256", ABC, "Invalid digest"},
    {"X-Other", "x", "Digest required"},
    {"Repr-Digest", "", "Digest required"},
    {"Trailer", "Repr-Digest", "Digest required"}, /* but there are no chunks */
};

START_TEST(a_claim_that_cannot_be_is_refused_at_the_head)
{
    upload_header(&request, refused[_i].name, refused[_i].value);

    ck_assert(!claims_read(&claims, &request, true));
    ck_assert_int_eq(request.reply.status, 400);
    ck_assert_str_eq(request.reply.reason, refused[_i].reason);
}
END_TEST

START_TEST(a_claim_too_long_to_be_read_is_not_overlooked)
{
    char value[1200];

    memset(value, 'a', sizeof value);
    memcpy(value + sizeof value - sizeof ", " ABC, ", " ABC, sizeof ", " ABC);
    upload_header(&request, "X-SHA256", ABC_HEX);
    upload_header(&request, "Content-Digest", value);

    ck_assert(!claims_read(&claims, &request, false));
    ck_assert_str_eq(request.reply.reason, "Malformed digest field");
}
END_TEST

START_TEST(no_claim_is_fine_where_none_is_required)
{
    struct sha256_digest digest = upload_digest("abc", 3);

    ck_assert(claims_read(&claims, &request, false));
    ck_assert_uint_eq(claims.count, 0);
    ck_assert(claims_verify(&claims, &request, &digest, false));
    ck_assert(!claims_contradict(&claims, &digest));
}
END_TEST

START_TEST(an_announced_claim_may_come_behind_the_body)
{
    static const char *const announcements[] = {"Repr-Digest", "x, content-digest",
                                                "X-SHA256,y"};

    request.chunked = true;
    upload_header(&request, "Trailer", announcements[_i]);
    ck_assert(claims_read(&claims, &request, true));
    ck_assert_uint_eq(claims.count, 0);

    upload_trailer(&request, "X-Other", "1");
    upload_trailer(&request, "Content-Digest", ABC);
    ck_assert(verify("abc"));
}
END_TEST

static const struct {
    const char *name, *value, *reason;
} bad_trailers[] = {
    {"X-Other", "1", "Digest required"},
    {"Repr-Digest", "", "Digest required"},
    {"Repr-Digest", EMPTY, "Digest mismatch"},
    {"Repr-Digest", MD5, "Unsupported digest algorithm"},
    {"Repr-Digest", "sha-256", "Malformed digest field"},
    {"X-SHA256", "0", "Invalid digest"},
};

START_TEST(an_announced_claim_must_come_and_hold)
{
    request.chunked = true;
    upload_header(&request, "Trailer", "Repr-Digest");
    ck_assert(claims_read(&claims, &request, true));

    upload_trailer(&request, bad_trailers[_i].name, bad_trailers[_i].value);
    ck_assert(!verify("abc"));
    ck_assert_int_eq(request.reply.status, 400);
    ck_assert_str_eq(request.reply.reason, bad_trailers[_i].reason);
}
END_TEST

START_TEST(three_claims_in_the_head_do_not_hide_one_behind_the_body)
{
    request.chunked = true;
    upload_header(&request, "Repr-Digest", ABC);
    upload_header(&request, "Content-Digest", ABC);
    upload_header(&request, "X-SHA256", ABC_HEX);
    ck_assert(claims_read(&claims, &request, true));

    upload_trailer(&request, "Repr-Digest", ABC);
    upload_trailer(&request, "X-SHA256", ABC_HEX);
    upload_trailer(&request, "Content-Digest", _i == 0 ? ABC : EMPTY);
    ck_assert_int_eq(verify("abc"), _i == 0);
}
END_TEST

START_TEST(any_claim_can_contradict)
{
    struct sha256_digest abc = upload_digest("abc", 3), empty = upload_digest("", 0);

    upload_header(&request, "Repr-Digest", ABC);
    ck_assert(claims_read(&claims, &request, true));
    ck_assert(!claims_contradict(&claims, &abc));
    ck_assert(claims_contradict(&claims, &empty));

    claims.claim[claims.count++] = (struct claim){"X-SHA256", empty};
    ck_assert(claims_contradict(&claims, &abc));
    ck_assert(claims_contradict(&claims, &empty));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("claims");
    TCase *tcase = tcase_create("claims");

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, every_claim_in_the_head_is_read_and_holds, 0,
                        COUNT_OF(good));
    tcase_add_loop_test(tcase, one_claim_that_does_not_hold_is_enough, 0,
                        COUNT_OF(wrong));
    tcase_add_loop_test(tcase, a_claim_that_cannot_be_is_refused_at_the_head, 0,
                        COUNT_OF(refused));
    tcase_add_test(tcase, a_claim_too_long_to_be_read_is_not_overlooked);
    tcase_add_test(tcase, no_claim_is_fine_where_none_is_required);
    tcase_add_loop_test(tcase, an_announced_claim_may_come_behind_the_body, 0, 3);
    tcase_add_loop_test(tcase, an_announced_claim_must_come_and_hold, 0,
                        COUNT_OF(bad_trailers));
    tcase_add_loop_test(tcase, three_claims_in_the_head_do_not_hide_one_behind_the_body,
                        0, 2);
    tcase_add_test(tcase, any_claim_can_contradict);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
