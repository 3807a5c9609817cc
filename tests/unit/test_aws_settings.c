/* SPDX-License-Identifier: MIT */
#include "common/object/aws_settings.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/aws-settings-XXXXXX";
static char credentials[64], config[64];
static struct aws_settings settings;
static struct error err;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void set_up(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN", "AWS_PROFILE",
                                        "AWS_REGION",        "AWS_DEFAULT_REGION",
                                        "AWS_ENDPOINT_URL",  "AWS_ENDPOINT_URL_S3"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        unsetenv(names[i]);
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(credentials, sizeof credentials, "%s/credentials", directory);
    snprintf(config, sizeof config, "%s/config", directory);
    setenv("AWS_SHARED_CREDENTIALS_FILE", credentials, 1);
    setenv("AWS_CONFIG_FILE", config, 1);
}

static void tear_down(void)
{
    unlink(credentials);
    unlink(config);
    rmdir(directory);
}

static enum status load(struct aws_wishes wishes)
{
    return aws_settings_load(&settings, &wishes, &err);
}

START_TEST(the_environment_is_enough)
{
    setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
    setenv("AWS_SESSION_TOKEN", "TOKEN", 1);
    setenv("AWS_DEFAULT_REGION", "eu-west-1", 1);
    setenv("AWS_ENDPOINT_URL", "http://general", 1);
    setenv("AWS_ENDPOINT_URL_S3", "http://s3", 1);

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_OK);

    ck_assert_str_eq(settings.access_key, "AK");
    ck_assert_str_eq(settings.secret_key, "SK");
    ck_assert_str_eq(settings.session_token, "TOKEN");
    ck_assert_str_eq(settings.region, "eu-west-1");
    ck_assert_str_eq(settings.endpoint_url, "http://s3");
}
END_TEST

START_TEST(a_profile_is_read_from_both_files)
{
    write_file(credentials, "# keys\n[default]\naws_access_key_id = D\n"
                            "aws_secret_access_key = DS\n"
                            "[ other ]\nAWS_ACCESS_KEY_ID=O\n"
                            "aws_secret_access_key=a=b\n");
    write_file(config, "[default]\nregion = r-default\n[profile other]\n"
                       "s3 =\n  endpoint_url = http://nested\nregion = r-other\n");

    ck_assert_int_eq(load((struct aws_wishes){.profile = "other"}), ST_OK);

    ck_assert_str_eq(settings.access_key, "O");
    ck_assert_str_eq(settings.secret_key, "a=b");
    ck_assert_str_eq(settings.region, "r-other");
    ck_assert_str_eq(settings.endpoint_url, "");
}
END_TEST

START_TEST(the_default_profile_and_region_are_the_last_resort)
{
    write_file(credentials, "[default]\naws_access_key_id = D\n"
                            "aws_secret_access_key = DS\naws_session_token = T\n");

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_OK);

    ck_assert_str_eq(settings.access_key, "D");
    ck_assert_str_eq(settings.session_token, "T");
    ck_assert_str_eq(settings.region, "us-east-1");
}
END_TEST

START_TEST(keys_of_the_environment_are_not_mixed_with_a_profile)
{
    write_file(credentials, "[default]\naws_access_key_id = D\n"
                            "aws_secret_access_key = DS\naws_session_token = T\n");
    setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_OK);

    ck_assert_str_eq(settings.access_key, "AK");
    ck_assert_str_eq(settings.session_token, "");
}
END_TEST

START_TEST(a_token_of_the_environment_is_not_mixed_with_a_profile)
{
    write_file(credentials, "[default]\naws_access_key_id = D\n"
                            "aws_secret_access_key = DS\n");
    setenv("AWS_SESSION_TOKEN", "TOKEN", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_OK);

    ck_assert_str_eq(settings.access_key, "D");
    ck_assert_str_eq(settings.secret_key, "DS");
    ck_assert_str_eq(settings.session_token, "");
}
END_TEST

START_TEST(keys_of_the_two_files_are_not_mixed)
{
    write_file(credentials, "[default]\naws_access_key_id = D\n"
                            "aws_secret_access_key = DS\n");
    write_file(config, "[default]\naws_access_key_id = C\naws_secret_access_key = CS\n"
                       "aws_session_token = T\nregion = r\n");

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_OK);

    ck_assert_str_eq(settings.secret_key, "DS");
    ck_assert_str_eq(settings.session_token, "");
    ck_assert_str_eq(settings.region, "r");
}
END_TEST

START_TEST(half_a_key_is_not_completed_from_the_other_file)
{
    write_file(credentials, "[default]\naws_access_key_id = D\n");
    write_file(config, "[default]\naws_secret_access_key = CS\n");

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_INVALID);
}
END_TEST

START_TEST(keys_may_be_in_the_config_file)
{
    write_file(config, "[profile default]\naws_access_key_id = C\n"
                       "aws_secret_access_key = CS\naws_session_token = T\n");

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_OK);

    ck_assert_str_eq(settings.access_key, "C");
    ck_assert_str_eq(settings.session_token, "T");
}
END_TEST

START_TEST(what_the_caller_names_goes_first)
{
    write_file(credentials, "[mine]\naws_access_key_id = M\n"
                            "aws_secret_access_key = MS\n");
    setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
    setenv("AWS_REGION", "r-environment", 1);

    ck_assert_int_eq(load((struct aws_wishes){.profile = "mine",
                                              .region = "r-wish",
                                              .endpoint_url = "http://wish"}),
                     ST_OK);

    ck_assert_str_eq(settings.access_key, "M");
    ck_assert_str_eq(settings.region, "r-wish");
    ck_assert_str_eq(settings.endpoint_url, "http://wish");
}
END_TEST

START_TEST(missing_credentials_are_named)
{
    ck_assert_int_eq(load((struct aws_wishes){0}), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "AWS_ACCESS_KEY_ID"));
}
END_TEST

START_TEST(half_a_key_is_refused)
{
    setenv("AWS_ACCESS_KEY_ID", "AK", 1);

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_INVALID);
}
END_TEST

START_TEST(an_unknown_profile_is_refused_by_name)
{
    setenv("AWS_PROFILE", "nobody", 1);
    setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "nobody"));
}
END_TEST

START_TEST(a_value_that_does_not_fit_is_refused_without_showing_it)
{
    char secret[AWS_KEY_SIZE + 1];

    memset(secret, 'S', AWS_KEY_SIZE);
    secret[AWS_KEY_SIZE] = '\0';
    setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    setenv("AWS_SECRET_ACCESS_KEY", secret, 1);

    ck_assert_int_eq(load((struct aws_wishes){0}), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "AWS_SECRET_ACCESS_KEY"));
    ck_assert_ptr_null(strstr(err.text, "SSS"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aws_settings");
    TCase *tcase = tcase_create("aws_settings");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_environment_is_enough);
    tcase_add_test(tcase, a_profile_is_read_from_both_files);
    tcase_add_test(tcase, the_default_profile_and_region_are_the_last_resort);
    tcase_add_test(tcase, keys_of_the_environment_are_not_mixed_with_a_profile);
    tcase_add_test(tcase, a_token_of_the_environment_is_not_mixed_with_a_profile);
    tcase_add_test(tcase, keys_of_the_two_files_are_not_mixed);
    tcase_add_test(tcase, half_a_key_is_not_completed_from_the_other_file);
    tcase_add_test(tcase, keys_may_be_in_the_config_file);
    tcase_add_test(tcase, what_the_caller_names_goes_first);
    tcase_add_test(tcase, missing_credentials_are_named);
    tcase_add_test(tcase, half_a_key_is_refused);
    tcase_add_test(tcase, an_unknown_profile_is_refused_by_name);
    tcase_add_test(tcase, a_value_that_does_not_fit_is_refused_without_showing_it);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
