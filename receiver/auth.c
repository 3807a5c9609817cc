/* SPDX-License-Identifier: MIT */
#include "receiver/auth.h"

#include "receiver/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REALM "Bearer realm=\"blob-receiver\""

struct auth {
    struct auth_config config; /* set once: read freely */
    struct {
        pthread_rwlock_t lock; /* guards everything in here */
        struct tokens *tokens; /* NULL: none are asked for */
    } shared;
};

enum status auth_create(struct auth **out, const struct auth_config *config,
                        struct error *err)
{
    struct auth *auth = calloc(1, sizeof(*auth));
    pthread_rwlockattr_t kind;
    enum status st;

    if (!auth)
        return error_sys(err, ENOMEM, "set access up");
    auth->config = *config;
    /* Else a reload could wait as long as there are requests. */
    pthread_rwlockattr_init(&kind);
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&auth->shared.lock, &kind);
    pthread_rwlockattr_destroy(&kind);
    st = auth_reload(auth, err);
    if (st != ST_OK) {
        auth_destroy(&auth);
        return st;
    }
    *out = auth;
    return ST_OK;
}

void auth_destroy(struct auth **auth)
{
    if (!*auth)
        return;
    tokens_destroy(&(*auth)->shared.tokens);
    pthread_rwlock_destroy(&(*auth)->shared.lock);
    free(*auth);
    *auth = NULL;
}

enum status auth_reload(struct auth *auth, struct error *err)
{
    struct tokens *fresh = NULL, *old;
    enum status st;

    if (!auth->config.token_file)
        return ST_OK;
    st = tokens_load(&fresh, auth->config.token_file, err);
    if (st != ST_OK)
        return st;
    pthread_rwlock_wrlock(&auth->shared.lock);
    old = auth->shared.tokens;
    auth->shared.tokens = fresh;
    pthread_rwlock_unlock(&auth->shared.lock);
    tokens_destroy(&old);
    return ST_OK;
}

size_t auth_tokens(const struct auth *auth)
{
    /* Only reload, on the caller's own thread, changes what is behind the lock. */
    return auth->shared.tokens ? tokens_count(auth->shared.tokens) : 0;
}

static bool check_certificate(struct request *request)
{
    const struct request_certificate *certificate = request->certificate;

    if (certificate && certificate->verified) {
        strcpy(request->client, certificate->name);
        return true;
    }
    if (certificate && certificate->sent)
        reply_problem(&request->reply, 403, certificate->problem, "%s",
                      certificate->why);
    else
        reply_problem(&request->reply, 403, "Client certificate required",
                      "connect with a certificate that this server trusts");
    return false;
}

/* The token of "Bearer <token>"; NULL: another scheme, or none. */
static const char *bearer(const char *authorization)
{
    static const char scheme[] = "Bearer";
    const size_t n = sizeof(scheme) - 1;

    if (!authorization || strncasecmp(authorization, scheme, n) != 0 ||
        (authorization[n] != ' ' && authorization[n] != '\0'))
        return NULL;
    return authorization + n + strspn(authorization + n, " ");
}

static void refuse_unknown(struct request *request, bool token_sent)
{
    if (token_sent) {
        reply_problem(&request->reply, 401, "Invalid token",
                      "the bearer token is not known here");
        reply_header(&request->reply, "WWW-Authenticate",
                     REALM ", error=\"invalid_token\"");
    } else {
        reply_problem(&request->reply, 401, "Token required",
                      "send Authorization: Bearer <token>");
        reply_header(&request->reply, "WWW-Authenticate", REALM);
    }
}

static void refuse_scope(struct request *request, const char *scope)
{
    reply_problem(&request->reply, 403, "Insufficient scope",
                  "this token may not %s blobs", scope);
    reply_header(&request->reply, "WWW-Authenticate",
                 REALM ", error=\"insufficient_scope\", scope=\"%s\"", scope);
}

static bool check_token(struct auth *auth, struct request *request, enum auth_need need)
{
    const char *token = bearer(request_header(request, "Authorization"));
    unsigned scopes = 0, wanted = TOKEN_READ | TOKEN_WRITE;

    if (token) {
        pthread_rwlock_rdlock(&auth->shared.lock);
        scopes = tokens_find(auth->shared.tokens, token, strlen(token),
                             request->client);
        pthread_rwlock_unlock(&auth->shared.lock);
    }
    if (scopes == 0) {
        refuse_unknown(request, token != NULL);
        return false;
    }
    if (need == AUTH_KNOWN)
        return true;
    if (need == AUTH_READ)
        wanted = TOKEN_READ;
    else if (need == AUTH_WRITE)
        wanted = TOKEN_WRITE;
    if ((scopes & wanted) == wanted)
        return true;
    refuse_scope(request, need == AUTH_READ ? "read" : "write");
    return false;
}

bool auth_check(struct auth *auth, struct request *request, enum auth_need need)
{
    switch (need) {
    case AUTH_PUBLIC:
        return true;
    case AUTH_KNOWN:
    case AUTH_READ:
    case AUTH_WRITE:
        if (auth->config.client_certificates && !check_certificate(request))
            return false;
        return !auth->config.token_file || check_token(auth, request, need);
    case AUTH_NEVER:
        break;
    }
    reply_problem(&request->reply, 403, "Forbidden", "nobody may do this");
    return false;
}
