/* SPDX-License-Identifier: MIT */
#include "receiver/access.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdint.h>

enum { DAY_S = 24 * 60 * 60, EXPIRY_WARNING_DAYS = 14 };

enum status access_check_options(const struct access_config *config, struct error *err)
{
    if (config->tls_key && !config->tls_cert)
        return error_set(err, ST_INVALID, "--tls-key: needs --tls-cert");
    if (config->tls_client_ca && !config->tls_cert)
        return error_set(err, ST_INVALID, "--tls-client-ca: needs --tls-cert");
    return ST_OK;
}

static void warn_of_expiry(const struct tls *tls)
{
    int64_t left = tls_expires(tls) - (int64_t)(clock_wall_ms() / 1000);

    if (left < 0)
        log_event(LOG_WARN, "expires", LOG_FIELDS(log_number("seconds", left)),
                  "the TLS certificate has expired: clients will refuse it");
    else if (left < (int64_t)EXPIRY_WARNING_DAYS * DAY_S)
        log_event(LOG_WARN, "expires", LOG_FIELDS(log_number("seconds", left)),
                  "the TLS certificate expires in %" PRId64 " days", left / DAY_S);
}

enum status access_open(struct access *access, const struct access_config *config,
                        struct error *err)
{
    const struct auth_config auth = {
        .token_file = config->token_file,
        .client_certificates = config->tls_client_ca != NULL,
    };
    const struct tls_config tls = {
        .cert_file = config->tls_cert,
        .key_file = config->tls_key,
        .client_ca = config->tls_client_ca,
    };
    enum status st;

    access->config = *config;
    st = auth_create(&access->auth, &auth, err);
    if (st == ST_OK && config->tls_cert)
        st = tls_create(&access->tls, &tls, err);
    if (st != ST_OK)
        access_close(access);
    else if (access->tls)
        warn_of_expiry(access->tls);
    return st;
}

void access_close(struct access *access)
{
    auth_destroy(&access->auth);
    tls_destroy(&access->tls);
}

enum status access_allow(const struct access *access, const char *address, bool local,
                         struct error *err)
{
    const struct access_config *config = &access->config;

    if (local)
        return ST_OK;
    if (!config->token_file && !config->tls_client_ca && !config->insecure_open)
        return error_set(err, ST_INVALID,
                         "others can reach %s: set --token-file or --tls-client-ca, or "
                         "say --insecure-open",
                         address);
    if (!config->token_file && !config->tls_client_ca)
        log_event(LOG_WARN, "open", LOG_FIELDS(log_text("address", address)),
                  "whoever can reach %s may read and write blobs", address);
    else if (!access->tls)
        log_event(LOG_WARN, "cleartext", LOG_FIELDS(log_text("address", address)),
                  "tokens and blobs cross the network in the clear: there is no "
                  "--tls-cert");
    return ST_OK;
}

static void reload_tokens(struct auth *auth)
{
    struct error err;

    if (auth_reload(auth, &err) != ST_OK)
        log_event(LOG_ERROR, "reload", LOG_FIELDS(log_text("reason", err.text)),
                  "the old tokens stay: %s", err.text);
    else
        log_event(LOG_INFO, "reloaded",
                  LOG_FIELDS(log_number("tokens", auth_tokens(auth))),
                  "tokens reloaded: %zu", auth_tokens(auth));
}

static void reload_certificates(struct tls *tls)
{
    struct error err;

    if (tls_reload(tls, &err) != ST_OK) {
        log_event(LOG_ERROR, "reload", LOG_FIELDS(log_text("reason", err.text)),
                  "the old certificates stay: %s", err.text);
        return;
    }
    log_event(LOG_INFO, "reloaded", LOG_FIELDS(log_number("expires", tls_expires(tls))),
              "certificates reloaded, valid for %" PRId64 " days",
              (tls_expires(tls) - (int64_t)(clock_wall_ms() / 1000)) / DAY_S);
    warn_of_expiry(tls);
}

void access_reload(struct access *access)
{
    if (access->config.token_file)
        reload_tokens(access->auth);
    if (access->tls)
        reload_certificates(access->tls);
}

const char *access_describe(const struct access *access)
{
    const struct access_config *config = &access->config;

    if (config->token_file && config->tls_client_ca)
        return "by token and client certificate";
    if (config->token_file)
        return "by token";
    if (config->tls_client_ca)
        return "by client certificate";
    return "open";
}
