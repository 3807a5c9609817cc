/* SPDX-License-Identifier: MIT */
#include "sender/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static enum status take_token(struct identity *out, const char *text, const char *file,
                              struct error *err)
{
    size_t n = strcspn(text, "\r\n");

    for (size_t i = 0; i < n; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return error_set(err, ST_CORRUPT,
                             "token file '%s': its first line has more than a token",
                             file);
    if (n == 0 || n > IDENTITY_TOKEN_MAX)
        return error_set(err, ST_CORRUPT,
                         "token file '%s': its first line has %zu characters, not 1 to "
                         "%d",
                         file, n, IDENTITY_TOKEN_MAX);
    snprintf(out->authorization, sizeof out->authorization, "Bearer %.*s", (int)n,
             text);
    return ST_OK;
}

static enum status read_token(struct identity *out, const char *file, struct error *err)
{
    char *text = NULL;
    size_t n = 0;
    enum status st = credential_read(&text, &n, file, CREDENTIAL_SECRET, err);

    if (st != ST_OK)
        return error_prefix(err, "token file");
    st = take_token(out, text, file, err);
    credential_free(&text, n);
    return st;
}

/* libcurl reads the file itself, later: this is to refuse it by name, and now. */
static enum status check_file(char path[CREDENTIAL_PATH_SIZE], const char *file,
                              enum credential_kind kind, struct error *err)
{
    char *text = NULL;
    size_t n = 0;
    enum status st;

    if (!file)
        return ST_OK;
    st = credential_read(&text, &n, file, kind, err);
    credential_free(&text, n);
    credential_path(path, file);
    return st;
}

enum status identity_open(struct identity *out, const struct identity_config *config,
                          struct error *err)
{
    enum status st = ST_OK;

    *out = (struct identity){0};
    if (config->token_file)
        st = read_token(out, config->token_file, err);
    if (st == ST_OK)
        st = check_file(out->ca_path, config->ca_file, CREDENTIAL_PUBLIC, err);
    if (st == ST_OK)
        st = check_file(out->cert_path, config->cert_file,
                        config->key_file ? CREDENTIAL_PUBLIC : CREDENTIAL_SECRET, err);
    if (st == ST_OK)
        st = check_file(out->key_path, config->key_file, CREDENTIAL_SECRET, err);
    if (st != ST_OK)
        identity_release(out);
    return st;
}

void identity_release(struct identity *identity)
{
    sodium_memzero(identity, sizeof *identity);
}

static const char *unless_empty(const char *text)
{
    return *text != '\0' ? text : NULL;
}

void identity_present(const struct identity *identity, struct exchange_config *out)
{
    out->ca_file = unless_empty(identity->ca_path);
    out->cert_file = unless_empty(identity->cert_path);
    out->key_file = unless_empty(identity->key_path);
}
