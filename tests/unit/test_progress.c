/* SPDX-License-Identifier: MIT */
#include "common/progress.h"
#include "unit.h"

#include <string.h>

static const struct {
    const char *why;
    unsigned width;
    struct progress progress;
    const char *line;
} lines[] = {
    {"half way",
     66,
     {"blobs", NULL, 52, 104, 27368320, 21000},
     "[==========>          ] 52/104 blobs  26.1 MiB  1.2 MiB/s  ETA 21s"},
    {"nothing yet: no guess of the end",
     60,
     {"blobs", NULL, 0, 100, 0, 0},
     "[                              ] 0/100 blobs  0 B  0 B/s"},
    {"all done",
     62,
     {"blobs", NULL, 2, 2, 2048, 1000},
     "[==============================] 2/2 blobs  2.0 KiB  2.0 KiB/s"},
    {"more than was expected",
     62,
     {"blobs", NULL, 3, 2, 2048, 1000},
     "[==============================] 3/2 blobs  2.0 KiB  2.0 KiB/s"},
    {"unknown total: no bar",
     80,
     {"blobs", NULL, 52, 0, 1024, 1000},
     "52 blobs  1.0 KiB  1.0 KiB/s"},
    {"bytes alone",
     51,
     {NULL, NULL, 1048576, 4194304, 0, 60000},
     "[==>       ] 1.0 MiB/4.0 MiB  17.1 KiB/s  ETA 3m00s"},
    {"bytes, unknown total",
     80,
     {NULL, NULL, 1048576, 0, 0, 1000},
     "1.0 MiB  1.0 MiB/s"},
    {"a note comes last",
     40,
     {"blobs", "3 retried", 5, 0, 1024, 1000},
     "5 blobs  1.0 KiB  1.0 KiB/s  3 retried"},
    {"too narrow for a bar", 30, {"blobs", NULL, 2, 2, 0, 1}, "2/2 blobs  0 B  0 B/s"},
    {"too narrow for anything", 7, {"blobs", NULL, 2, 2, 0, 1}, "2/2 blo"},
    {"no width at all", 0, {"blobs", NULL, 2, 2, 0, 1}, ""},
};

START_TEST(the_line_says_what_is_known_and_fits)
{
    char line[256];

    progress_format(line, sizeof line, lines[_i].width, &lines[_i].progress);
    ck_assert_str_eq(line, lines[_i].line);
    ck_assert_uint_le(strlen(line), lines[_i].width);
}
END_TEST

START_TEST(no_width_is_ever_exceeded)
{
    const struct progress progress = {.noun = "blobs",
                                      .note = "12 retried",
                                      .done = 1,
                                      .total = UINT64_MAX,
                                      .bytes = UINT64_MAX,
                                      .elapsed_ms = UINT64_MAX};
    char line[1024];

    for (unsigned width = 0; width < 700; width++) {
        progress_format(line, sizeof line, width, &progress);
        ck_assert_uint_le(strlen(line), width);
    }
}
END_TEST

START_TEST(a_small_buffer_is_respected)
{
    const struct progress progress = {.noun = "blobs", .done = 1, .total = 2};
    char line[8];

    ck_assert_ptr_eq(progress_format(line, sizeof line, 80, &progress), line);
    ck_assert_uint_eq(strlen(line), sizeof line - 1);
}
END_TEST

START_TEST(without_a_terminal_showing_does_nothing)
{
    const struct progress progress = {.noun = "blobs", .done = 1, .total = 2};

    progress_show(&progress);
    progress_hide();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *cases = tcase_create("lines");

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, the_line_says_what_is_known_and_fits, 0,
                        COUNT_OF(lines));
    tcase_add_test(cases, no_width_is_ever_exceeded);
    tcase_add_test(cases, a_small_buffer_is_respected);
    tcase_add_test(cases, without_a_terminal_showing_does_nothing);
    return unit_run(suite);
}
