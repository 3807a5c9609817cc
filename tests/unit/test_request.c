/* SPDX-License-Identifier: MIT */
#include "receiver/request.h"
#include "unit.h"

#include <string.h>

static void add(struct request_header *lines, size_t *count, const char *name,
                const char *value)
{
    lines[(*count)++] = (struct request_header){
        .name = name,
        .value = value,
        .name_length = strlen(name),
        .value_length = strlen(value),
    };
}

START_TEST(a_header_is_found_in_any_case_and_the_first_counts)
{
    struct request request = {.headers = 0};

    add(request.header, &request.headers, "Host", "h");
    add(request.header, &request.headers, "X-a", "1");
    add(request.header, &request.headers, "x-A", "2");

    ck_assert_pstr_eq(request_header(&request, "X-A"), "1");
    ck_assert_pstr_eq(request_header(&request, "host"), "h");
    ck_assert_ptr_null(request_header(&request, "X"));
    ck_assert_ptr_null(request_header(&request, "X-AB"));
}
END_TEST

static const struct {
    const char *line[3];
    const char *joined; /* NULL: refused */
    const char *left;   /* in the buffer when refused */
} lists[] = {
    {{"a"}, "a", NULL},
    {{"a, b"}, "a, b", NULL},
    {{"a", "b", "c"}, "a, b, c", NULL},
    {{"0123456789"}, "0123456789", NULL},
    {{"01234", "789"}, "01234, 789", NULL},
    {{NULL}, NULL, ""},
    {{""}, NULL, ""},
    {{"", "a"}, "a", NULL},
    {{"0123456789a"}, NULL, "0123456789"},
    {{"01234", "7890"}, NULL, "01234, 789"},
};

START_TEST(the_lines_of_a_list_are_one)
{
    for (int trailer = 0; trailer < 2; trailer++) {
        struct request request = {.headers = 0};
        char out[11] = "before";
        bool good;

        for (size_t i = 0; i < 3 && lists[_i].line[i]; i++) {
            add(trailer ? request.trailer : request.header,
                trailer ? &request.trailers : &request.headers, i % 2 ? "LIST" : "list",
                lists[_i].line[i]);
        }
        add(trailer ? request.header : request.trailer,
            trailer ? &request.headers : &request.trailers, "List", "elsewhere");
        good = request_list(&request, "List", trailer, out, sizeof out);

        ck_assert_int_eq(good, lists[_i].joined != NULL);
        ck_assert_str_eq(out, good ? lists[_i].joined : lists[_i].left);
    }
}
END_TEST

static const struct {
    bool has_length;
    uint64_t length;
    bool chunked, has_body;
} bodies[] = {
    {false, 0, false, false},
    {true, 0, false, false},
    {true, 1, false, true},
    {false, 0, true, true},
};

START_TEST(a_body_is_announced_by_its_framing)
{
    struct request request = {.has_length = bodies[_i].has_length,
                              .length = bodies[_i].length,
                              .chunked = bodies[_i].chunked};

    ck_assert_int_eq(request_has_body(&request), bodies[_i].has_body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request");
    TCase *tcase = tcase_create("request");

    tcase_add_test(tcase, a_header_is_found_in_any_case_and_the_first_counts);
    tcase_add_loop_test(tcase, the_lines_of_a_list_are_one, 0, COUNT_OF(lists));
    tcase_add_loop_test(tcase, a_body_is_announced_by_its_framing, 0, COUNT_OF(bodies));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
