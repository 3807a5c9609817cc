/* SPDX-License-Identifier: MIT */
#include "sender/upload/naming.h"
#include "unit.h"

#include <string.h>

enum { KEY_MAX = 1024 };

static const struct {
    const char *prefix, *path, *key;
} names[] = {
    {"", "a", "a"},
    {"p", "a/b", "p/a/b"},
    {"p/", "a", "p/a"},
    {"p//", "a", "p//a"},
    {"", "a b+=&%#?", "a b+=&%#?"},
    {"", "\xC3\xBC", "\xC3\xBC"},
    {"", "\xFCx",
     "\xE2\x80\x9B"
     "FCx"},
    {"",
     "a\xE2\x80\x9B"
     "b",
     "a\xE2\x80\x9B\xE2\x80\x9B"
     "b"},
    {"", "\xED\xA0\x80",
     "\xE2\x80\x9B"
     "ED\xE2\x80\x9B"
     "A0\xE2\x80\x9B"
     "80"},
    {"\xFC", "a", "\xFC/a"},
};

START_TEST(keys_are_prefix_and_path)
{
    char key[OBJECT_KEY_SIZE];
    struct error err;

    ck_assert_int_eq(naming_key(key, KEY_MAX, names[_i].prefix, names[_i].path, &err),
                     ST_OK);
    ck_assert_str_eq(key, names[_i].key);
}
END_TEST

START_TEST(the_root_ends_where_the_path_begins)
{
    char root[NAMING_ROOT_SIZE];

    naming_root(root, "");
    ck_assert_str_eq(root, "");
    naming_root(root, "p");
    ck_assert_str_eq(root, "p/");
    naming_root(root, "p/");
    ck_assert_str_eq(root, "p/");
}
END_TEST

START_TEST(a_key_may_fill_the_store_s_limit_but_not_pass_it)
{
    char path[KEY_MAX + 1], key[OBJECT_KEY_SIZE];
    struct error err;

    memset(path, 'x', KEY_MAX);
    path[KEY_MAX] = '\0';
    ck_assert_int_eq(naming_key(key, KEY_MAX, "", path, &err), ST_OK);
    ck_assert_str_eq(key, path);

    ck_assert_int_eq(naming_key(key, KEY_MAX - 1, "", path, &err), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "1024"));
    ck_assert_int_eq(naming_key(key, KEY_MAX, "p", path, &err), ST_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("naming");
    TCase *tcase = tcase_create("naming");

    tcase_add_loop_test(tcase, keys_are_prefix_and_path, 0, COUNT_OF(names));
    tcase_add_test(tcase, the_root_ends_where_the_path_begins);
    tcase_add_test(tcase, a_key_may_fill_the_store_s_limit_but_not_pass_it);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
