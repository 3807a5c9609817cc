/* SPDX-License-Identifier: MIT */
#include "common/object/aws_settings.h"

#include "common/object/ini.h"

#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search { /* one profile, in one of the two files */
    struct aws_settings *into;
    const char *profile;
    bool is_config; /* where sections are called "profile NAME" */
    bool has_keys;  /* from the other file */
    bool found;
    const char *too_long; /* key, NULL: none */
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static bool fill(char *out, size_t size, const char *value)
{
    if (*out || !value)
        return true;
    if (strlen(value) >= size)
        return false;
    strcpy(out, value);
    return true;
}

static bool is_section(const struct search *search, const char *section)
{
    static const char prefix[] = "profile ";

    if (search->is_config && strncmp(section, prefix, sizeof prefix - 1) == 0) {
        section += sizeof prefix - 1;
        section += strspn(section, " \t");
    } else if (search->is_config && strcmp(search->profile, "default") != 0) {
        return false;
    }
    return strcmp(section, search->profile) == 0;
}

static void take_setting(void *context, const char *section, const char *key,
                         const char *value)
{
    struct search *search = context;
    struct aws_settings *into = search->into;
    const struct {
        const char *key;
        char *out;
        size_t size;
        bool taken;
    } rows[] = {
        {"aws_access_key_id", into->access_key, sizeof into->access_key,
         search->has_keys},
        {"aws_secret_access_key", into->secret_key, sizeof into->secret_key,
         search->has_keys},
        {"aws_session_token", into->session_token, sizeof into->session_token,
         search->has_keys},
        {"region", into->region, sizeof into->region, false},
        {"endpoint_url", into->endpoint_url, sizeof into->endpoint_url, false},
    };

    if (!is_section(search, section))
        return;
    search->found = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].key, key) == 0 && !rows[i].taken &&
            !fill(rows[i].out, rows[i].size, value))
            search->too_long = rows[i].key;
    }
}

static enum status search_file(struct search *search, const char *variable,
                               const char *name, struct error *err)
{
    const char *path = environment(variable), *home = environment("HOME");
    char own[PATH_MAX];
    enum status st;

    if (!path) {
        if (!home || snprintf(own, sizeof own, "%s/.aws/%s", home, name) >= PATH_MAX)
            return ST_OK;
        path = own;
    }
    st = ini_read(path, take_setting, search, err);
    if (st == ST_END)
        return ST_OK;
    if (st == ST_OK && search->too_long)
        return error_set(err, ST_INVALID, "%s in '%s' is too long", search->too_long,
                         path);
    return st;
}

/* Fills what is still empty. Keys are taken from one place together, never mixed. */
static enum status read_profile(struct aws_settings *settings, const char *profile,
                                bool must_exist, struct error *err)
{
    struct aws_settings own = {.access_key = ""};
    struct search search = {.into = &own, .profile = profile};
    enum status st;

    st = search_file(&search, "AWS_SHARED_CREDENTIALS_FILE", "credentials", err);
    search.is_config = true;
    search.has_keys = *own.access_key || *own.secret_key || *own.session_token;
    if (st == ST_OK)
        st = search_file(&search, "AWS_CONFIG_FILE", "config", err);
    if (st == ST_OK && must_exist && !search.found)
        st = error_set(err, ST_INVALID,
                       "profile '%s' is neither in ~/.aws/credentials nor in "
                       "~/.aws/config",
                       profile);
    if (st == ST_OK && !*settings->access_key) {
        strcpy(settings->access_key, own.access_key);
        strcpy(settings->secret_key, own.secret_key);
        strcpy(settings->session_token, own.session_token);
    }
    if (st == ST_OK && !*settings->region)
        strcpy(settings->region, own.region);
    if (st == ST_OK && !*settings->endpoint_url)
        strcpy(settings->endpoint_url, own.endpoint_url);
    sodium_memzero(&own, sizeof own);
    return st;
}

static const char *first_of(const char *wish, const char *variable, const char *other)
{
    if (wish)
        return wish;
    wish = environment(variable);
    return wish ? wish : environment(other);
}

static enum status read_environment(struct aws_settings *settings,
                                    const struct aws_wishes *wishes, struct error *err)
{
    bool with_keys = !wishes->profile;
    const struct {
        const char *name, *value;
        char *out;
        size_t size;
    } rows[] = {
        {"region", first_of(wishes->region, "AWS_REGION", "AWS_DEFAULT_REGION"),
         settings->region, sizeof settings->region},
        {"endpoint URL",
         first_of(wishes->endpoint_url, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
         settings->endpoint_url, sizeof settings->endpoint_url},
        {"AWS_ACCESS_KEY_ID", with_keys ? environment("AWS_ACCESS_KEY_ID") : NULL,
         settings->access_key, sizeof settings->access_key},
        {"AWS_SECRET_ACCESS_KEY",
         with_keys ? environment("AWS_SECRET_ACCESS_KEY") : NULL, settings->secret_key,
         sizeof settings->secret_key},
        {"AWS_SESSION_TOKEN", with_keys ? environment("AWS_SESSION_TOKEN") : NULL,
         settings->session_token, sizeof settings->session_token},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!fill(rows[i].out, rows[i].size, rows[i].value))
            return error_set(err, ST_INVALID, "%s is too long", rows[i].name);
    }
    if (*settings->access_key && !*settings->secret_key)
        return error_set(err, ST_INVALID,
                         "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
    return ST_OK;
}

enum status aws_settings_load(struct aws_settings *out, const struct aws_wishes *wishes,
                              struct error *err)
{
    struct aws_settings settings = {.access_key = ""};
    const char *profile = wishes->profile ? wishes->profile
                                          : environment("AWS_PROFILE");
    enum status st;

    st = read_environment(&settings, wishes, err);
    if (st == ST_OK)
        st = read_profile(&settings, profile ? profile : "default", profile != NULL,
                          err);
    if (st == ST_OK && (!*settings.access_key || !*settings.secret_key))
        st = error_set(err, ST_INVALID,
                       "no credentials: set AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with ~/.aws/credentials");
    if (st == ST_OK && !*settings.region)
        strcpy(settings.region, "us-east-1");
    if (st == ST_OK)
        *out = settings;
    aws_settings_release(&settings);
    return st;
}

void aws_settings_release(struct aws_settings *settings)
{
    sodium_memzero(settings, sizeof *settings);
}
