/* SPDX-License-Identifier: MIT */
/*
 * access -- what stands between the network and the blobs: TLS, client certificates,
 * bearer tokens, or nothing, and whether that is enough for where we listen.
 *
 * Errors:  those of tls.h and auth.h; ST_INVALID for options that make no sense
 *          together, naming them.
 * Threads: one.
 */
#ifndef RECEIVER_ACCESS_H
#define RECEIVER_ACCESS_H

#include "receiver/auth.h"
#include "receiver/tls.h"

#include <stdbool.h>

struct access_config { /* strings must outlive the access */
    const char *token_file, *tls_cert, *tls_key, *tls_client_ca; /* NULL: none */
    bool insecure_open;
};

struct access {
    struct access_config config;
    struct auth *auth;
    struct tls *tls; /* NULL: plain HTTP */
};

enum status access_check_options(const struct access_config *config,
                                 struct error *err) MUST_CHECK;

enum status access_open(struct access *access, const struct access_config *config,
                        struct error *err) MUST_CHECK;
void access_close(struct access *access); /* after the server's stop */

/* Whether to serve at this address: not if others can come and nothing is asked of
 * them. local: only this machine can come. Logs what is allowed but should not be. */
enum status access_allow(const struct access *access, const char *address, bool local,
                         struct error *err) MUST_CHECK;

/* Reads tokens and certificates again and logs how that went; what is broken stays as
 * it was. */
void access_reload(struct access *access);

/* Who may come, in a few words, for the log. */
const char *access_describe(const struct access *access);

#endif
