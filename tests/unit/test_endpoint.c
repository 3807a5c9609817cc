/* SPDX-License-Identifier: MIT */
#include "common/object/endpoint.h"
#include "common/object/object_store.h"
#include "common/object/text.h"
#include "unit.h"

#include <string.h>

static struct error err;

static const struct {
    const char *url, *scheme, *host, *path;
} good[] = {
    {"http://127.0.0.1:8080", "http", "127.0.0.1:8080", ""},
    {"http://Example.ORG:80/", "http", "example.org", ""},
    {"https://example.org:443", "https", "example.org", ""},
    {"https://example.org:80", "https", "example.org:80", ""},
    {"http://[::1]:9000/base/", "http", "[::1]:9000", "/base"},
    {"http://h/a b", "http", "h", "/a%20b"},
};

START_TEST(urls_are_normalised)
{
    struct endpoint endpoint;

    ck_assert_int_eq(endpoint_parse(&endpoint, good[_i].url, &err), ST_OK);

    ck_assert_str_eq(endpoint_scheme(&endpoint), good[_i].scheme);
    ck_assert_str_eq(endpoint.host, good[_i].host);
    ck_assert_str_eq(endpoint.path, good[_i].path);
}
END_TEST

static const char *const bad[] = {
    "",           "127.0.0.1:80", "ftp://h",    "http://",    "http://:80",
    "http://u@h", "http://h/?q",  "http://h#f", "http://h h",
};

START_TEST(other_urls_are_refused)
{
    struct endpoint endpoint;

    ck_assert_int_eq(endpoint_parse(&endpoint, bad[_i], &err), ST_INVALID);
}
END_TEST

static const char *const secretive[] = {
    "http://user:hunter2@h",
    "user:hunter2@h",
    "http://user:hunt@er2@h/@",
    "https://h/?sig=hunter2",
};

START_TEST(a_refusal_keeps_secrets)
{
    struct endpoint endpoint;

    ck_assert_int_eq(endpoint_parse(&endpoint, secretive[_i], &err), ST_INVALID);

    ck_assert_ptr_null(strstr(err.text, "er2"));
    ck_assert_ptr_null(strstr(err.text, "hunt"));
}
END_TEST

START_TEST(text_is_percent_encoded)
{
    char out[64];
    struct text text;

    text_init(&text, out, sizeof out);
    text_percent(&text, "a/b c+\xC3\xBC~", TEXT_PATH);
    text_percent(&text, "/=", TEXT_WORD);

    ck_assert(!text.overflow);
    ck_assert_str_eq(out, "a/b%20c%2B%C3%BC~%2F%3D");
}
END_TEST

START_TEST(what_does_not_fit_is_dropped_whole)
{
    char out[8];
    struct text text;

    text_init(&text, out, sizeof out);
    text_add(&text, "ab");
    text_percent(&text, "  ", TEXT_WORD);
    ck_assert(text.overflow);
    ck_assert_str_eq(out, "ab");
    text_add(&text, "c");

    ck_assert_str_eq(out, "ab");
}
END_TEST

static const struct {
    const char *text, *scheme, *bucket, *prefix;
} places[] = {
    {"s3://b", "s3", "b", ""},        {"s3://b/", "s3", "b", ""},
    {"s3://b/a/b", "s3", "b", "a/b"}, {"s3://b//a", "s3", "b", "/a"},
    {"az://c/p/", "az", "c", "p/"},
};

START_TEST(destinations_are_split)
{
    struct object_location where;

    ck_assert_int_eq(object_location_parse(&where, places[_i].text, &err), ST_OK);

    ck_assert_str_eq(where.scheme, places[_i].scheme);
    ck_assert_str_eq(where.bucket, places[_i].bucket);
    ck_assert_str_eq(where.prefix, places[_i].prefix);
}
END_TEST

static const char *const nowhere[] = {"",         "b/p",     "gs://b",   "s3:/b",
                                      "s3://",    "s3:///p", "s3://../", "s3://a?b",
                                      "s3://a b", "s33://b"};

START_TEST(other_destinations_are_refused)
{
    struct object_location where;

    ck_assert_int_eq(object_location_parse(&where, nowhere[_i], &err), ST_INVALID);
}
END_TEST

START_TEST(a_prefix_longer_than_a_key_is_refused)
{
    char text[OBJECT_KEY_SIZE + 8] = "s3://b/";
    struct object_location where;

    memset(text + 7, 'p', OBJECT_KEY_SIZE);
    text[7 + OBJECT_KEY_SIZE] = '\0';

    ck_assert_int_eq(object_location_parse(&where, text, &err), ST_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *tcase = tcase_create("endpoint");

    tcase_add_loop_test(tcase, urls_are_normalised, 0, COUNT_OF(good));
    tcase_add_loop_test(tcase, other_urls_are_refused, 0, COUNT_OF(bad));
    tcase_add_loop_test(tcase, a_refusal_keeps_secrets, 0, COUNT_OF(secretive));
    tcase_add_test(tcase, text_is_percent_encoded);
    tcase_add_test(tcase, what_does_not_fit_is_dropped_whole);
    tcase_add_loop_test(tcase, destinations_are_split, 0, COUNT_OF(places));
    tcase_add_loop_test(tcase, other_destinations_are_refused, 0, COUNT_OF(nowhere));
    tcase_add_test(tcase, a_prefix_longer_than_a_key_is_refused);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
