/* SPDX-License-Identifier: MIT */
#include "common/structured_field.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* Spells members as "key:type:text|", type one of b s o. */
static bool spell(void *context, const struct structured_member *member)
{
    static const char letter[] = {
        [STRUCTURED_BYTES] = 'b', [STRUCTURED_STRING] = 's', [STRUCTURED_OTHER] = 'o'};
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 1024 - used, "%.*s:%c:%.*s|", (int)member->key_length,
             member->key, letter[member->type], (int)member->length, member->text);
    return true;
}

static const struct {
    const char *text, *members;
} good[] = {
    {"", ""},
    {"   ", ""},
    {"a", "a:o:|"},
    {"a=1", "a:o:1|"},
    {"  a=1  ", "a:o:1|"},
    {"a=1,b=2", "a:o:1|b:o:2|"},
    {"a=1 \t, \tb=2", "a:o:1|b:o:2|"},
    {"a=1,\tb", "a:o:1|b:o:|"},
    {"a, a=2", "a:o:|a:o:2|"}, /* a visitor sees both, and keeps the later */
    {"*k=?1", "*k:o:?1|"},
    {"a.b-c_d*9=?0", "a.b-c_d*9:o:?0|"},
    /* byte sequences */
    {"sha-256=:AAEC:", "sha-256:b:AAEC|"},
    {"a=::", "a:b:|"},
    {"a=:AA==:", "a:b:AA==|"},
    {"a=:AA:", "a:b:AA|"},
    {"a=:+/9z:;p=1", "a:b:+/9z|"},
    /* strings */
    {"a=\"\"", "a:s:|"},
    {"a=\"x, y\", b", "a:s:x, y|b:o:|"},
    {"a=\"q\\\"b\\\\\"", "a:s:q\\\"b\\\\|"},
    /* numbers */
    {"a=-0", "a:o:-0|"},
    {"a=999999999999999", "a:o:999999999999999|"},
    {"a=-123456789012.125", "a:o:-123456789012.125|"},
    {"a=00.1", "a:o:00.1|"},
    /* tokens, dates, display strings */
    {"a=*x/y:z", "a:o:*x/y:z|"},
    {"a=T!#$%&'*+-.^_`|~", "a:o:T!#$%&'*+-.^_`|~|"},
    {"a=@1659578233", "a:o:@1659578233|"},
    {"a=@-1", "a:o:@-1|"},
    {"a=%\"plain\"", "a:o:%\"plain\"|"},
    {"a=%\"f%c3%bc%22\"", "a:o:%\"f%c3%bc%22\"|"},
    {"a=%\"%f0%9f%98%80\"", "a:o:%\"%f0%9f%98%80\"|"},
    /* parameters and inner lists */
    {"a;x;y=2", "a:o:|"},
    {"a=1; x=\"s\";  y=:AA==:, b", "a:o:1|b:o:|"},
    {"a=()", "a:o:()|"},
    {"a=(  )", "a:o:(  )|"},
    {"a=( 1  tok \"s\" )", "a:o:( 1  tok \"s\" )|"},
    {"a=(1;p :AA==:;q=?0);r, b=2", "a:o:(1;p :AA==:;q=?0)|b:o:2|"},
};

START_TEST(well_formed_dictionary_is_spelled_out)
{
    char members[1024] = "";

    ck_assert(
        structured_dictionary(good[_i].text, strlen(good[_i].text), spell, members));
    ck_assert_str_eq(members, good[_i].members);
}
END_TEST

static const char *const bad[] = {
    ",",
    "a,",
    "a, ",
    ",a",
    "a,,b",
    "a=",
    "a= 1",
    "a =1",
    "a b",
    "\ta",
    "a=1;",
    "a=1; ",
    "a;X",
    "a;=1",
    "a=1 ;x",
    "a;x=",
    "a=1\n",
    "a=1\r\n",
    "a\x80",
    /* keys */
    "A=1",
    "1=1",
    "-a",
    "_a",
    ".a",
    "aB=1",
    "=1",
    /* byte sequences */
    "a=:AA",
    "a=AA:;",
    "a=:A:",
    "a=:AAAAA:",
    "a=:A===:",
    "a=:AA=:",
    "a=:AAA==:",
    "a=:A=A=:",
    "a=:====:",
    "a=:AA AA:",
    "a=:AA-_:",
    "a=:=:",
    /* strings */
    "a=\"",
    "a=\"x",
    "a=\"\\\"",
    "a=\"\\n\"",
    "a=\"\t\"",
    "a=\"\x7f\"",
    "a=\"\xc3\xbc\"",
    "a=\"x\"y",
    "a='x'",
    /* numbers */
    "a=-",
    "a=--1",
    "a=+1",
    "a=.5",
    "a=1.",
    "a=1.2345",
    "a=1.2.3",
    "a=1000000000000000",
    "a=1234567890123.1",
    "a=1e3",
    "a=- 1",
    "a=-a",
    /* booleans, tokens, dates */
    "a=?",
    "a=?2",
    "a=?true",
    "a=?10",
    "a=x(y)",
    "a=@",
    "a=@1.5",
    "a=@x",
    /* display strings */
    "a=%",
    "a=%x",
    "a=%\"x",
    "a=%\"%C3%BC\"",
    "a=%\"%c3\"",
    "a=%\"%c3x\"",
    "a=%\"%ff\"",
    "a=%\"%\"",
    "a=%\"%4\"",
    "a=%\"\xc3\xbc\"",
    "a=%\"%ed%a0%80\"",
    "a=%\"%c0%80\"",
    "a=%\"%f0%9f%98\"",
    "a=%\"%80%80%80%80%80\"",
    /* inner lists */
    "a=(",
    "a=(1",
    "a=(1 ",
    "a=(1,2)",
    "a=(1\t2)",
    "a=(\"a\"\"b\")",
    "a=((1))",
    "a=1)",
    "a=(1;)",
    "a=(A=1)",
};

START_TEST(malformed_dictionary_is_refused_without_a_visit)
{
    char members[1024] = "";

    ck_assert_msg(!structured_dictionary(bad[_i], strlen(bad[_i]), spell, members),
                  "accepted %s", bad[_i]);
    ck_assert_str_eq(members, "");
}
END_TEST

START_TEST(nul_is_no_part_of_a_dictionary)
{
    char members[1024] = "";

    ck_assert(!structured_dictionary("a\0", 2, spell, members));
    ck_assert(!structured_dictionary("\0", 1, spell, members));
    ck_assert(!structured_dictionary("a=\"\0\"", 5, spell, members));
}
END_TEST

static bool only_one(void *context, const struct structured_member *member)
{
    spell(context, member);
    return false;
}

START_TEST(visitor_may_stop_but_the_rest_is_still_checked)
{
    char members[1024] = "";

    ck_assert(structured_dictionary("a=1, b=2", 8, only_one, members));
    ck_assert_str_eq(members, "a:o:1|");
    ck_assert(!structured_dictionary("a=1, b=", 7, only_one, members));
}
END_TEST

static const struct {
    const char *text, *value; /* NULL: malformed */
} strings[] = {
    {"\"\"", ""},
    {"\"abc\"", "abc"},
    {"  \"abc\"  ", "abc"},
    {"\"a\\\"b\\\\c\"", "a\"b\\c"},
    {"\"abc\";q=1;r", "abc"},
    {"\"1234567\"", "1234567"},
    {"\"\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"", "\\\\\\\\\\\\\\"},
    {"\"12345678\"", NULL}, /* does not fit */
    {"", NULL},
    {" ", NULL},
    {"abc", NULL},
    {"\"abc", NULL},
    {"abc\"", NULL},
    {"\"", NULL},
    {"\"a\" \"b\"", NULL},
    {"\"a\", \"b\"", NULL},
    {"\"a\"b", NULL},
    {"\t\"a\"", NULL},
    {"\"a\"\t", NULL},
    {"\"\\a\"", NULL},
    {"\"a\";", NULL},
    {":AA==:", NULL},
};

START_TEST(string_item_is_unescaped_or_refused)
{
    char out[8] = "before";
    bool ok = structured_string(strings[_i].text, strlen(strings[_i].text), out,
                                sizeof(out));

    ck_assert_int_eq(ok, strings[_i].value != NULL);
    ck_assert_str_eq(out, ok ? strings[_i].value : "before");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("structured_field");
    TCase *tcase = tcase_create("structured_field");

    tcase_add_loop_test(tcase, well_formed_dictionary_is_spelled_out, 0,
                        COUNT_OF(good));
    tcase_add_loop_test(tcase, malformed_dictionary_is_refused_without_a_visit, 0,
                        COUNT_OF(bad));
    tcase_add_test(tcase, nul_is_no_part_of_a_dictionary);
    tcase_add_test(tcase, visitor_may_stop_but_the_rest_is_still_checked);
    tcase_add_loop_test(tcase, string_item_is_unescaped_or_refused, 0,
                        COUNT_OF(strings));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
