/* SPDX-License-Identifier: MIT */
#include "receiver/tls.h"

#include "common/credential.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

/* One set of credentials; lives as long as a connection that began with it. */
struct tls_identity {
    atomic_uint users;
    gnutls_certificate_credentials_t credentials;
    bool asks_clients;
    int64_t expires;
};

struct tls {
    struct tls_config config; /* set once: read freely */
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        struct tls_identity *identity;
    } current;
};

static void drop(struct tls_identity *identity)
{
    if (!identity || atomic_fetch_sub(&identity->users, 1) > 1)
        return;
    if (identity->credentials)
        gnutls_certificate_free_credentials(identity->credentials);
    free(identity);
}

static gnutls_datum_t datum(char *text, size_t n)
{
    return (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)n};
}

static enum status load_pair(struct tls_identity *identity,
                             const struct tls_config *config, struct error *err)
{
    const char *key_file = config->key_file ? config->key_file : config->cert_file;
    char *cert = NULL, *key = NULL;
    size_t cert_length = 0, key_length = 0;
    gnutls_datum_t cert_datum, key_datum;
    enum status st;
    int code;

    st = credential_read(&cert, &cert_length, config->cert_file,
                         config->key_file ? CREDENTIAL_PUBLIC : CREDENTIAL_SECRET, err);
    if (st == ST_OK)
        st = credential_read(&key, &key_length, key_file, CREDENTIAL_SECRET, err);
    if (st == ST_OK) {
        cert_datum = datum(cert, cert_length);
        key_datum = datum(key, key_length);
        code = gnutls_certificate_set_x509_key_mem2(identity->credentials, &cert_datum,
                                                    &key_datum, GNUTLS_X509_FMT_PEM,
                                                    NULL, 0);
        if (code < 0)
            st = error_set(err, ST_CORRUPT,
                           "'%s' and '%s' are not a certificate and its key: %s",
                           config->cert_file, key_file, gnutls_strerror(code));
    }
    credential_free(&cert, cert_length);
    credential_free(&key, key_length);
    return st;
}

static enum status load_client_ca(struct tls_identity *identity, const char *file,
                                  struct error *err)
{
    gnutls_datum_t ca_datum;
    char *ca = NULL;
    size_t n = 0;
    enum status st = credential_read(&ca, &n, file, CREDENTIAL_PUBLIC, err);
    int count;

    if (st != ST_OK)
        return st;
    ca_datum = datum(ca, n);
    count = gnutls_certificate_set_x509_trust_mem(identity->credentials, &ca_datum,
                                                  GNUTLS_X509_FMT_PEM);
    credential_free(&ca, n);
    if (count < 0)
        return error_set(err, ST_CORRUPT, "'%s' is not a certificate: %s", file,
                         gnutls_strerror(count));
    if (count == 0)
        return error_set(err, ST_CORRUPT, "'%s' has no certificate in it", file);
    identity->asks_clients = true;
    return ST_OK;
}

static int64_t expiry(struct tls_identity *identity)
{
    gnutls_x509_crt_t crt;
    gnutls_datum_t der;
    int64_t when = 0;

    if (gnutls_certificate_get_crt_raw(identity->credentials, 0, 0, &der) < 0 ||
        gnutls_x509_crt_init(&crt) < 0)
        return 0;
    if (gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER) == 0)
        when = (int64_t)gnutls_x509_crt_get_expiration_time(crt);
    gnutls_x509_crt_deinit(crt);
    return when;
}

static enum status load(struct tls_identity **out, const struct tls_config *config,
                        struct error *err)
{
    struct tls_identity *identity = calloc(1, sizeof(*identity));
    enum status st;

    if (!identity)
        return error_sys(err, ENOMEM, "set TLS up");
    atomic_init(&identity->users, 1);
    if (gnutls_certificate_allocate_credentials(&identity->credentials) < 0)
        st = error_sys(err, ENOMEM, "set TLS up");
    else
        st = load_pair(identity, config, err);
    if (st == ST_OK && config->client_ca)
        st = load_client_ca(identity, config->client_ca, err);
    if (st != ST_OK) {
        drop(identity);
        return st;
    }
    identity->expires = expiry(identity);
    *out = identity;
    return ST_OK;
}

enum status tls_create(struct tls **out, const struct tls_config *config,
                       struct error *err)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    enum status st;

    if (!tls)
        return error_sys(err, ENOMEM, "set TLS up");
    tls->config = *config;
    pthread_mutex_init(&tls->current.lock, NULL);
    st = load(&tls->current.identity, config, err);
    if (st != ST_OK) {
        tls_destroy(&tls);
        return st;
    }
    *out = tls;
    return ST_OK;
}

void tls_destroy(struct tls **tls)
{
    if (!*tls)
        return;
    drop((*tls)->current.identity);
    pthread_mutex_destroy(&(*tls)->current.lock);
    free(*tls);
    *tls = NULL;
}

enum status tls_reload(struct tls *tls, struct error *err)
{
    struct tls_identity *fresh, *old;
    enum status st = load(&fresh, &tls->config, err);

    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&tls->current.lock);
    old = tls->current.identity;
    tls->current.identity = fresh;
    pthread_mutex_unlock(&tls->current.lock);
    drop(old);
    return ST_OK;
}

int64_t tls_expires(const struct tls *tls)
{
    /* Only reload, on the caller's own thread, changes what is behind the lock. */
    return tls->current.identity->expires;
}

static int on_finished(gnutls_session_t session, unsigned type, unsigned when,
                       unsigned incoming, const gnutls_datum_t *message)
{
    struct tls_link *link = gnutls_session_get_ptr(session);

    (void)type;
    (void)when;
    (void)message;
    if (incoming)
        link->finished = true;
    return 0;
}

int tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
                       int count, const gnutls_pk_algorithm_t *algorithms, int n,
                       gnutls_pcert_st **certificates, unsigned *length,
                       gnutls_privkey_t *key)
{
    (void)session;
    (void)authorities;
    (void)count;
    (void)algorithms;
    (void)n;
    (void)certificates;
    (void)length;
    (void)key;
    return -1;
}

void tls_attach(struct tls *tls, gnutls_session_t session, struct tls_link *link)
{
    struct tls_identity *identity;

    pthread_mutex_lock(&tls->current.lock);
    identity = tls->current.identity;
    atomic_fetch_add(&identity->users, 1);
    pthread_mutex_unlock(&tls->current.lock);
    *link = (struct tls_link){.identity = identity};
    /* Should this fail, the session has no certificate at all and comes to nothing. */
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
                                 identity->credentials);
    gnutls_session_set_ptr(session, link);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED,
                                       GNUTLS_HOOK_POST, on_finished);
    if (identity->asks_clients)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
}

void tls_detach(struct tls_link *link)
{
    drop(link->identity);
    link->identity = NULL;
}

/* The common name of the certificate that was just verified. */
static void take_name(gnutls_session_t session, struct request_certificate *out)
{
    const gnutls_datum_t *chain;
    gnutls_x509_crt_t crt;
    unsigned length;
    size_t n = sizeof(out->name);

    strcpy(out->name, "unnamed");
    chain = gnutls_certificate_get_peers(session, &length);
    if (!chain || length == 0 || gnutls_x509_crt_init(&crt) < 0)
        return;
    if (gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) < 0 ||
        gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out->name,
                                      &n) < 0)
        strcpy(out->name, "unnamed");
    gnutls_x509_crt_deinit(crt);
}

static const char *problem(unsigned status)
{
    if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
        return "Client certificate of an unknown authority";
    if (status & GNUTLS_CERT_EXPIRED)
        return "Client certificate expired";
    if (status & GNUTLS_CERT_NOT_ACTIVATED)
        return "Client certificate not yet valid";
    return "Client certificate refused";
}

static void judge(gnutls_session_t session, struct request_certificate *out)
{
    static char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st wanted = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                    .data = (unsigned char *)purpose};
    gnutls_datum_t text;
    unsigned status = 0, length = 0;
    int code;

    *out = (struct request_certificate){
        .sent = gnutls_certificate_get_peers(session, &length) != NULL && length > 0};
    if (!out->sent)
        return;
    code = gnutls_certificate_verify_peers(session, &wanted, 1, &status);
    out->verified = code == 0 && status == 0;
    out->problem = problem(status);
    if (out->verified) {
        take_name(session, out);
    } else if (code < 0) {
        snprintf(out->why, sizeof(out->why), "%s", gnutls_strerror(code));
    } else if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509,
                                                            &text, 0) == 0) {
        snprintf(out->why, sizeof(out->why), "%s", (const char *)text.data);
        gnutls_free(text.data);
    } else {
        snprintf(out->why, sizeof(out->why), "it is not trusted");
    }
}

const struct request_certificate *tls_judge(struct tls_link *link,
                                            gnutls_session_t session)
{
    if (!link->identity || !link->identity->asks_clients)
        return NULL;
    if (!link->judged)
        judge(session, &link->certificate);
    link->judged = true;
    return &link->certificate;
}
