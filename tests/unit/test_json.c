/* SPDX-License-Identifier: MIT */
#include "common/json.h"
#include "tests/unit/unit.h"

#include <string.h>

START_TEST(writer_separates_members_and_elements)
{
    char text[256];
    struct json json;

    json_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_string(&json, "name", "value");
    json_number(&json, "least", INT64_MIN);
    json_boolean(&json, "yes", true);
    json_open(&json, "list", '[');
    json_number(&json, NULL, 1);
    json_string(&json, NULL, "two");
    json_open(&json, NULL, '{');
    json_close(&json, '}');
    json_boolean(&json, NULL, false);
    json_close(&json, ']');
    json_open(&json, "empty", '[');
    json_close(&json, ']');
    json_close(&json, '}');

    ck_assert(!json.overflow);
    ck_assert_str_eq(text, "{\"name\":\"value\",\"least\":-9223372036854775808,"
                           "\"yes\":true,\"list\":[1,\"two\",{},false],\"empty\":[]}");
    ck_assert_uint_eq(json.length, strlen(text));
}
END_TEST

static const struct {
    const char *value, *quoted;
} quotes[] = {
    {"", "\"\""},
    {"plain /", "\"plain /\""},
    {"\"\\", "\"\\\"\\\\\""},
    {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
    {"\x01\x1F\x1B[31m", "\"\\u0001\\u001f\\u001b[31m\""},
    {"\x7F", "\"\\u007f\""},
    {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\""},
    {"a\xFF"
     "b",
     "\"a\xEF\xBF\xBD"
     "b\""},
    {"\xC3", "\"\xEF\xBF\xBD\""},
    {"\xC3\"", "\"\xEF\xBF\xBD\\\"\""},
    {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
};

START_TEST(written_string_is_escaped_and_valid)
{
    char text[64];
    struct json json;

    json_init(&json, text, sizeof(text));
    json_string(&json, NULL, quotes[_i].value);

    ck_assert_str_eq(text, quotes[_i].quoted);
}
END_TEST

START_TEST(full_buffer_overflows_and_is_never_passed)
{
    static const char whole[] = "{\"k\":\"\\n\xEF\xBF\xBD\"}";
    char text[sizeof(whole) + 1];
    struct json json;

    memset(text, '#', sizeof(text));
    json_init(&json, text, (size_t)_i);
    json_open(&json, NULL, '{');
    json_string(&json, "k", "\n\xFF");
    json_close(&json, '}');

    ck_assert_int_eq(json.overflow, (size_t)_i < sizeof(whole));
    ck_assert_uint_eq(strlen(text), json.length);
    ck_assert_uint_lt(json.length, (size_t)_i);
    for (size_t i = (size_t)_i; i < sizeof(text); i++)
        ck_assert_int_eq(text[i], '#');
}
END_TEST

static const struct {
    const char *text, *value; /* of member "k" */
} found[] = {
    {"{\"k\":\"v\"}", "v"},
    {" \t\r\n{ \"k\" : \"v\" } \n", "v"},
    {"{\"k\":\"\"}", ""},
    {"{\"a\":1,\"k\":\"v\",\"z\":[{}]}", "v"},
    {"{\"a\":{\"k\":\"inner\"},\"k\":\"v\"}", "v"},
    {"{\"a\":[-0.5e+3,0,1E9,true,false,null,\"\"],\"k\":\"v\"}", "v"},
    {"{\"\\u006b\":\"v\"}", "v"},
    {"{\"k\":1,\"k\":\"last\"}", "last"},
    {"{\"k\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t"},
    {"{\"k\":\"\\u00fc\\u20AC\"}", "\xC3\xBC\xE2\x82\xAC"},
    {"{\"k\":\"\\ud83d\\ude00\"}", "\xF0\x9F\x98\x80"},
    {"{\"k\":\"\\ud83dx\"}", "\xEF\xBF\xBDx"},
    {"{\"k\":\"\\ude00\\ud83d\"}", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"{\"k\":\"\\ud83d\\ud83d\\ude00\"}", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
    {"{\"k\":\"a\\u0000b\"}", "a\xEF\xBF\xBD"
                              "b"},
    {"{\"k\":\"a\xFF"
     "b\"}",
     "a\xEF\xBF\xBD"
     "b"},
    {"{\"k\":\"\x7F\"}", "\x7F"},
};

START_TEST(string_member_is_found_and_unescaped)
{
    char out[32];

    ck_assert(json_find_string(found[_i].text, strlen(found[_i].text), "k", out,
                               sizeof(out)));
    ck_assert_str_eq(out, found[_i].value);
}
END_TEST

static const char *const not_found[] = {
    "",
    " ",
    "null",
    "\"k\"",
    "[\"k\",\"v\"]",
    "{}",
    "{\"k\":1}",
    "{\"k\":null}",
    "{\"k\":{\"k\":\"v\"}}",
    "{\"kk\":\"v\"}",
    "{\"\":\"v\"}",
    "{\"K\":\"v\"}",
    "{\"k\":\"first\",\"k\":1}",
    /* not JSON, however close */
    "{\"k\":\"v\"",
    "{\"k\":\"v\"}}",
    "{\"k\":\"v\"} x",
    "{\"k\":\"v\",}",
    "{,\"k\":\"v\"}",
    "{\"k\" \"v\"}",
    "{\"k\":\"v\" \"a\":1}",
    "{k:\"v\"}",
    "{'k':'v'}",
    "{\"k\":\"v}",
    "{\"k\":\"v\",\"a\":[1,]}",
    "{\"k\":\"v\",\"a\":[1 2]}",
    "{\"k\":\"v\",\"a\":[}",
    "{\"k\":\"v\",\"a\":}",
    "{\"k\":\"v\",\"a\"}",
    "{\"k\":\"v\",\"a\":tru}",
    "{\"k\":\"v\",\"a\":True}",
    "{\"k\":\"v\",\"a\":NaN}",
    "{\"k\":\"v\",\"a\":01}",
    "{\"k\":\"v\",\"a\":+1}",
    "{\"k\":\"v\",\"a\":-}",
    "{\"k\":\"v\",\"a\":1.}",
    "{\"k\":\"v\",\"a\":.5}",
    "{\"k\":\"v\",\"a\":1e}",
    "{\"k\":\"v\",\"a\":1e+}",
    "{\"k\":\"a\nb\"}",
    "{\"k\":\"\\x\"}",
    "{\"k\":\"\\\"}",
    "{\"k\":\"\\u12\"}",
    "{\"k\":\"\\u12g4\"}",
    "{\"k\":\"\\",
    "{\"k\":\"\\u",
    "\xEF\xBB\xBF{\"k\":\"v\"}",
};

START_TEST(anything_else_is_not_found)
{
    char out[8] = "before";

    ck_assert_msg(
        !json_find_string(not_found[_i], strlen(not_found[_i]), "k", out, sizeof(out)),
        "found in %s", not_found[_i]);
    ck_assert_str_eq(out, "before");
}
END_TEST

START_TEST(long_string_is_cut_between_characters)
{
    static const char text[] = "{\"k\":\"a\xC3\xBC\\u20acz\"}";
    static const char *const cut[] = {"",
                                      "a",
                                      "a",
                                      "a\xC3\xBC",
                                      "a\xC3\xBC",
                                      "a\xC3\xBC",
                                      "a\xC3\xBC\xE2\x82\xAC",
                                      "a\xC3\xBC\xE2\x82\xACz"};
    char out[8];

    ck_assert(json_find_string(text, strlen(text), "k", out, (size_t)_i + 1));
    ck_assert_str_eq(out, cut[_i]);
}
END_TEST

START_TEST(nesting_ends_at_32)
{
    char text[256] = "{\"k\":\"v\",\"a\":", out[8];
    size_t used = strlen(text);
    size_t arrays = (size_t)_i - 1; /* the object is the first level */

    memset(text + used, '[', arrays);
    memset(text + used + arrays, ']', arrays);
    strcpy(text + used + 2 * arrays, "}");

    ck_assert_int_eq(json_find_string(text, strlen(text), "k", out, sizeof(out)),
                     _i <= 32);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    static const char value[] =
        "\x01 \"quoted\" \\ gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\n";
    char text[128], out[64];
    struct json json;

    json_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_string(&json, "other", "\"detail\":\"no\"");
    json_string(&json, "detail", value);
    json_close(&json, '}');

    ck_assert(json_find_string(text, json.length, "detail", out, sizeof(out)));
    ck_assert_str_eq(out, value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");

    tcase_add_test(tcase, writer_separates_members_and_elements);
    tcase_add_loop_test(tcase, written_string_is_escaped_and_valid, 0,
                        COUNT_OF(quotes));
    tcase_add_loop_test(tcase, full_buffer_overflows_and_is_never_passed, 1, 16);
    tcase_add_loop_test(tcase, string_member_is_found_and_unescaped, 0,
                        COUNT_OF(found));
    tcase_add_loop_test(tcase, anything_else_is_not_found, 0, COUNT_OF(not_found));
    tcase_add_loop_test(tcase, long_string_is_cut_between_characters, 0, 8);
    tcase_add_loop_test(tcase, nesting_ends_at_32, 30, 36);
    tcase_add_test(tcase, what_is_written_is_read_back);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
