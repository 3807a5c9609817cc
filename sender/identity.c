/* SPDX-License-Identifier: MIT */
#include "sender/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static enum status take_token(struct identity *identity, const char *text,
                              struct error *err)
{
    size_t n = strcspn(text, "\r\n");

    for (size_t i = 0; i < n; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return error_set(err, ST_CORRUPT,
                             "token file '%s': its first line has more than a token",
                             identity->token_file);
    if (n == 0 || n > IDENTITY_TOKEN_MAX)
        return error_set(err, ST_CORRUPT,
                         "token file '%s': its first line has %zu characters, not 1 to "
                         "%d",
                         identity->token_file, n, IDENTITY_TOKEN_MAX);
    pthread_mutex_lock(&identity->token.lock);
    snprintf(identity->token.authorization, IDENTITY_AUTHORIZATION_SIZE, "Bearer %.*s",
             (int)n, text);
    pthread_mutex_unlock(&identity->token.lock);
    return ST_OK;
}

enum status identity_reload(struct identity *identity, struct error *err)
{
    char *text = NULL;
    size_t n = 0;
    enum status st;

    if (!identity->token_file)
        return ST_OK;
    st = credential_read(&text, &n, identity->token_file, CREDENTIAL_SECRET, err);
    if (st != ST_OK)
        return error_prefix(err, "token file");
    st = take_token(identity, text, err);
    credential_free(&text, n);
    return st;
}

bool identity_authorize(struct identity *identity,
                        char out[IDENTITY_AUTHORIZATION_SIZE])
{
    pthread_mutex_lock(&identity->token.lock);
    snprintf(out, IDENTITY_AUTHORIZATION_SIZE, "%s", identity->token.authorization);
    pthread_mutex_unlock(&identity->token.lock);
    return out[0] != '\0';
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
    enum status st;

    *out = (struct identity){.token_file = config->token_file};
    pthread_mutex_init(&out->token.lock, NULL);
    st = identity_reload(out, err);
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
    pthread_mutex_destroy(&identity->token.lock);
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
