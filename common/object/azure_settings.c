/* SPDX-License-Identifier: MIT */
#include "common/object/azure_settings.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parts { /* of a connection string; not NUL-terminated */
    const char *account, *key, *sas, *endpoint, *suffix, *protocol;
};

static const char connection_string[] = "AZURE_STORAGE_CONNECTION_STRING";

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static enum status fill(char *out, size_t size, const char *value, const char *name,
                        struct error *err)
{
    if (!value)
        return ST_OK;
    if (strlen(value) >= size)
        return error_set(err, ST_INVALID, "%s is too long", name);
    strcpy(out, value);
    return ST_OK;
}

static enum status fill_key(struct azure_settings *settings, const char *text,
                            struct error *err)
{
    if (!text)
        return ST_OK;
    if (sodium_base642bin(settings->key, sizeof settings->key, text, strlen(text), NULL,
                          &settings->key_length, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        settings->key_length == 0)
        return error_set(err, ST_INVALID, "the account's key is not base64");
    return ST_OK;
}

/* Cuts text, which is a copy, at its semicolons. */
static void split(char *text, struct parts *out)
{
    const struct {
        const char *name;
        const char **value;
    } rows[] = {
        {"AccountName", &out->account},
        {"AccountKey", &out->key},
        {"SharedAccessSignature", &out->sas},
        {"BlobEndpoint", &out->endpoint},
        {"EndpointSuffix", &out->suffix},
        {"DefaultEndpointsProtocol", &out->protocol},
    };
    char *part;

    while ((part = strsep(&text, ";")) != NULL) {
        char *equals = strchr(part, '=');

        if (!equals)
            continue;
        *equals = '\0';
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            if (strcmp(part, rows[i].name) == 0)
                *rows[i].value = equals + 1;
        }
    }
}

static enum status fill_all(struct azure_settings *settings, const struct parts *parts,
                            struct error *err)
{
    const char *sas = parts->sas && *parts->sas == '?' ? parts->sas + 1 : parts->sas;
    enum status st = fill(settings->account, sizeof settings->account, parts->account,
                          "the account's name", err);

    if (st == ST_OK)
        st = fill_key(settings, parts->key, err);
    if (st == ST_OK && settings->key_length == 0)
        st = fill(settings->sas, sizeof settings->sas, sas, "the SAS token", err);
    if (st == ST_OK && !*settings->endpoint_url)
        st = fill(settings->endpoint_url, sizeof settings->endpoint_url,
                  parts->endpoint, "the endpoint", err);
    if (st != ST_OK || *settings->endpoint_url || !*settings->account)
        return st;
    snprintf(settings->endpoint_url, sizeof settings->endpoint_url, "%.8s://%s.blob.%s",
             parts->protocol ? parts->protocol : "https", settings->account,
             parts->suffix ? parts->suffix : "core.windows.net");
    return ST_OK;
}

static enum status load(struct azure_settings *settings, struct error *err)
{
    const char *string = environment(connection_string);
    char *copy = string ? strdup(string) : NULL;
    struct parts parts = {
        .account = environment("AZURE_STORAGE_ACCOUNT"),
        .key = environment("AZURE_STORAGE_KEY"),
        .sas = environment("AZURE_STORAGE_SAS_TOKEN"),
    };
    enum status st;

    if (copy) {
        parts = (struct parts){.account = NULL};
        split(copy, &parts);
    }
    st = fill_all(settings, &parts, err);
    if (copy)
        sodium_memzero(copy, strlen(string));
    free(copy);
    return st;
}

/* A key signs for an account; a token says all but where. */
static enum status check(const struct azure_settings *settings, struct error *err)
{
    bool has_key = settings->key_length > 0;

    if (!has_key && !*settings->sas)
        return error_set(err, ST_INVALID,
                         "no credentials: set AZURE_STORAGE_ACCOUNT and "
                         "AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or %s",
                         connection_string);
    if (*settings->account || (!has_key && *settings->endpoint_url))
        return ST_OK;
    if (environment(connection_string))
        return error_set(err, ST_INVALID, "%s has no %s", connection_string,
                         has_key ? "AccountName" : "AccountName or BlobEndpoint");
    return error_set(err, ST_INVALID, "AZURE_STORAGE_ACCOUNT is not set");
}

enum status azure_settings_load(struct azure_settings *out, const char *endpoint_url,
                                struct error *err)
{
    struct azure_settings settings = {.account = ""};
    enum status st = fill(settings.endpoint_url, sizeof settings.endpoint_url,
                          endpoint_url, "the endpoint", err);

    if (st == ST_OK)
        st = load(&settings, err);
    if (st == ST_OK)
        st = check(&settings, err);
    if (st == ST_OK)
        *out = settings;
    azure_settings_release(&settings);
    return st;
}

void azure_settings_release(struct azure_settings *settings)
{
    sodium_memzero(settings, sizeof *settings);
}
