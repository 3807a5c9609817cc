/* SPDX-License-Identifier: MIT */
#include "common/object/sigv4.h"
#include "common/object/text.h"
#include "unit.h"

#include <string.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { EXTRA_MAX = 2 };

/* The first four are the examples of the Amazon S3 API Reference ("Signature
 * Calculations for the Authorization Header"); the others are keys and headers that
 * signers get wrong, signed by botocore 1.43. */
static const struct {
    const char *method, *path, *query;
    struct exchange_header extra[EXTRA_MAX];
    const char *payload, *signed_headers, *signature;
} cases[] = {
    {"GET",
     "/test.txt",
     "",
     {{"range", "bytes=0-9"}},
     EMPTY,
     "host;range;x-amz-content-sha256;x-amz-date",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT",
     "/test%24file.text",
     "",
     {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
      {"date", "Fri, 24 May 2013 00:00:00 GMT"}},
     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET",
     "/",
     "lifecycle=",
     {{NULL, NULL}},
     EMPTY,
     "host;x-amz-content-sha256;x-amz-date",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET",
     "/",
     "max-keys=2&prefix=J",
     {{NULL, NULL}},
     EMPTY,
     "host;x-amz-content-sha256;x-amz-date",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {"PUT",
     "/a%20b%2Bc%3Dd%26e%25f%23g%3Fh",
     "",
     {{"x-amz-meta-mode-x", "1"}, {"x-amz-meta-mode", "0100644"}},
     EMPTY,
     "host;x-amz-content-sha256;x-amz-date;x-amz-meta-mode;x-amz-meta-mode-x",
     "747b1db9800d738dd57a5cb9495070fc42b130c9a0d1daaf0ab4f66323d58c6d"},
    {"PUT",
     "/x/../y//z/./",
     "",
     {{"x-amz-meta-v", "  a   b  "}},
     EMPTY,
     "host;x-amz-content-sha256;x-amz-date;x-amz-meta-v",
     "e43dd0185feb9a4f0736b17e30b510dc4fedaee751332a6eab80f6fa1612ec5f"},
    {"POST",
     "/%C3%BCn%C3%AF",
     "uploads=",
     {{"content-type", "application/octet-stream"}},
     EMPTY,
     "content-type;host;x-amz-content-sha256;x-amz-date",
     "92aefb2bcce16fa23b7a5417e7a86d390ce71c0d1f4186d36bdba74a8def5e94"},
    {"PUT",
     "/k",
     "partNumber=3&uploadId=2~a%2Fb%2Bc%3D",
     {{"x-amz-security-token", "tok/en+=="}},
     EMPTY,
     "host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
     "e969adffe3641632774779ea051a79f7c4d12208f297fddac77eb500ce11eea8"},
};

static const struct sigv4_scope scope = {
    .access_key = "AKIAIOSFODNN7EXAMPLE",
    .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .region = "us-east-1",
    .service = "s3",
};

static void authorize(struct sigv4 *signer, unsigned i, const char *time,
                      char out[SIGV4_AUTHORIZATION_SIZE])
{
    struct exchange_header headers[EXTRA_MAX + 3] = {
        {"x-amz-date", time},
        {"x-amz-content-sha256", cases[i].payload},
        {"host", "examplebucket.s3.amazonaws.com"},
    };
    struct sigv4_request request = {
        .method = cases[i].method,
        .path = cases[i].path,
        .query = cases[i].query,
        .headers = headers,
        .header_count = 3,
        .time = time,
        .payload_hash = cases[i].payload,
    };
    struct error err;

    for (size_t j = 0; j < EXTRA_MAX && cases[i].extra[j].name; j++)
        headers[request.header_count++] = cases[i].extra[j];
    ck_assert_int_eq(sigv4_authorize(signer, &request, out, &err), ST_OK);
}

START_TEST(signatures_agree_with_amazon)
{
    char expected[SIGV4_AUTHORIZATION_SIZE], out[SIGV4_AUTHORIZATION_SIZE];
    struct sigv4 *signer = NULL;
    struct error err;
    struct text text;

    ck_assert_int_eq(sigv4_create(&signer, &scope, &err), ST_OK);
    authorize(signer, (unsigned)_i, "20130524T000000Z", out);

    text_init(&text, expected, sizeof expected);
    text_format(&text,
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/"
                "s3/aws4_request, SignedHeaders=%s, Signature=%s",
                cases[_i].signed_headers, cases[_i].signature);
    ck_assert_str_eq(out, expected);
    sigv4_destroy(&signer);
}
END_TEST

START_TEST(a_signer_follows_the_day)
{
    char first[SIGV4_AUTHORIZATION_SIZE], again[SIGV4_AUTHORIZATION_SIZE];
    struct sigv4 *signer = NULL;
    struct error err;

    ck_assert_int_eq(sigv4_create(&signer, &scope, &err), ST_OK);
    authorize(signer, 0, "20130524T000000Z", first);
    authorize(signer, 0, "20130525T000000Z", again);
    ck_assert_str_ne(strstr(first, "Signature="), strstr(again, "Signature="));
    authorize(signer, 0, "20130524T000000Z", again);

    ck_assert_str_eq(first, again);
    sigv4_destroy(&signer);
}
END_TEST

START_TEST(an_access_key_that_does_not_fit_is_refused)
{
    char key[SIGV4_AUTHORIZATION_SIZE + 1], out[SIGV4_AUTHORIZATION_SIZE];
    struct sigv4_scope long_scope = scope;
    const struct sigv4_request request = {.method = "GET",
                                          .path = "/",
                                          .query = "",
                                          .time = "20130524T000000Z",
                                          .payload_hash = EMPTY};
    struct sigv4 *signer = NULL;
    struct error err;

    memset(key, 'K', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    long_scope.access_key = key;
    ck_assert_int_eq(sigv4_create(&signer, &long_scope, &err), ST_OK);

    ck_assert_int_eq(sigv4_authorize(signer, &request, out, &err), ST_INVALID);
    sigv4_destroy(&signer);
}
END_TEST

START_TEST(time_is_utc)
{
    char out[SIGV4_TIME_SIZE];

    ck_assert_str_eq(sigv4_time(out, UINT64_C(1369353600000)), "20130524T000000Z");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sigv4");
    TCase *tcase = tcase_create("sigv4");

    tcase_add_loop_test(tcase, signatures_agree_with_amazon, 0, COUNT_OF(cases));
    tcase_add_test(tcase, a_signer_follows_the_day);
    tcase_add_test(tcase, an_access_key_that_does_not_fit_is_refused);
    tcase_add_test(tcase, time_is_utc);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
