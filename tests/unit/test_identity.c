/* SPDX-License-Identifier: MIT */
#include "scratch.h"
#include "sender/identity.h"
#include "unit.h"

#include <string.h>

static struct scratch scratch;
static char file[320];

static void set_up(void)
{
    scratch_create(&scratch);
    snprintf(file, sizeof file, "%s/token", scratch.path);
}

static void tear_down(void)
{
    scratch_remove(&scratch);
}

static void write_file(const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static const struct {
    const char *text;
    mode_t mode;
    const char *authorization; /* NULL: refused */
} tokens[] = {
    {"secret-token", 0600, "Bearer secret-token"},
    {"secret-token\r\nsecond line\n", 0640, "Bearer secret-token"},
    {"secret-token\n", 0644, NULL},
    {"", 0600, NULL},
    {"\nsecret-token\n", 0600, NULL},
    {"edge write secret-token\n", 0600, NULL},
    {"secret-token\x01\n", 0600, NULL},
};

START_TEST(the_first_line_is_the_token)
{
    const struct identity_config config = {.token_file = file};
    char authorization[IDENTITY_AUTHORIZATION_SIZE];
    struct identity identity;
    struct error err = {.text = ""};
    enum status st;

    write_file(tokens[_i].text, tokens[_i].mode);
    st = identity_open(&identity, &config, &err);
    if (!tokens[_i].authorization) {
        ck_assert_int_ne(st, ST_OK);
        ck_assert_ptr_nonnull(strstr(err.text, file));
        ck_assert_ptr_null(strstr(err.text, "secret-token"));
    } else {
        ck_assert_msg(st == ST_OK, "%s", err.text);
    }
    ck_assert_int_eq(identity_authorize(&identity, authorization),
                     tokens[_i].authorization != NULL);
    ck_assert_str_eq(authorization,
                     tokens[_i].authorization ? tokens[_i].authorization : "");
    identity_release(&identity);
    ck_assert_str_eq(identity.token.authorization, "");
}
END_TEST

START_TEST(a_token_is_replaced_by_a_good_one_only)
{
    const struct identity_config config = {.token_file = file};
    char authorization[IDENTITY_AUTHORIZATION_SIZE];
    struct identity identity;
    struct error err;

    write_file("first-token", 0600);
    ck_assert_int_eq(identity_open(&identity, &config, &err), ST_OK);
    write_file("second-token", 0644);
    ck_assert_int_eq(identity_reload(&identity, &err), ST_REFUSED);
    ck_assert(identity_authorize(&identity, authorization));
    ck_assert_str_eq(authorization, "Bearer first-token");

    write_file("second-token", 0600);
    ck_assert_int_eq(identity_reload(&identity, &err), ST_OK);
    ck_assert(identity_authorize(&identity, authorization));
    ck_assert_str_eq(authorization, "Bearer second-token");
    identity_release(&identity);
}
END_TEST

START_TEST(a_key_that_others_may_read_is_refused)
{
    struct identity_config config = {.cert_file = file, .key_file = file};
    struct identity identity;
    struct error err;

    write_file("key", 0644);
    ck_assert_int_eq(identity_open(&identity, &config, &err), ST_REFUSED);
    config.key_file = NULL; /* it is in the certificate's file */
    ck_assert_int_eq(identity_open(&identity, &config, &err), ST_REFUSED);
    write_file("key", 0600);
    ck_assert_int_eq(identity_open(&identity, &config, &err), ST_OK);
}
END_TEST

START_TEST(a_connection_gets_what_was_configured_and_no_more)
{
    const struct identity_config config = {.ca_file = file};
    struct exchange_config connection = {.ca_file = NULL};
    struct identity identity;
    struct error err;

    write_file("certificate", 0644);
    ck_assert_int_eq(identity_open(&identity, &config, &err), ST_OK);
    identity_present(&identity, &connection);
    ck_assert_pstr_eq(connection.ca_file, file);
    ck_assert_ptr_null(connection.cert_file);
    ck_assert_ptr_null(connection.key_file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *tests = tcase_create("identity");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, the_first_line_is_the_token, 0, COUNT_OF(tokens));
    tcase_add_test(tests, a_token_is_replaced_by_a_good_one_only);
    tcase_add_test(tests, a_key_that_others_may_read_is_refused);
    tcase_add_test(tests, a_connection_gets_what_was_configured_and_no_more);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
