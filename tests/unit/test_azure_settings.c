/* SPDX-License-Identifier: MIT */
#include "common/object/azure_settings.h"
#include "unit.h"

#include <string.h>

static struct azure_settings settings;
static struct error err;

static void set_up(void)
{
    unsetenv("AZURE_STORAGE_ACCOUNT");
    unsetenv("AZURE_STORAGE_KEY");
    unsetenv("AZURE_STORAGE_SAS_TOKEN");
    unsetenv("AZURE_STORAGE_CONNECTION_STRING");
}

START_TEST(account_and_key_are_enough)
{
    setenv("AZURE_STORAGE_ACCOUNT", "acc", 1);
    setenv("AZURE_STORAGE_KEY", "AAEC", 1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_OK);

    ck_assert_str_eq(settings.account, "acc");
    ck_assert_uint_eq(settings.key_length, 3);
    ck_assert_mem_eq(settings.key, "\0\1\2", 3);
    ck_assert_str_eq(settings.endpoint_url, "https://acc.blob.core.windows.net");
}
END_TEST

START_TEST(a_token_does_without_a_key)
{
    setenv("AZURE_STORAGE_ACCOUNT", "acc", 1);
    setenv("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=a%3D", 1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_OK);

    ck_assert_uint_eq(settings.key_length, 0);
    ck_assert_str_eq(settings.sas, "sv=1&sig=a%3D");
}
END_TEST

START_TEST(a_connection_string_says_it_all)
{
    setenv("AZURE_STORAGE_ACCOUNT", "other", 1);
    setenv("AZURE_STORAGE_CONNECTION_STRING",
           "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=AAE=;"
           "BlobEndpoint=http://127.0.0.1:10000/acc;",
           1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_OK);

    ck_assert_str_eq(settings.account, "acc");
    ck_assert_uint_eq(settings.key_length, 2);
    ck_assert_str_eq(settings.endpoint_url, "http://127.0.0.1:10000/acc");
}
END_TEST

START_TEST(a_connection_string_may_name_a_cloud)
{
    setenv("AZURE_STORAGE_CONNECTION_STRING",
           "AccountName=acc;AccountKey=AAEC;EndpointSuffix=core.chinacloudapi.cn", 1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_OK);

    ck_assert_str_eq(settings.endpoint_url, "https://acc.blob.core.chinacloudapi.cn");
}
END_TEST

START_TEST(the_callers_endpoint_goes_first)
{
    setenv("AZURE_STORAGE_CONNECTION_STRING",
           "AccountName=acc;AccountKey=AAEC;BlobEndpoint=http://elsewhere", 1);

    ck_assert_int_eq(azure_settings_load(&settings, "http://here", &err), ST_OK);

    ck_assert_str_eq(settings.endpoint_url, "http://here");
}
END_TEST

START_TEST(missing_credentials_are_named)
{
    setenv("AZURE_STORAGE_ACCOUNT", "acc", 1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "AZURE_STORAGE_KEY"));
}
END_TEST

static const struct {
    const char *variable, *value, *missing;
} without_account[] = {
    {"AZURE_STORAGE_KEY", "AAEC", "AZURE_STORAGE_ACCOUNT is not set"},
    {"AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=a", "AZURE_STORAGE_ACCOUNT is not set"},
    {"AZURE_STORAGE_CONNECTION_STRING", "AccountKey=AAEC;BlobEndpoint=http://h/acc",
     "AZURE_STORAGE_CONNECTION_STRING has no AccountName"},
    {"AZURE_STORAGE_CONNECTION_STRING", "AccountName=;SharedAccessSignature=sv=1",
     "AZURE_STORAGE_CONNECTION_STRING has no AccountName or BlobEndpoint"},
};

START_TEST(a_missing_account_is_named)
{
    setenv(without_account[_i].variable, without_account[_i].value, 1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_INVALID);
    ck_assert_str_eq(err.text, without_account[_i].missing);
}
END_TEST

START_TEST(a_token_with_an_endpoint_needs_no_account)
{
    setenv("AZURE_STORAGE_CONNECTION_STRING",
           "BlobEndpoint=https://acc.blob.core.windows.net/;"
           "SharedAccessSignature=?sv=1&sig=a%3D",
           1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_OK);

    ck_assert_str_eq(settings.endpoint_url, "https://acc.blob.core.windows.net/");
    ck_assert_str_eq(settings.sas, "sv=1&sig=a%3D");
}
END_TEST

START_TEST(a_key_that_is_not_base64_is_refused_without_showing_it)
{
    setenv("AZURE_STORAGE_ACCOUNT", "acc", 1);
    setenv("AZURE_STORAGE_KEY", "not*base64", 1);

    ck_assert_int_eq(azure_settings_load(&settings, NULL, &err), ST_INVALID);
    ck_assert_ptr_null(strstr(err.text, "not*"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("azure_settings");
    TCase *tcase = tcase_create("azure_settings");

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, account_and_key_are_enough);
    tcase_add_test(tcase, a_token_does_without_a_key);
    tcase_add_test(tcase, a_connection_string_says_it_all);
    tcase_add_test(tcase, a_connection_string_may_name_a_cloud);
    tcase_add_test(tcase, the_callers_endpoint_goes_first);
    tcase_add_test(tcase, missing_credentials_are_named);
    tcase_add_loop_test(tcase, a_missing_account_is_named, 0,
                        COUNT_OF(without_account));
    tcase_add_test(tcase, a_token_with_an_endpoint_needs_no_account);
    tcase_add_test(tcase, a_key_that_is_not_base64_is_refused_without_showing_it);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
