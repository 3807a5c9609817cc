/* SPDX-License-Identifier: MIT */
/*
 * azure_settings -- account and key (or SAS token), from where every Azure tool looks.
 *
 * AZURE_STORAGE_CONNECTION_STRING when it is set; else AZURE_STORAGE_ACCOUNT with
 * AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN. The endpoint is what the caller says,
 * then the connection string, then the account's at blob.core.windows.net. A token with
 * an endpoint needs no account.
 *
 * Errors:  ST_INVALID naming what is missing or malformed; never shows a secret.
 * Owner:   azure_settings_release wipes the secrets.
 * Threads: main only: it reads the environment.
 */
#ifndef COMMON_OBJECT_AZURE_SETTINGS_H
#define COMMON_OBJECT_AZURE_SETTINGS_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    AZURE_ACCOUNT_SIZE = 65,
    AZURE_KEY_SIZE = 128,
    AZURE_SAS_SIZE = 2048,
    AZURE_URL_SIZE = 512,
};

struct azure_settings {
    char account[AZURE_ACCOUNT_SIZE];
    uint8_t key[AZURE_KEY_SIZE];
    size_t key_length;        /* 0: there is a SAS token instead */
    char sas[AZURE_SAS_SIZE]; /* without '?' */
    char endpoint_url[AZURE_URL_SIZE];
};

/* endpoint_url: NULL: not given. */
enum status azure_settings_load(struct azure_settings *out, const char *endpoint_url,
                                struct error *err) MUST_CHECK;
void azure_settings_release(struct azure_settings *settings);

#endif
