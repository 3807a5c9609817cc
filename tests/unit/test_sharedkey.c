/* SPDX-License-Identifier: MIT */
#include "common/object/sharedkey.h"
#include "unit.h"

/* Expected values: the string to sign of the documentation, put together by hand, and
 * Python's hmac. */
static uint8_t key[64];

static void set_up(void)
{
    for (unsigned i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
}

START_TEST(a_put_is_signed_with_its_length_and_sorted_headers)
{
    static const struct exchange_header headers[] = {
        {"x-ms-version", "2021-12-02"},
        {"Expect", ""},
        {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"},
        {"x-ms-blob-type", "BlockBlob"},
    };
    const struct sharedkey_request request = {
        .method = "PUT",
        .account = "myaccount",
        .path = "/myaccount/mycontainer/a%20b",
        .headers = headers,
        .header_count = COUNT_OF(headers),
        .content_length = 11,
    };
    char out[SHAREDKEY_AUTHORIZATION_SIZE];
    struct error err;

    ck_assert_int_eq(sharedkey_authorize(key, sizeof key, &request, out, &err), ST_OK);

    ck_assert_str_eq(
        out, "SharedKey myaccount:FVCqjkodxuzZAIMRJrxVwmQBTeP47oNI4pjyJVCDpeM=");
}
END_TEST

START_TEST(the_body_is_signed_by_its_md5)
{
    static const struct exchange_header headers[] = {
        {"Content-MD5", "XrY7u+Ae7tCTyyK7j1rNww=="},
        {"x-ms-blob-type", "BlockBlob"},
        {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"},
        {"x-ms-version", "2021-12-02"},
    };
    const struct sharedkey_request request = {
        .method = "PUT",
        .account = "myaccount",
        .path = "/myaccount/mycontainer/a%20b",
        .headers = headers,
        .header_count = COUNT_OF(headers),
        .content_length = 11,
    };
    char out[SHAREDKEY_AUTHORIZATION_SIZE];
    struct error err;

    ck_assert_int_eq(sharedkey_authorize(key, sizeof key, &request, out, &err), ST_OK);

    ck_assert_str_eq(
        out, "SharedKey myaccount:MSGz7XsBuq6SDAx/VAbeGYWcGrl+nAFNRw1fuiGaQ+Q=");
}
END_TEST

START_TEST(a_query_is_part_of_the_resource_and_no_length_is_empty)
{
    static const struct exchange_header headers[] = {
        {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"},
        {"x-ms-version", "2021-12-02"},
    };
    static const struct sharedkey_param params[] = {
        {"comp", "metadata"}, {"restype", "container"}, {"timeout", "20"}};
    const struct sharedkey_request request = {
        .method = "GET",
        .account = "myaccount",
        .path = "/mycontainer",
        .params = params,
        .param_count = COUNT_OF(params),
        .headers = headers,
        .header_count = COUNT_OF(headers),
    };
    char out[SHAREDKEY_AUTHORIZATION_SIZE];
    struct error err;

    ck_assert_int_eq(sharedkey_authorize(key, sizeof key, &request, out, &err), ST_OK);

    ck_assert_str_eq(
        out, "SharedKey myaccount:4vtjU+mgJKG3MCNAYyau4M1arKgVmIgmlKOtvhuD8nY=");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sharedkey");
    TCase *tcase = tcase_create("sharedkey");

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, a_put_is_signed_with_its_length_and_sorted_headers);
    tcase_add_test(tcase, the_body_is_signed_by_its_md5);
    tcase_add_test(tcase, a_query_is_part_of_the_resource_and_no_length_is_empty);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
