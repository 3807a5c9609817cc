/* SPDX-License-Identifier: MIT */
#include "common/object/text.h"
#include "unit.h"

#include <string.h>

START_TEST(what_was_encoded_is_decoded)
{
    char encoded[64], decoded[64];
    struct text text;

    text_init(&text, encoded, sizeof encoded);
    text_percent(&text, "a\x01 b+%/\xC3\xA9", TEXT_WORD);

    ck_assert_str_eq(encoded, "a%01%20b%2B%25%2F%C3%A9");
    ck_assert(text_decode(decoded, sizeof decoded, encoded));
    ck_assert_str_eq(decoded, "a\x01 b+%/\xC3\xA9");
}
END_TEST

START_TEST(a_plus_is_a_space_and_hex_may_be_lower_case)
{
    char decoded[8];

    ck_assert(text_decode(decoded, sizeof decoded, "a+b%c3%a9"));
    ck_assert_str_eq(decoded, "a b\xC3\xA9");
}
END_TEST

static const char *const bad[] = {"%", "%1", "a%g1", "%1g", "%00", "12345678"};

START_TEST(nonsense_and_what_does_not_fit_is_not_decoded)
{
    char decoded[8];

    ck_assert(!text_decode(decoded, sizeof decoded, bad[_i]));
}
END_TEST

START_TEST(what_no_longer_fits_is_dropped_whole)
{
    char buffer[8];
    struct text text;

    text_init(&text, buffer, sizeof buffer);
    text_add(&text, "abc");
    text_percent(&text, "//", TEXT_WORD);

    ck_assert(text.overflow);
    ck_assert_str_eq(buffer, "abc");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, what_was_encoded_is_decoded);
    tcase_add_test(tcase, a_plus_is_a_space_and_hex_may_be_lower_case);
    tcase_add_loop_test(tcase, nonsense_and_what_does_not_fit_is_not_decoded, 0,
                        COUNT_OF(bad));
    tcase_add_test(tcase, what_no_longer_fits_is_dropped_whole);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
