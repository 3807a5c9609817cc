/* SPDX-License-Identifier: MIT */
#include "common/options.h"
#include "common/sha256.h"
#include "scratch.h"
#include "unit.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

struct config {
    const char *address, *file;
    uint64_t port, size, timeout, percent, count;
    unsigned level;
    bool keep;
};

static const char *const levels[] = {"error", "warn", "info", NULL};

static const struct option_spec specs[] = {
    {.name = "address",
     .letter = 'a',
     .type = OPTION_TEXT,
     .offset = offsetof(struct config, address),
     .value_name = "ADDRESS",
     .preset = "127.0.0.1",
     .help = "listen here"},
    {.name = "port",
     .letter = 'p',
     .type = OPTION_COUNT,
     .offset = offsetof(struct config, port),
     .value_name = "PORT",
     .preset = "8000",
     .max = 65535,
     .help = "listen on this port, or on any that is free when it is 0, and then tell "
             "which one that is in the first line of the log"},
    {.name = "max-size",
     .type = OPTION_SIZE,
     .offset = offsetof(struct config, size),
     .value_name = "SIZE",
     .preset = "1MiB",
     .min = 1024,
     .max = 3ULL << 30,
     .help = "largest blob"},
    {.name = "max-wait",
     .type = OPTION_DURATION,
     .offset = offsetof(struct config, timeout),
     .value_name = "DURATION",
     .preset = "1m",
     .min = 1500,
     .max = 7200000,
     .help = "longest wait"},
    {.name = "inject-bad-checksums-here",
     .type = OPTION_COUNT,
     .offset = offsetof(struct config, percent),
     .value_name = "PERCENT",
     .implied = "10",
     .min = 1,
     .max = UINT64_MAX,
     .help = "spoil some"},
    {.name = "count",
     .letter = 'n',
     .type = OPTION_COUNT,
     .offset = offsetof(struct config, count),
     .value_name = "N",
     .help = "how many"},
    {.name = "log-level",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct config, level),
     .preset = "info",
     .choices = levels,
     .help = "how much to say"},
    {.name = "log-file",
     .letter = 'f',
     .type = OPTION_TEXT,
     .offset = offsetof(struct config, file),
     .value_name = "FILE",
     .help = "write the log here"},
    {.name = "keep",
     .letter = 'k',
     .type = OPTION_FLAG,
     .offset = offsetof(struct config, keep),
     .help = "keep files"},
};

static const struct option_set plain = {.program = "blob-test",
                                        .verb = "run",
                                        .env_prefix = "BLOB_TEST",
                                        .about = "Tests options.",
                                        .epilog = "Exit status: 0.",
                                        .specs = specs,
                                        .count = COUNT_OF(specs)};

enum { ARGUMENTS_MAX = 8 };

/* argv ends at the first NULL. */
static enum status parse(const struct option_set *set, const char *const *arguments,
                         struct config *config, int *operand, struct error *err)
{
    static char text[ARGUMENTS_MAX][160];
    char *argv[ARGUMENTS_MAX + 2] = {(char[]){"blob-test"}};
    int argc = 1;

    for (; argc <= ARGUMENTS_MAX && arguments[argc - 1] != NULL; argc++) {
        snprintf(text[argc - 1], sizeof text[0], "%s", arguments[argc - 1]);
        argv[argc] = text[argc - 1];
    }
    return options_parse(set, argc, argv, config, operand, err);
}

static void clear_environment(void)
{
    unsetenv("BLOB_TEST_PORT");
    unsetenv("BLOB_TEST_KEEP");
    unsetenv("BLOB_TEST_MAX_SIZE");
    unsetenv("BLOB_TEST_INJECT_BAD_CHECKSUMS_HERE");
}

START_TEST(without_arguments_every_preset_holds)
{
    const char *const none[] = {NULL};
    struct config config = {.count = 7, .keep = true, .file = "x", .percent = 7};
    struct error err;
    int operand = 0;

    ck_assert_int_eq(parse(&plain, none, &config, &operand, &err), ST_OK);

    ck_assert_str_eq(config.address, "127.0.0.1");
    ck_assert_uint_eq(config.port, 8000);
    ck_assert_uint_eq(config.size, 1 << 20);
    ck_assert_uint_eq(config.timeout, 60000);
    ck_assert_uint_eq(config.percent, 0);
    ck_assert_uint_eq(config.count, 0);
    ck_assert_uint_eq(config.level, 2);
    ck_assert_ptr_null(config.file);
    ck_assert(!config.keep);
    ck_assert_int_eq(operand, 1);
}
END_TEST

START_TEST(every_type_is_read_from_the_command_line)
{
    const char *const arguments[] = {"-p0",
                                     "--max-size=64KiB",
                                     "--max-wait",
                                     "90s",
                                     "--inject-bad-checksums-here",
                                     "--log-level=warn",
                                     "-kf",
                                     "out.log"};
    struct config config;
    struct error err;
    int operand;

    ck_assert_int_eq(parse(&plain, arguments, &config, &operand, &err), ST_OK);

    ck_assert_uint_eq(config.port, 0);
    ck_assert_uint_eq(config.size, 65536);
    ck_assert_uint_eq(config.timeout, 90000);
    ck_assert_uint_eq(config.percent, 10);
    ck_assert_uint_eq(config.level, 1);
    ck_assert_str_eq(config.file, "out.log");
    ck_assert(config.keep);
}
END_TEST

START_TEST(an_implied_value_can_be_given_and_a_prefix_is_enough)
{
    const char *const arguments[] = {"--inject=25", "--add", "::1", "--co", "3", NULL};
    struct config config;
    struct error err;
    int operand;

    ck_assert_int_eq(parse(&plain, arguments, &config, &operand, &err), ST_OK);
    ck_assert_uint_eq(config.percent, 25);
    ck_assert_str_eq(config.address, "::1");
    ck_assert_uint_eq(config.count, 3);
}
END_TEST

START_TEST(the_command_line_beats_the_environment_and_that_the_preset)
{
    const char *const none[] = {NULL};
    const char *const arguments[] = {"-p", "1", "-p", "2", NULL};
    struct config config;
    struct error err;
    int operand;

    setenv("BLOB_TEST_PORT", "9000", 1);
    setenv("BLOB_TEST_KEEP", "Yes", 1);
    setenv("BLOB_TEST_MAX_SIZE", "", 1);
    ck_assert_int_eq(parse(&plain, none, &config, &operand, &err), ST_OK);
    ck_assert_uint_eq(config.port, 9000);
    ck_assert(config.keep);
    ck_assert_uint_eq(config.size, 1 << 20);

    ck_assert_int_eq(parse(&plain, arguments, &config, &operand, &err), ST_OK);
    ck_assert_uint_eq(config.port, 2);

    setenv("BLOB_TEST_KEEP", "off", 1);
    ck_assert_int_eq(parse(&plain, none, &config, &operand, &err), ST_OK);
    ck_assert(!config.keep);
    clear_environment();
}
END_TEST

START_TEST(operands_are_found_behind_options)
{
    const char *const arguments[] = {"http://a", "-k", "--", "-p", NULL};
    struct option_set set = plain;
    struct config config;
    struct error err;
    int operand;

    set.operands = "URL...";
    ck_assert_int_eq(parse(&set, arguments, &config, &operand, &err), ST_OK);
    ck_assert(config.keep);
    ck_assert_int_eq(operand, 3);
}
END_TEST

static const struct {
    const char *arguments[3];
    const char *text;
} refusals[] = {
    {{"--prot=1"}, "unknown option '--prot=1'"},
    {{"-x"}, "unknown option '-x'"},
    {{"-kx"}, "unknown option '-x'"},
    {{"-k", "--port"}, "--port needs a value"},
    {{"-p"}, "-p needs a value"},
    {{"--keep=yes"}, "--keep takes no value"},
    {{"--max", "1"}, "'--max' is ambiguous: --max-size, --max-wait"},
    {{"--max=1"}, "'--max=1' is ambiguous: --max-size, --max-wait"},
    {{"file"}, "unexpected argument 'file'"},
    {{"--", "-k"}, "unexpected argument '-k'"},
    {{"-p", "70000"}, "--port: '70000' is not a whole number from 0 to 65535"},
    {{"--port=-1"}, "--port: '-1' is not a whole number from 0 to 65535"},
    {{"--port="}, "--port: '' is not a whole number from 0 to 65535"},
    {{"-n", "1x"}, "--count: '1x' is not a whole number"},
    {{"--inject=0"},
     "--inject-bad-checksums-here: '0' is not a whole number of at least 1"},
    {{"--max-size=1"},
     "--max-size: '1' is not a size such as 64KiB, from 1KiB to 3GiB"},
    {{"--max-size", "big"},
     "--max-size: 'big' is not a size such as 64KiB, from 1KiB to 3GiB"},
    {{"--max-wait=1s"},
     "--max-wait: '1s' is not a duration such as 10s, from 1500ms to 2h"},
    {{"--max-wait=5"},
     "--max-wait: '5' is not a duration such as 10s, from 1500ms to 2h"},
    {{"--log-level=loud"}, "--log-level: 'loud' is not error, warn or info"},
};

START_TEST(what_makes_no_sense_is_refused_by_name)
{
    struct config config = {.port = 7};
    struct error err;
    int operand = -7;

    ck_assert_int_eq(parse(&plain, refusals[_i].arguments, &config, &operand, &err),
                     ST_INVALID);
    ck_assert_str_eq(err.text, refusals[_i].text);
    ck_assert_uint_eq(config.port, 7);
    ck_assert_int_eq(operand, -7);
}
END_TEST

static const struct {
    const char *variable, *value, *text;
} foul[] = {
    {"BLOB_TEST_PORT", "http", "a whole number from 0 to 65535"},
    {"BLOB_TEST_KEEP", "perhaps", "yes or no"},
    {"BLOB_TEST_KEEP", "falsehood", "yes or no"},
    {"BLOB_TEST_INJECT_BAD_CHECKSUMS_HERE", "0", "a whole number of at least 1"},
};

START_TEST(a_bad_variable_is_refused_by_its_own_name)
{
    const char *const none[] = {NULL};
    char expected[160];
    struct config config;
    struct error err;
    enum status st;
    int operand;

    setenv(foul[_i].variable, foul[_i].value, 1);
    st = parse(&plain, none, &config, &operand, &err);
    clear_environment();

    snprintf(expected, sizeof expected, "%s: '%s' is not %s", foul[_i].variable,
             foul[_i].value, foul[_i].text);
    ck_assert_int_eq(st, ST_INVALID);
    ck_assert_str_eq(err.text, expected);
}
END_TEST

START_TEST(a_monstrous_value_still_shows_what_is_allowed)
{
    char monster[160] = "--port=";
    const char *const arguments[] = {monster, NULL};
    struct config config;
    struct error err;
    int operand;

    memset(monster + 7, '9', sizeof monster - 8);
    ck_assert_int_eq(parse(&plain, arguments, &config, &operand, &err), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "9' is not a whole number from 0 to 65535"));
}
END_TEST

enum { OUTPUT_SIZE = 8192 };

/* Parses with standard output going to a file, and returns what was printed. */
static enum status capture(const char *argument, const char *path,
                           char out[OUTPUT_SIZE], struct error *err)
{
    const char *const arguments[] = {argument, NULL};
    int saved, fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct config config;
    enum status st;
    int operand;
    ssize_t n;

    ck_assert_int_ge(fd, 0);
    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    st = parse(&plain, arguments, &config, &operand, err);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    n = pread(fd, out, OUTPUT_SIZE - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    close(fd);
    return st;
}

static const char help_text[] =
    "Usage: blob-test run [OPTION]...\n"
    "\n"
    "Tests options.\n"
    "\n"
    "  -a, --address ADDRESS    listen here (default: 127.0.0.1)\n"
    "  -p, --port PORT          listen on this port, or on any that is free when it\n"
    "                           is 0, and then tell which one that is in the first\n"
    "                           line of the log (default: 8000)\n"
    "      --max-size SIZE      largest blob (default: 1MiB)\n"
    "      --max-wait DURATION  longest wait (default: 1m)\n"
    "      --inject-bad-checksums-here[=PERCENT]\n"
    "                           spoil some (without a value: 10)\n"
    "  -n, --count N            how many\n"
    "      --log-level error|warn|info\n"
    "                           how much to say (default: info)\n"
    "  -f, --log-file FILE      write the log here\n"
    "  -k, --keep               keep files\n"
    "  -h, --help               print this and exit\n"
    "  -V, --version            print the version and exit\n"
    "\n"
    "Every option can be set in the environment as well, as in BLOB_TEST_ADDRESS for\n"
    "--address. The command line comes first.\n"
    "\n"
    "Exit status: 0.\n";

START_TEST(help_fits_80_columns_and_lines_up)
{
    static const char *const spellings[] = {"--help", "-h", "--he"};
    struct scratch scratch = {.dir_fd = -1};
    char path[300], out[OUTPUT_SIZE];
    struct error err;

    scratch_create(&scratch);
    snprintf(path, sizeof path, "%s/out", scratch.path);
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        ck_assert_int_eq(capture(spellings[i], path, out, &err), ST_END);
        ck_assert_str_eq(out, help_text);
    }
    for (char *line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"))
        ck_assert_uint_le(strlen(line), 80);
    scratch_remove(&scratch);
}
END_TEST

START_TEST(version_is_one_line_with_the_program_and_its_sha256)
{
    struct scratch scratch = {.dir_fd = -1};
    char path[300], out[OUTPUT_SIZE], tail[64];
    struct error err;

    scratch_create(&scratch);
    snprintf(path, sizeof path, "%s/out", scratch.path);
    ck_assert_int_eq(capture("--version", path, out, &err), ST_END);
    scratch_remove(&scratch);

    snprintf(tail, sizeof tail, " (sha256: %s)\n", sha256_implementation);
    ck_assert_int_eq(strncmp(out, "blob-test ", 10), 0);
    ck_assert_str_eq(strstr(out, " (") ? strstr(out, " (") : "", tail);
}
END_TEST

START_TEST(help_that_cannot_be_written_is_an_error)
{
    char out[OUTPUT_SIZE];
    struct error err;

    ck_assert_int_eq(capture("--help", "/dev/full", out, &err), ST_SYSTEM);
    ck_assert_str_eq(err.text, "write to standard output: No space left on device");
}
END_TEST

START_TEST(a_bad_variable_does_not_hide_the_help)
{
    struct scratch scratch = {.dir_fd = -1};
    char path[300], out[OUTPUT_SIZE];
    struct error err;

    scratch_create(&scratch);
    snprintf(path, sizeof path, "%s/out", scratch.path);
    setenv("BLOB_TEST_PORT", "http", 1);
    ck_assert_int_eq(capture("--help", path, out, &err), ST_END);
    clear_environment();
    scratch_remove(&scratch);
}
END_TEST

START_TEST(a_list_takes_every_occurrence_in_order)
{
    static const struct option_spec rows[] = {
        {.name = "exclude", .letter = 'x', .type = OPTION_LIST, .help = "leave out"}};
    const struct option_set lists = {.program = "blob-test",
                                     .env_prefix = "BLOB_TEST",
                                     .about = "Lists.",
                                     .specs = rows,
                                     .count = 1};
    char program[] = "blob-test", exclude[] = "--exclude", a[] = "a", b[] = "-xb";
    char *twice[] = {program, exclude, a, b, NULL}, *none[] = {program, NULL};
    struct option_list list = {.count = 0};
    struct error err;
    int operand;

    ck_assert_int_eq(options_parse(&lists, 4, twice, &list, &operand, &err), ST_OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_str_eq(list.items[0], "a");
    ck_assert_str_eq(list.items[1], "b");

    setenv("BLOB_TEST_EXCLUDE", "from the environment", 1);
    ck_assert_int_eq(options_parse(&lists, 1, none, &list, &operand, &err), ST_OK);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_str_eq(list.items[0], "from the environment");
    ck_assert_int_eq(options_parse(&lists, 4, twice, &list, &operand, &err), ST_OK);
    ck_assert_uint_eq(list.count, 2);
    unsetenv("BLOB_TEST_EXCLUDE");
}
END_TEST

START_TEST(a_list_has_an_end)
{
    static const struct option_spec rows[] = {
        {.name = "exclude", .letter = 'x', .type = OPTION_LIST, .help = "leave out"}};
    const struct option_set lists = {.program = "blob-test",
                                     .env_prefix = "BLOB_TEST",
                                     .about = "Lists.",
                                     .specs = rows,
                                     .count = 1};
    char program[] = "blob-test", exclude[] = "-xa";
    char *many[OPTION_LIST_MAX + 3] = {program};
    struct option_list list = {.count = 0};
    struct error err;
    int operand;

    for (int i = 0; i < OPTION_LIST_MAX + 1; i++)
        many[1 + i] = exclude;

    ck_assert_int_eq(
        options_parse(&lists, OPTION_LIST_MAX + 2, many, &list, &operand, &err),
        ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "--exclude"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *cases = tcase_create("tables");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, without_arguments_every_preset_holds);
    tcase_add_test(cases, every_type_is_read_from_the_command_line);
    tcase_add_test(cases, an_implied_value_can_be_given_and_a_prefix_is_enough);
    tcase_add_test(cases, the_command_line_beats_the_environment_and_that_the_preset);
    tcase_add_test(cases, operands_are_found_behind_options);
    tcase_add_loop_test(cases, what_makes_no_sense_is_refused_by_name, 0,
                        COUNT_OF(refusals));
    tcase_add_loop_test(cases, a_bad_variable_is_refused_by_its_own_name, 0,
                        COUNT_OF(foul));
    tcase_add_test(cases, a_monstrous_value_still_shows_what_is_allowed);
    tcase_add_test(cases, help_fits_80_columns_and_lines_up);
    tcase_add_test(cases, version_is_one_line_with_the_program_and_its_sha256);
    tcase_add_test(cases, help_that_cannot_be_written_is_an_error);
    tcase_add_test(cases, a_bad_variable_does_not_hide_the_help);
    tcase_add_test(cases, a_list_takes_every_occurrence_in_order);
    tcase_add_test(cases, a_list_has_an_end);
    return unit_run(suite);
}
