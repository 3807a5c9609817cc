/* SPDX-License-Identifier: MIT */
/*
 * auth -- the one gate before a request is acted upon: who is it, and may they?
 *
 * Every proof that is configured must be given: a client certificate that was verified,
 * and a bearer token with the scope. A certificate alone may read and write. Nothing
 * configured: everybody may, and the receiver sees to it that only this machine can
 * come (listener.h).
 * Errors:  create and reload: those of tokens_load.
 * Threads: auth_check from any thread; create, reload and destroy from one.
 * Source:  RFC 6750 (bearer tokens)
 */
#ifndef RECEIVER_AUTH_H
#define RECEIVER_AUTH_H

#include "receiver/request.h"

#include <stdbool.h>
#include <stddef.h>

struct auth;

struct auth_config {
    const char *token_file;   /* NULL: no tokens are asked for; must outlive the auth */
    bool client_certificates; /* each client must have one */
};

enum auth_need {
    AUTH_NEVER,  /* not for anybody: what was forgotten is closed */
    AUTH_PUBLIC, /* no proof is asked for */
    AUTH_KNOWN,  /* any client with a proof, whatever its scopes */
    AUTH_READ,
    AUTH_WRITE,
};

enum status auth_create(struct auth **out, const struct auth_config *config,
                        struct error *err) MUST_CHECK;
void auth_destroy(struct auth **auth); /* NULL inside is fine */

/* Reads the token file again. On failure the old tokens stay. */
enum status auth_reload(struct auth *auth, struct error *err) MUST_CHECK;

size_t auth_tokens(const struct auth *auth); /* how many there are */

/* Fills request->client. False: request->reply is 401 or 403. */
bool auth_check(struct auth *auth, struct request *request,
                enum auth_need need) MUST_CHECK;

#endif
