/* SPDX-License-Identifier: MIT */
#include "common/credential.h"
#include "scratch.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static struct scratch scratch;
static char path[320];

static void set_up(void)
{
    scratch_create(&scratch);
    unsetenv("CREDENTIALS_DIRECTORY");
    snprintf(path, sizeof path, "%s/secret", scratch.path);
}

static void tear_down(void)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    scratch_remove(&scratch);
}

static void write_file(const char *bytes, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, n), n);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

START_TEST(the_whole_file_is_read)
{
    struct error err;
    char *text = NULL;
    size_t n = 0;

    write_file("one\ntwo", 7, 0600);
    ck_assert_int_eq(credential_read(&text, &n, path, CREDENTIAL_SECRET, &err), ST_OK);
    ck_assert_uint_eq(n, 7);
    ck_assert_str_eq(text, "one\ntwo");
    credential_free(&text, n);
    ck_assert_ptr_null(text);
}
END_TEST

static const struct {
    mode_t mode;
    enum status secret;
} modes[] = {
    {0400, ST_OK},      {0600, ST_OK},      {0440, ST_OK},      {0640, ST_OK},
    {0604, ST_REFUSED}, {0644, ST_REFUSED}, {0602, ST_REFUSED}, {0660, ST_REFUSED},
};

START_TEST(a_secret_is_nobody_elses)
{
    struct error err = {.text = ""};
    char *text = NULL;
    size_t n = 0;

    write_file("s3cret", 6, modes[_i].mode);
    ck_assert_int_eq(credential_read(&text, &n, path, CREDENTIAL_SECRET, &err),
                     modes[_i].secret);
    if (modes[_i].secret != ST_OK) {
        ck_assert_ptr_nonnull(strstr(err.text, path));
        ck_assert_ptr_null(strstr(err.text, "s3cret"));
        ck_assert_ptr_null(text);
    }
    credential_free(&text, n);
    ck_assert_int_eq(credential_read(&text, &n, path, CREDENTIAL_PUBLIC, &err), ST_OK);
    credential_free(&text, n);
}
END_TEST

START_TEST(what_is_no_text_of_reasonable_size_is_refused)
{
    char *big = calloc(1, 1024 * 1024 + 1), *text = NULL;
    struct error err;
    size_t n = 0;

    write_file("a\0b", 3, 0600);
    ck_assert_int_eq(credential_read(&text, &n, path, CREDENTIAL_SECRET, &err),
                     ST_CORRUPT);
    memset(big, 'a', 1024 * 1024 + 1);
    write_file(big, 1024 * 1024 + 1, 0600);
    ck_assert_int_eq(credential_read(&text, &n, path, CREDENTIAL_SECRET, &err),
                     ST_CORRUPT);
    write_file(big, 1024 * 1024, 0600);
    ck_assert_int_eq(credential_read(&text, &n, path, CREDENTIAL_SECRET, &err), ST_OK);
    credential_free(&text, n);
    free(big);
}
END_TEST

START_TEST(what_is_not_there_is_named)
{
    struct error err;
    char *text = NULL;
    size_t n = 0;

    ck_assert_int_eq(credential_read(&text, &n, path, CREDENTIAL_SECRET, &err),
                     ST_SYSTEM);
    ck_assert_int_eq(err.sys, ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
}
END_TEST

START_TEST(a_bare_name_is_looked_for_in_the_credentials_directory)
{
    char found[CREDENTIAL_PATH_SIZE];

    write_file("x", 1, 0600);
    ck_assert_str_eq(credential_path(found, "secret"), "secret");
    setenv("CREDENTIALS_DIRECTORY", scratch.path, 1);
    ck_assert_str_eq(credential_path(found, "secret"), path);
    ck_assert_str_eq(credential_path(found, "other"), "other");
    ck_assert_str_eq(credential_path(found, "./secret"), "./secret");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("credential");
    TCase *tests = tcase_create("credential");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_whole_file_is_read);
    tcase_add_loop_test(tests, a_secret_is_nobody_elses, 0, COUNT_OF(modes));
    tcase_add_test(tests, what_is_no_text_of_reasonable_size_is_refused);
    tcase_add_test(tests, what_is_not_there_is_named);
    tcase_add_test(tests, a_bare_name_is_looked_for_in_the_credentials_directory);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
