/* SPDX-License-Identifier: MIT */
/*
 * identity -- what the sender shows the receiver, and whom it believes.
 *
 * A bearer token, a client certificate with its key, and the authorities that may have
 * signed the receiver's. Token and key must not be readable by others, and names
 * without a slash are looked for in $CREDENTIALS_DIRECTORY first (credential.h).
 *
 * Errors:  those of credential.h; ST_CORRUPT: a token file whose first line is no
 *          token.
 * Owner:   the caller's storage; connections point into it. Release wipes the token.
 * Threads: constant once opened, but for the token: authorize from any thread, reload
 *          from one.
 */
#ifndef SENDER_IDENTITY_H
#define SENDER_IDENTITY_H

#include "common/credential.h"
#include "common/exchange.h"

#include <pthread.h>
#include <stdbool.h>

enum {
    IDENTITY_TOKEN_MAX = 4096,
    IDENTITY_AUTHORIZATION_SIZE = sizeof("Bearer ") + IDENTITY_TOKEN_MAX,
};

struct identity_config { /* NULL: none; strings must outlive the identity */
    const char *token_file, *ca_file, *cert_file, *key_file;
};

struct identity {
    const char *token_file;
    char ca_path[CREDENTIAL_PATH_SIZE]; /* "": the system's */
    char cert_path[CREDENTIAL_PATH_SIZE], key_path[CREDENTIAL_PATH_SIZE];
    struct {
        pthread_mutex_t lock;                            /* guards everything in here */
        char authorization[IDENTITY_AUTHORIZATION_SIZE]; /* "": no token */
    } token;
};

enum status identity_open(struct identity *out, const struct identity_config *config,
                          struct error *err) MUST_CHECK;
void identity_release(struct identity *identity); /* all zero is fine */

/* Reads the token file again, if there is one. On failure the old token stays. */
enum status identity_reload(struct identity *identity, struct error *err) MUST_CHECK;

/* The value of an Authorization header. False: there is no token, and out is "". */
bool identity_authorize(struct identity *identity,
                        char out[IDENTITY_AUTHORIZATION_SIZE]);

/* Fills in the files of a connection. */
void identity_present(const struct identity *identity, struct exchange_config *out);

#endif
