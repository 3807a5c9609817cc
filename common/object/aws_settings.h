/* SPDX-License-Identifier: MIT */
/*
 * aws_settings -- keys, region and endpoint, from where every AWS tool looks.
 *
 * Order: what the caller names (--profile, --region, --endpoint-url), the environment
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE,
 * AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL), then the
 * profile's section in AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and
 * AWS_CONFIG_FILE
 * (~/.aws/config). A profile named by the caller goes before keys in the environment.
 *
 * Errors:  ST_INVALID naming what is missing or too long; never shows a secret.
 * Owner:   aws_settings_release wipes the secrets.
 * Threads: main only: it reads the environment.
 */
#ifndef COMMON_OBJECT_AWS_SETTINGS_H
#define COMMON_OBJECT_AWS_SETTINGS_H

#include "common/status.h"

enum {
    AWS_KEY_SIZE = 200,
    AWS_TOKEN_SIZE = 4096,
    AWS_NAME_SIZE = 64,
    AWS_URL_SIZE = 512
};

struct aws_settings {
    char access_key[AWS_KEY_SIZE];
    char secret_key[AWS_KEY_SIZE];
    char session_token[AWS_TOKEN_SIZE]; /* "": none */
    char region[AWS_NAME_SIZE];         /* "us-east-1" when nobody says otherwise */
    char endpoint_url[AWS_URL_SIZE];    /* "": Amazon's own */
};

struct aws_wishes { /* of the caller; NULL: none */
    const char *profile, *region, *endpoint_url;
};

enum status aws_settings_load(struct aws_settings *out, const struct aws_wishes *wishes,
                              struct error *err) MUST_CHECK;
void aws_settings_release(struct aws_settings *settings);

#endif
