/* SPDX-License-Identifier: MIT */
#include "common/object/xml.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static char seen[4096];
static struct error err;

static void note(void *context, const char *path, const char *text)
{
    (void)context;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s=%s;", path, text);
}

static enum status read(const char *document)
{
    seen[0] = '\0';
    return xml_read_answer(document, strlen(document), note, NULL, &err);
}

START_TEST(elements_are_reported_when_they_end)
{
    ck_assert_int_eq(read("<?xml version=\"1.0\"?><a xmlns=\"u:x\"><b>1&amp;2</b>"
                          "<c/><d>x<e>y</e>z</d></a>"),
                     ST_OK);
    ck_assert_str_eq(seen, "a/b=1&2;a/c=;a/d/e=y;a/d=xz;a=;");
}
END_TEST

START_TEST(prefixes_are_ignored)
{
    ck_assert_int_eq(read("<s:a xmlns:s='u'><s:b>1</s:b></s:a>"), ST_OK);
    ck_assert_str_eq(seen, "a/b=1;a=;");
    ck_assert_int_eq(read("<s:><b>1</b></s:>"), ST_OK);
    ck_assert_str_eq(seen, "s:/b=1;s:=;");
}
END_TEST

static const char *const bad[] = {
    "",
    "text",
    "<a>",
    "<a></b>",
    "<a/><b/>",
    "<a>&undefined;</a>",
    "<!DOCTYPE a><a/>",
    "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
    "<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>",
    " ",
    "\x01<a/>",
    "<a>&#0;</a>",
    "<a>&#1</a>",
    "<a>&#;</a>",
    "<a>&#xg;</a>",
    "<a>&#",
};

START_TEST(other_documents_are_refused)
{
    ck_assert_int_eq(read(bad[_i]), ST_CORRUPT);
}
END_TEST

START_TEST(control_characters_in_answers_are_put_up_with)
{
    ck_assert_int_eq(read("<a>1\x01\x1f\t2&#1;&#x1F;&#x0b;&#9;3&#x2764;</a>"), ST_OK);
    ck_assert_str_eq(seen, "a=1?\?\t2?\?\?\t3\xE2\x9D\xA4;");
}
END_TEST

START_TEST(blanks_before_an_answer_are_skipped)
{
    ck_assert_int_eq(read("  \r\n <?xml version=\"1.0\"?><a>1</a>"), ST_OK);
    ck_assert_str_eq(seen, "a=1;");
}
END_TEST

START_TEST(a_text_without_end_is_refused)
{
    char document[XML_TEXT_MAX + 16];

    memset(document, 'x', sizeof document);
    memcpy(document, "<a>", 3);
    memcpy(document + sizeof document - 5, "</a>", 5);

    ck_assert_int_eq(read(document), ST_CORRUPT);
}
END_TEST

START_TEST(a_document_may_come_in_pieces)
{
    static const char document[] = "<a><b>12</b></a>";
    struct xml *xml = NULL;

    seen[0] = '\0';
    ck_assert_int_eq(xml_create(&xml, note, NULL, &err), ST_OK);
    for (size_t i = 0; i < sizeof document - 1; i++)
        ck_assert_int_eq(xml_feed(xml, document + i, 1, &err), ST_OK);
    ck_assert_int_eq(xml_finish(xml, &err), ST_OK);

    ck_assert_str_eq(seen, "a/b=12;a=;");
    xml_destroy(&xml);
}
END_TEST

START_TEST(a_document_that_stops_short_is_refused)
{
    struct xml *xml = NULL;

    ck_assert_int_eq(xml_create(&xml, note, NULL, &err), ST_OK);
    ck_assert_int_eq(xml_feed(xml, "<a><b>", 6, &err), ST_OK);

    ck_assert_int_eq(xml_finish(xml, &err), ST_CORRUPT);
    xml_destroy(&xml);
}
END_TEST

START_TEST(an_answer_that_cannot_be_read_may_be_asked_for_again)
{
    ck_assert_int_eq(xml_of_answer(read("<a>"), &err), ST_AGAIN);
    ck_assert_int_eq(err.status, ST_AGAIN);

    ck_assert_int_eq(xml_of_answer(read("<a/>"), &err), ST_OK);
}
END_TEST

START_TEST(copies_fit_or_are_empty)
{
    char out[4] = "old";

    xml_copy(out, sizeof out, "abc");
    ck_assert_str_eq(out, "abc");
    xml_copy(out, sizeof out, "abcd");
    ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xml");
    TCase *tcase = tcase_create("xml");

    tcase_add_test(tcase, elements_are_reported_when_they_end);
    tcase_add_test(tcase, prefixes_are_ignored);
    tcase_add_loop_test(tcase, other_documents_are_refused, 0, COUNT_OF(bad));
    tcase_add_test(tcase, control_characters_in_answers_are_put_up_with);
    tcase_add_test(tcase, blanks_before_an_answer_are_skipped);
    tcase_add_test(tcase, a_text_without_end_is_refused);
    tcase_add_test(tcase, a_document_may_come_in_pieces);
    tcase_add_test(tcase, a_document_that_stops_short_is_refused);
    tcase_add_test(tcase, an_answer_that_cannot_be_read_may_be_asked_for_again);
    tcase_add_test(tcase, copies_fit_or_are_empty);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
