/* SPDX-License-Identifier: MIT */
#include "common/sha256.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
    EVP_MD *algorithm; /* fetched once: a lookup by name for every digest is dear */
    EVP_MD_CTX *context;
    bool failed; /* since start; sha256_finish tells */
};

const char sha256_implementation[] = "openssl";

/* The caller may have no use for OpenSSL's own queue: leave nothing in it. */
static enum status library_error(struct error *err, const char *what)
{
    char text[128];
    unsigned long code = ERR_get_error();

    ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return error_set(err, ST_SYSTEM, "%s: %s", what,
                     code != 0 ? text : "libcrypto gave no reason");
}

enum status sha256_create(struct sha256 **out, struct error *err)
{
    enum status st = ST_OK;
    struct sha256 *sha = calloc(1, sizeof(*sha));

    if (sha == NULL)
        return error_sys(err, ENOMEM, "create a SHA-256 state");
    sha->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    sha->context = EVP_MD_CTX_new();
    if (sha->algorithm == NULL || sha->context == NULL) {
        st = library_error(err, "SHA-256 is not available");
        goto out;
    }
    sha256_start(sha);
    *out = sha;
    sha = NULL;
out:
    sha256_destroy(&sha);
    return st;
}

void sha256_destroy(struct sha256 **sha)
{
    if (*sha == NULL)
        return;
    EVP_MD_CTX_free((*sha)->context);
    EVP_MD_free((*sha)->algorithm);
    free(*sha);
    *sha = NULL;
}

void sha256_start(struct sha256 *sha)
{
    sha->failed = EVP_DigestInit_ex2(sha->context, sha->algorithm, NULL) != 1;
}

void sha256_update(struct sha256 *sha, const void *bytes, size_t n)
{
    if (!sha->failed && EVP_DigestUpdate(sha->context, bytes, n) != 1)
        sha->failed = true;
}

enum status sha256_finish(struct sha256 *sha, struct sha256_digest *out,
                          struct error *err)
{
    struct sha256_digest digest;
    unsigned length = 0;

    if (sha->failed || EVP_DigestFinal_ex(sha->context, digest.bytes, &length) != 1)
        return library_error(err, "SHA-256 failed");
    assert(length == SHA256_BYTES);
    *out = digest;
    return ST_OK;
}
