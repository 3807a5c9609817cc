/* SPDX-License-Identifier: MIT */
#include "common/crew.h"
#include "common/json.h"
#include "common/log.h"
#include "scratch.h"
#include "unit.h"

#include <errno.h>
#include <regex.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, OUTPUT_SIZE = 1 << 20 };

static struct scratch scratch;
static char path[300];
static char output[OUTPUT_SIZE];

static void set_up(void)
{
    scratch_create(&scratch);
    snprintf(path, sizeof path, "%s/log", scratch.path);
}

static void tear_down(void)
{
    log_close();
    scratch_remove(&scratch);
}

static void open_log(enum log_format format, enum log_level level)
{
    const struct log_config config = {
        .program = "sender", .file = path, .level = level, .format = format};
    struct error err;

    ck_assert_int_eq(log_open(&config, &err), ST_OK);
}

static const char *read_file(const char *name)
{
    FILE *file = fopen(name, "r");
    size_t n;

    ck_assert_ptr_nonnull(file);
    n = fread(output, 1, sizeof output - 1, file);
    fclose(file);
    output[n] = '\0';
    return output;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    bool found;

    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static const char *json_member(const char *key)
{
    static char value[LINE_MAX_BYTES];

    ck_assert(json_find_string(output, strlen(output), key, value, sizeof value));
    return value;
}

START_TEST(a_text_line_has_program_level_time_and_message)
{
    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_WARN, "delivered", LOG_FIELDS(log_number("bytes", 12)),
              "W0 delivered %d bytes", 12);

    ck_assert(matches(read_file(path),
                      "^\\[SENDER\\]\\[WARN\\]\\[[0-9]{4}-[0-9]{2}-[0-9]{2} "
                      "[0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3}\\] - "
                      "W0 delivered 12 bytes\n$"));
}
END_TEST

START_TEST(a_json_line_has_the_fields_too)
{
    open_log(LOG_FORMAT_JSON, LOG_INFO);
    log_event(LOG_INFO, "delivered",
              LOG_FIELDS(log_text("blob", "94af"), log_number("bytes", 12),
                         log_number("least", INT64_MIN)),
              "W0 delivered");

    ck_assert(matches(read_file(path),
                      "^\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:"
                      "[0-9]{2}\\.[0-9]{3}Z\",\"level\":\"info\",\"program\":"
                      "\"sender\",\"event\":\"delivered\",\"blob\":\"94af\","
                      "\"bytes\":12,\"least\":-9223372036854775808,"
                      "\"message\":\"W0 delivered\"\\}\n$"));
}
END_TEST

START_TEST(a_level_that_is_off_writes_nothing)
{
    open_log(LOG_FORMAT_TEXT, LOG_WARN);
    log_event(LOG_INFO, "x", NULL, "info");
    log_event(LOG_DEBUG, "x", NULL, "debug");
    ck_assert_str_eq(read_file(path), "");

    ck_assert(log_enabled(LOG_ERROR));
    ck_assert(log_enabled(LOG_WARN));
    ck_assert(!log_enabled(LOG_INFO));
}
END_TEST

static const struct {
    const char *message, *shown;
} escapes[] = {
    {"plain 'quoted' \"text\" \\", "plain 'quoted' \"text\" \\"},
    {"forged\n[SENDER]", "forged\\x0a[SENDER]"},
    {"\r\t\x1b[31m\x7f", "\\x0d\\x09\\x1b[31m\\x7f"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x92\xbe",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x92\xbe"},
    {"C1 \xc2\x9b"
     "1m",
     "C1 \\xc2\\x9b1m"},
    {"torn \xc3", "torn \\xc3"},
    {"not UTF-8 \xff\x80", "not UTF-8 \\xff\\x80"},
    {"", ""},
};

START_TEST(what_could_move_the_cursor_is_escaped)
{
    const char *line;

    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_INFO, "x", NULL, "%s", escapes[_i].message);

    line = read_file(path);
    ck_assert_ptr_nonnull(strstr(line, " - "));
    ck_assert_int_eq(
        strncmp(strstr(line, " - ") + 3, escapes[_i].shown, strlen(escapes[_i].shown)),
        0);
    ck_assert_uint_eq(strlen(strstr(line, " - ") + 3), strlen(escapes[_i].shown) + 1);
}
END_TEST

START_TEST(json_keeps_every_character_of_the_message)
{
    open_log(LOG_FORMAT_JSON, LOG_INFO);
    log_event(LOG_INFO, "x", LOG_FIELDS(log_text("path", "a\nb\"c")),
              "tab\t quote\" back\\ \xe2\x82\xac");

    read_file(path);
    ck_assert_str_eq(json_member("message"), "tab\t quote\" back\\ \xe2\x82\xac");
    ck_assert_str_eq(json_member("path"), "a\nb\"c");
    ck_assert_ptr_eq(strchr(output, '\n'), output + strlen(output) - 1);
}
END_TEST

static char *repeat(const char *piece, size_t bytes)
{
    char *text = calloc(1, bytes + strlen(piece) + 1);

    ck_assert_ptr_nonnull(text);
    for (size_t n = 0; n < bytes; n += strlen(piece))
        memcpy(text + n, piece, strlen(piece));
    return text;
}

static const char *const pieces[] = {"x", "\x01", "\xe2\x82\xac", "\xff", "\"", "\n"};

START_TEST(a_long_text_line_is_cut_but_stays_one_line)
{
    char *longer = repeat(pieces[_i], 9000);

    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_INFO, "x", NULL, "%s", longer);

    read_file(path);
    ck_assert_uint_le(strlen(output), LINE_MAX_BYTES);
    ck_assert_uint_gt(strlen(output), LINE_MAX_BYTES - 10);
    ck_assert_ptr_eq(strchr(output, '\n'), output + strlen(output) - 1);
    free(longer);
}
END_TEST

START_TEST(a_long_json_line_is_cut_but_stays_json)
{
    char *longer = repeat(pieces[_i], 9000);

    open_log(LOG_FORMAT_JSON, LOG_INFO);
    log_event(LOG_INFO, "cut", LOG_FIELDS(log_number("n", 1)), "%s", longer);
    ck_assert_uint_le(strlen(read_file(path)), LINE_MAX_BYTES);
    ck_assert_str_eq(json_member("event"), "cut");
    ck_assert_uint_gt(strlen(json_member("message")), 100);
    ck_assert_ptr_nonnull(strstr(output, "\"n\":1,"));
    free(longer);
}
END_TEST

START_TEST(fields_too_long_for_the_line_are_left_out)
{
    char *longer = repeat(pieces[_i], 9000);

    open_log(LOG_FORMAT_JSON, LOG_INFO);
    log_event(LOG_INFO, "cut", LOG_FIELDS(log_text("path", longer)), "%s", longer);
    ck_assert_uint_le(strlen(read_file(path)), LINE_MAX_BYTES);
    ck_assert_str_eq(json_member("event"), "cut");
    ck_assert_uint_gt(strlen(json_member("message")), 100);
    ck_assert_ptr_null(strstr(output, "\"path\""));
    free(longer);
}
END_TEST

START_TEST(a_file_is_appended_to)
{
    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_INFO, "x", NULL, "first");
    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_INFO, "x", NULL, "second");

    ck_assert(matches(read_file(path), " - first\n.* - second\n$"));
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_named)
{
    const struct log_config config = {.program = "sender", .file = "/no/such/log"};
    struct error err;

    ck_assert_int_eq(log_open(&config, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, ENOENT);
    ck_assert_str_eq(err.text,
                     "open log file '/no/such/log': No such file or directory");
}
END_TEST

START_TEST(reopen_follows_a_rotated_file)
{
    char rotated[320];
    struct error err;

    snprintf(rotated, sizeof rotated, "%s.1", path);
    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_INFO, "x", NULL, "before");
    ck_assert_int_eq(rename(path, rotated), 0);
    log_event(LOG_INFO, "x", NULL, "between");
    ck_assert_int_eq(log_reopen(&err), ST_OK);
    log_event(LOG_INFO, "x", NULL, "after");

    ck_assert(matches(read_file(rotated), " - before\n.* - between\n$"));
    ck_assert(matches(read_file(path), "^[^\n]* - after\n$"));
}
END_TEST

START_TEST(a_failed_reopen_keeps_the_old_file)
{
    char rotated[320];
    struct error err;

    snprintf(rotated, sizeof rotated, "%s.1", path);
    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    ck_assert_int_eq(rename(path, rotated), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(log_reopen(&err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, EISDIR);
    log_event(LOG_INFO, "x", NULL, "still here");

    ck_assert(matches(read_file(rotated), " - still here\n$"));
}
END_TEST

enum { THREADS = 4, LINES = 500 };

static void write_lines(void *context, unsigned index)
{
    struct error err;

    for (unsigned i = 0; i < LINES; i++) {
        log_event(LOG_INFO, "x", LOG_FIELDS(log_number("i", i)), "W%u line %u %s",
                  index, i, (const char *)context);
        if (index == 0 && i % 100 == 0 && log_reopen(&err) != ST_OK)
            log_event(LOG_ERROR, "x", NULL, "reopen failed");
    }
}

START_TEST(threads_never_mix_their_lines)
{
    char tail[] = "0123456789012345678901234567890123456789012345678901234567890end";
    unsigned next[THREADS] = {0};
    struct crew *crew = NULL;
    struct error err;
    char *line, *rest;

    open_log(LOG_FORMAT_TEXT, LOG_INFO);
    ck_assert_int_eq(crew_start(&crew, "log", THREADS, write_lines, tail, &err), ST_OK);
    crew_join(&crew);

    read_file(path);
    for (line = strtok_r(output, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *message = strstr(line, " - W");
        char expected[128];
        unsigned who;

        ck_assert_ptr_nonnull(message);
        who = (unsigned)message[4] - '0';
        ck_assert_uint_lt(who, THREADS);
        snprintf(expected, sizeof expected, " - W%u line %u %s", who, next[who]++,
                 tail);
        ck_assert_str_eq(message, expected);
    }
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_uint_eq(next[i], LINES);
}
END_TEST

/* Puts fd in the place of stderr; put_back undoes it. */
static int replace_stderr(int fd)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

    ck_assert_int_ge(saved, 0);
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    return saved;
}

static void put_back(int saved)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
}

START_TEST(without_a_log_lines_go_to_stderr_as_text_at_info)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int saved = replace_stderr(fd);

    log_event(LOG_DEBUG, "x", NULL, "unseen");
    log_event(LOG_INFO, "x", NULL, "early");
    put_back(saved);
    close(fd);

    ck_assert(
        matches(read_file(path), "^\\[[A-Z]+\\]\\[INFO\\]\\[[^]]*\\] - early\n$"));
}
END_TEST

START_TEST(a_log_that_is_closed_goes_back_to_stderr)
{
    char other[320];
    int fd, saved;

    snprintf(other, sizeof other, "%s.stderr", path);
    fd = open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    open_log(LOG_FORMAT_JSON, LOG_ERROR);
    log_close();
    saved = replace_stderr(fd);
    log_event(LOG_INFO, "x", NULL, "late");
    put_back(saved);
    close(fd);

    ck_assert(
        matches(read_file(other), "^\\[SENDER\\]\\[INFO\\]\\[[^]]*\\] - late\n$"));
    ck_assert_str_eq(read_file(path), "");
}
END_TEST

START_TEST(without_a_terminal_there_is_no_footer)
{
    const struct log_config config = {.program = "sender", .level = LOG_INFO};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int saved = replace_stderr(fd);
    struct error err;
    bool visible;

    setenv("TERM", "xterm", 1);
    ck_assert_int_eq(log_open(&config, &err), ST_OK);
    visible = log_footer_visible();
    log_footer("50%");
    log_event(LOG_INFO, "x", NULL, "line");
    log_close();
    put_back(saved);
    close(fd);

    ck_assert(!visible);
    ck_assert(matches(read_file(path), "^\\[SENDER\\]\\[INFO\\][^\n]* - line\n$"));
}
END_TEST

/* A terminal that takes bytes as they are. Returns its far end. */
static int open_terminal(int *near_end)
{
    int far_end = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios mode;

    ck_assert_int_ge(far_end, 0);
    ck_assert_int_eq(grantpt(far_end), 0);
    ck_assert_int_eq(unlockpt(far_end), 0);
    *near_end = open(ptsname(far_end), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(*near_end, 0);
    ck_assert_int_eq(tcgetattr(*near_end, &mode), 0);
    cfmakeraw(&mode);
    ck_assert_int_eq(tcsetattr(*near_end, TCSANOW, &mode), 0);
    return far_end;
}

/* What log_event and log_footer paint on a terminal of this type. */
static void paint(const char *type, const char *file)
{
    const struct log_config config = {
        .program = "sender", .file = file, .level = LOG_INFO};
    int near_end, far_end = open_terminal(&near_end), saved;
    struct error err;
    size_t length = 0;
    ssize_t n;

    setenv("TERM", type, 1);
    saved = replace_stderr(near_end);
    if (log_open(&config, &err) == ST_OK) {
        log_footer("[==>  ] 40%\n");
        log_event(LOG_INFO, "x", NULL, "line");
        log_footer(NULL);
        log_event(LOG_INFO, "x", NULL, "alone");
    }
    log_close();
    put_back(saved);
    close(near_end); /* from now on the far end reads what is left, then EIO */
    while ((n = read(far_end, output + length, sizeof output - 1 - length)) > 0)
        length += (size_t)n;
    output[length] = '\0';
    close(far_end);
}

START_TEST(a_footer_stays_below_the_log)
{
    paint("xterm", NULL);
    ck_assert(matches(output, "^\r\033\\[K\\[==>  \\] 40%\\\\x0a"
                              "\r\033\\[K\\[SENDER\\]\\[INFO\\][^\n]* - line\n"
                              "\\[==>  \\] 40%\\\\x0a"
                              "\r\033\\[K\\[SENDER\\]\\[INFO\\][^\n]* - alone\n"));
}
END_TEST

START_TEST(a_footer_needs_a_terminal_that_can_erase)
{
    paint("dumb", NULL);
    ck_assert(
        matches(output, "^\\[SENDER\\][^\n]* - line\n\\[SENDER\\][^\n]*alone\n$"));
}
END_TEST

START_TEST(a_footer_shows_while_the_log_goes_to_a_file)
{
    paint("xterm", path);
    ck_assert(matches(output, "^\r\033\\[K\\[==>  \\] 40%\\\\x0a\r\033\\[K"));
    ck_assert_ptr_null(strstr(output, "line"));
    ck_assert(matches(read_file(path), " - line\n[^\033]* - alone\n$"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("lines");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, without_a_log_lines_go_to_stderr_as_text_at_info);
    tcase_add_test(cases, a_text_line_has_program_level_time_and_message);
    tcase_add_test(cases, a_json_line_has_the_fields_too);
    tcase_add_test(cases, a_level_that_is_off_writes_nothing);
    tcase_add_loop_test(cases, what_could_move_the_cursor_is_escaped, 0,
                        COUNT_OF(escapes));
    tcase_add_test(cases, json_keeps_every_character_of_the_message);
    tcase_add_loop_test(cases, a_long_text_line_is_cut_but_stays_one_line, 0,
                        COUNT_OF(pieces));
    tcase_add_loop_test(cases, a_long_json_line_is_cut_but_stays_json, 0,
                        COUNT_OF(pieces));
    tcase_add_loop_test(cases, fields_too_long_for_the_line_are_left_out, 0,
                        COUNT_OF(pieces));
    tcase_add_test(cases, a_file_is_appended_to);
    tcase_add_test(cases, a_file_that_cannot_be_opened_is_named);
    tcase_add_test(cases, reopen_follows_a_rotated_file);
    tcase_add_test(cases, a_failed_reopen_keeps_the_old_file);
    tcase_add_test(cases, threads_never_mix_their_lines);
    tcase_add_test(cases, a_log_that_is_closed_goes_back_to_stderr);
    tcase_add_test(cases, without_a_terminal_there_is_no_footer);
    tcase_add_test(cases, a_footer_stays_below_the_log);
    tcase_add_test(cases, a_footer_needs_a_terminal_that_can_erase);
    tcase_add_test(cases, a_footer_shows_while_the_log_goes_to_a_file);
    return unit_run(suite);
}
