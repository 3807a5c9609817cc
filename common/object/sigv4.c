/* SPDX-License-Identifier: MIT */
#include "common/object/sigv4.h"

#include "common/object/text.h"
#include "common/sha256.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DATE_LENGTH = 8, MAC_BYTES = crypto_auth_hmacsha256_BYTES };

static const char algorithm[] = "AWS4-HMAC-SHA256";

struct sigv4 {
    struct sigv4_scope scope;
    struct sha256 *sha;
    char key_date[DATE_LENGTH + 1]; /* the day key is good for; "" none */
    unsigned char key[MAC_BYTES];
};

enum status sigv4_create(struct sigv4 **out, const struct sigv4_scope *scope,
                         struct error *err)
{
    struct sigv4 *signer = calloc(1, sizeof *signer);
    enum status st;

    if (!signer)
        return error_sys(err, ENOMEM, "create a signer");
    signer->scope = *scope;
    st = sha256_create(&signer->sha, err);
    if (st != ST_OK) {
        sigv4_destroy(&signer);
        return st;
    }
    *out = signer;
    return ST_OK;
}

void sigv4_destroy(struct sigv4 **signer)
{
    if (!*signer)
        return;
    sha256_destroy(&(*signer)->sha);
    sodium_memzero(*signer, sizeof **signer);
    free(*signer);
    *signer = NULL;
}

static void mac(unsigned char out[MAC_BYTES], const void *key, size_t key_bytes,
                const char *text)
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, key_bytes);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, strlen(text));
    crypto_auth_hmacsha256_final(&state, out);
}

/* The chain of MACs from the secret to the signing key, once a day. */
static void derive_key(struct sigv4 *signer, const char *time)
{
    char seed[512];
    unsigned char *key = signer->key;

    if (memcmp(signer->key_date, time, DATE_LENGTH) == 0)
        return;
    memcpy(signer->key_date, time, DATE_LENGTH);
    snprintf(seed, sizeof seed, "AWS4%s", signer->scope.secret_key);
    mac(key, seed, strlen(seed), signer->key_date);
    mac(key, key, MAC_BYTES, signer->scope.region);
    mac(key, key, MAC_BYTES, signer->scope.service);
    mac(key, key, MAC_BYTES, "aws4_request");
    sodium_memzero(seed, sizeof seed);
}

static int by_name(const void *a, const void *b)
{
    const struct exchange_header *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void feed(struct sha256 *sha, const char *text)
{
    sha256_update(sha, text, strlen(text));
}

/* Trimmed, inner runs of blanks as one. */
static void feed_value(struct sha256 *sha, const char *value)
{
    value += strspn(value, " \t");
    while (*value) {
        size_t word = strcspn(value, " \t");

        sha256_update(sha, value, word);
        value += word;
        value += strspn(value, " \t");
        if (*value)
            sha256_update(sha, " ", 1);
    }
}

static void feed_names(struct sha256 *sha, const struct exchange_header *const *sorted,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            feed(sha, ";");
        feed(sha, sorted[i]->name);
    }
}

static enum status hash_request(struct sigv4 *signer,
                                const struct sigv4_request *request,
                                const struct exchange_header *const *sorted,
                                char hex[SHA256_HEX_SIZE], struct error *err)
{
    struct sha256 *sha = signer->sha;
    struct sha256_digest digest;
    enum status st;

    sha256_start(sha);
    feed(sha, request->method);
    feed(sha, "\n");
    feed(sha, request->path);
    feed(sha, "\n");
    feed(sha, request->query);
    feed(sha, "\n");
    for (size_t i = 0; i < request->header_count; i++) {
        feed(sha, sorted[i]->name);
        feed(sha, ":");
        feed_value(sha, sorted[i]->value);
        feed(sha, "\n");
    }
    feed(sha, "\n");
    feed_names(sha, sorted, request->header_count);
    feed(sha, "\n");
    feed(sha, request->payload_hash);
    st = sha256_finish(sha, &digest, err);
    if (st == ST_OK)
        sha256_to_hex(hex, &digest);
    return st;
}

static enum status write_authorization(const struct sigv4 *signer,
                                       const struct exchange_header *const *sorted,
                                       size_t count, const char *scope,
                                       const char *signature, char *out,
                                       struct error *err)
{
    struct text text;

    text_init(&text, out, SIGV4_AUTHORIZATION_SIZE);
    text_format(&text, "%s Credential=%s/%s, SignedHeaders=", algorithm,
                signer->scope.access_key, scope);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_add(&text, ";");
        text_add(&text, sorted[i]->name);
    }
    text_format(&text, ", Signature=%s", signature);
    if (text.overflow)
        return error_set(err, ST_INVALID, "sign a request: access key too long");
    return ST_OK;
}

enum status sigv4_authorize(struct sigv4 *signer, const struct sigv4_request *request,
                            char out[SIGV4_AUTHORIZATION_SIZE], struct error *err)
{
    const struct exchange_header *sorted[SIGV4_HEADERS_MAX];
    char hex[SHA256_HEX_SIZE], scope[160], to_sign[400];
    unsigned char signature[MAC_BYTES];
    enum status st;

    assert(request->header_count <= SIGV4_HEADERS_MAX);
    for (size_t i = 0; i < request->header_count; i++)
        sorted[i] = &request->headers[i];
    qsort(sorted, request->header_count, sizeof(const struct exchange_header *),
          by_name);
    st = hash_request(signer, request, sorted, hex, err);
    if (st != ST_OK)
        return st;
    derive_key(signer, request->time);
    snprintf(scope, sizeof scope, "%s/%s/%s/aws4_request", signer->key_date,
             signer->scope.region, signer->scope.service);
    snprintf(to_sign, sizeof to_sign, "%s\n%s\n%s\n%s", algorithm, request->time, scope,
             hex);
    mac(signature, signer->key, MAC_BYTES, to_sign);
    sodium_bin2hex(hex, sizeof hex, signature, sizeof signature);
    return write_authorization(signer, sorted, request->header_count, scope, hex, out,
                               err);
}

const char *sigv4_time(char out[SIGV4_TIME_SIZE], uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(out, SIGV4_TIME_SIZE, "%Y%m%dT%H%M%SZ", &utc);
    return out;
}
