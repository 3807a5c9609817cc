/* SPDX-License-Identifier: MIT */
#include "common/utf8.h"
#include "tests/unit/unit.h"

#include <string.h>

/* Bytes at each edge of RFC 3629's grammar, and the character they begin with. */
static const struct {
    const char *bytes;
    size_t n, length;
} lengths[] = {
    {"", 0, 0},
    {"\0", 1, 1},
    {"a", 1, 1},
    {"\x7F", 1, 1},
    {"\x80", 1, 0},
    {"\xBF", 1, 0},
    {"\xC0\x80", 2, 0}, /* overlong */
    {"\xC1\xBF", 2, 0},
    {"\xC2\x80", 2, 2},
    {"\xDF\xBF", 2, 2},
    {"\xC3", 1, 0},
    {"\xC3\x28", 2, 0},
    {"\xE0\x9F\xBF", 3, 0}, /* overlong */
    {"\xE0\xA0\x80", 3, 3},
    {"\xED\x9F\xBF", 3, 3},
    {"\xED\xA0\x80", 3, 0}, /* surrogates */
    {"\xED\xBF\xBF", 3, 0},
    {"\xEE\x80\x80", 3, 3},
    {"\xEF\xBF\xBF", 3, 3},
    {"\xE2\x82", 2, 0},
    {"\xE2\x82\xC0", 3, 0},
    {"\xF0\x8F\xBF\xBF", 4, 0}, /* overlong */
    {"\xF0\x90\x80\x80", 4, 4},
    {"\xF4\x8F\xBF\xBF", 4, 4},
    {"\xF4\x90\x80\x80", 4, 0}, /* past U+10FFFF */
    {"\xF5\x80\x80\x80", 4, 0},
    {"\xF0\x9F\x98", 3, 0},
    {"\xF0\x9F\x98\x41", 4, 0},
    {"\xFF", 1, 0},
    {"\xC3\xBC"
     "more",
     6, 2},
};

START_TEST(length_is_that_of_a_whole_valid_character)
{
    ck_assert_uint_eq(utf8_length(lengths[_i].bytes, lengths[_i].n),
                      lengths[_i].length);
}
END_TEST

static const struct {
    uint32_t code_point;
    const char *text;
} encodings[] = {
    {'a', "a"},
    {0x7F, "\x7F"},
    {0x80, "\xC2\x80"},
    {0x7FF, "\xDF\xBF"},
    {0x800, "\xE0\xA0\x80"},
    {0x20AC, "\xE2\x82\xAC"},
    {0xD800, UTF8_REPLACEMENT},
    {0xDFFF, UTF8_REPLACEMENT},
    {0xFFFF, "\xEF\xBF\xBF"},
    {0x10000, "\xF0\x90\x80\x80"},
    {0x10FFFF, "\xF4\x8F\xBF\xBF"},
    {0x110000, UTF8_REPLACEMENT},
    {UINT32_MAX, UTF8_REPLACEMENT},
};

START_TEST(code_point_is_encoded_or_replaced)
{
    char out[UTF8_MAX];
    size_t length = utf8_encode(out, encodings[_i].code_point);

    ck_assert_uint_eq(length, strlen(encodings[_i].text));
    ck_assert_mem_eq(out, encodings[_i].text, length);
}
END_TEST

static const struct {
    const char *text, *shown;
} shows[] = {
    {"", ""},
    {"a b\"\\", "a b\"\\"},
    {"\xC3\xBC\xE2\x82\xAC\xF0\x90\x80\x80", "\xC3\xBC\xE2\x82\xAC\xF0\x90\x80\x80"},
    {"\n\x1F\x7F", "\\x0a\\x1f\\x7f"},
    {"\xC2\x80\xC2\x9F\xC2\xA0", "\\xc2\\x80\\xc2\\x9f\xC2\xA0"},
    {"a\x9B"
     "2J",
     "a\\x9b2J"},
    {"\xE2\x80\xAE", "\\xe2\\x80\\xae"},
    {"\xE2\x80\xA8\xE2\x80\xAF", "\\xe2\\x80\\xa8\xE2\x80\xAF"},
    {"\xE2\x81\xA5\xE2\x81\xA6\xE2\x81\xA9\xE2\x81\xAA",
     "\xE2\x81\xA5\\xe2\\x81\\xa6\\xe2\\x81\\xa9\xE2\x81\xAA"},
    {"\xD8\x9C\xE2\x80\x8F", "\\xd8\\x9c\\xe2\\x80\\x8f"},
};

START_TEST(what_a_terminal_would_obey_is_shown_as_bytes)
{
    char out[64];
    size_t length = utf8_show(out, sizeof out, shows[_i].text);

    ck_assert_str_eq(out, shows[_i].shown);
    ck_assert_uint_eq(length, strlen(out));
}
END_TEST

START_TEST(what_is_shown_is_cut_at_a_character)
{
    char out[6];

    ck_assert_uint_eq(utf8_show(out, sizeof out, "abc\xE2\x82\xAC"), 3);
    ck_assert_uint_eq(utf8_show(out, sizeof out, "ab\x1B"), 2);
    ck_assert_uint_eq(utf8_show(out, sizeof out, "abcde"), 5);
    ck_assert_uint_eq(utf8_show(out, sizeof out, "abcdef"), 5);
    ck_assert_str_eq(out, "abcde");
    ck_assert_uint_eq(utf8_show(out, 1, "a"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tcase = tcase_create("utf8");

    tcase_add_loop_test(tcase, length_is_that_of_a_whole_valid_character, 0,
                        COUNT_OF(lengths));
    tcase_add_loop_test(tcase, code_point_is_encoded_or_replaced, 0,
                        COUNT_OF(encodings));
    tcase_add_loop_test(tcase, what_a_terminal_would_obey_is_shown_as_bytes, 0,
                        COUNT_OF(shows));
    tcase_add_test(tcase, what_is_shown_is_cut_at_a_character);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
