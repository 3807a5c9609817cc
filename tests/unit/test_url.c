/* SPDX-License-Identifier: MIT */
#include "common/url.h"
#include "unit.h"

#include <string.h>

static const struct {
    const char *base, *reference, *url; /* url NULL: nowhere */
    bool same_origin;
} leads[] = {
    {"http://a/b/c", "d", "http://a/b/d", true},
    {"http://a/b/c", "/d?e=f", "http://a/d?e=f", true},
    {"http://a/b", "http://a:80/c", "http://a:80/c", true},
    {"https://a/b", "//A/c", "https://A/c", true},
    {"http://a/b", "//c/d", "http://c/d", false},
    {"http://a/b", "http://a:81/b", "http://a:81/b", false},
    {"https://a/b", "http://a/b", "http://a/b", false},
    {"http://a/b", "/c d", "http://a/c%20d", true},
    {"http://a/b", "/c/../d", "http://a/c/../d", true},
    {"http://a/b", "ftp://a/b", NULL, false},
    {"http://a/b", "file:///etc/passwd", NULL, false},
    {"http://a/b", "http://", NULL, false},
    {"http://a/b", "http://a:99999/", NULL, false},
};

START_TEST(a_reference_leads_somewhere)
{
    bool same_origin = false;
    char *url = url_resolve(leads[_i].base, leads[_i].reference, &same_origin);

    ck_assert_pstr_eq(url, leads[_i].url);
    if (leads[_i].url)
        ck_assert_int_eq(same_origin, leads[_i].same_origin);
    url_free(url);
}
END_TEST

static const struct {
    const char *url;
    bool loopback;
} places[] = {
    {"http://127.0.0.1:8000/", true},   {"http://127.9.9.9/", true},
    {"https://[::1]/x", true},          {"http://LocalHost/", true},
    {"http://127.example.org/", false}, {"http://128.0.0.1/", false},
    {"http://user@a/localhost", false}, {"", false},
};

START_TEST(this_machine_is_known)
{
    ck_assert_int_eq(url_is_loopback(places[_i].url), places[_i].loopback);
}
END_TEST

static const struct {
    const char *url, *origin;
} origins[] = {
    {"https://user:secret@a:8/b?token=c#d", "https://a:8"},
    {"http://a?token=c", "http://a"},
    {"http://x@y@a/", "http://a"},
    {"a/b", "a"},
    {"", ""},
};

START_TEST(an_origin_has_no_secrets)
{
    char out[URL_ORIGIN_SIZE];

    ck_assert_str_eq(url_origin(out, origins[_i].url), origins[_i].origin);
}
END_TEST

START_TEST(a_long_origin_is_cut)
{
    char url[2 * URL_ORIGIN_SIZE] = "http://", out[URL_ORIGIN_SIZE];

    memset(url + 7, 'a', sizeof url - 8);
    ck_assert_uint_eq(strlen(url_origin(out, url)), URL_ORIGIN_SIZE - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("url");
    TCase *tests = tcase_create("url");

    tcase_add_loop_test(tests, a_reference_leads_somewhere, 0, COUNT_OF(leads));
    tcase_add_loop_test(tests, this_machine_is_known, 0, COUNT_OF(places));
    tcase_add_loop_test(tests, an_origin_has_no_secrets, 0, COUNT_OF(origins));
    tcase_add_test(tests, a_long_origin_is_cut);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
