/* SPDX-License-Identifier: MIT */
/*
 * tls -- the server's certificate, and the client's, for connections of libmicrohttpd.
 *
 * Each connection gets the credentials that are current when it begins and keeps them
 * until it ends, so that a reload cuts nobody off. libmicrohttpd only asks for a client
 * certificate: it is verified here, and whoever answers requests must look.
 *
 * Errors:  name the file. ST_REFUSED: the key may be read by others; ST_CORRUPT: not a
 *          certificate, not a key, or not a pair; ST_SYSTEM.
 * Owner:   a link lies in the caller's storage and stays there until detach.
 * Threads: create, reload and destroy from one thread; a link belongs to its
 *          connection's event loop.
 * Source:  GnuTLS 3.7; libmicrohttpd 0.9.75, which ends the session before it notifies
 *          of the closed connection.
 */
#ifndef RECEIVER_TLS_H
#define RECEIVER_TLS_H

#include "receiver/request.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;

struct tls_config { /* strings must outlive the tls */
    const char *cert_file;
    const char *key_file;  /* NULL: in cert_file */
    const char *client_ca; /* NULL: clients are not asked for certificates */
};

struct tls_link {
    struct tls_identity *identity; /* NULL: not attached */
    bool finished;                 /* the handshake is */
    bool judged;                   /* certificate is filled in */
    struct request_certificate certificate;
};

extern const char tls_priorities[]; /* TLS 1.2 and 1.3 */

enum status tls_create(struct tls **out, const struct tls_config *config,
                       struct error *err) MUST_CHECK;
void tls_destroy(struct tls **tls); /* after the last detach; NULL inside is fine */

/* Reads all files again, for connections to come. On failure the old ones stay. */
enum status tls_reload(struct tls *tls, struct error *err) MUST_CHECK;

int64_t tls_expires(const struct tls *tls); /* when the certificate does, Unix time */

/* For libmicrohttpd, which wants to have a source of certificates. It has none: a
 * session that was not attached comes to nothing. */
int tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
                       int count, const gnutls_pk_algorithm_t *algorithms, int n,
                       gnutls_pcert_st **certificates, unsigned *length,
                       gnutls_privkey_t *key);

/* Before the handshake, and after the session is gone. */
void tls_attach(struct tls *tls, gnutls_session_t session, struct tls_link *link);
void tls_detach(struct tls_link *link);

/* What is to be thought of the client's certificate; NULL: none was asked for. */
const struct request_certificate *tls_judge(struct tls_link *link,
                                            gnutls_session_t session);

#endif
