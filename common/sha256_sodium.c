/* SPDX-License-Identifier: MIT */
#include "common/sha256.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

struct sha256 {
    crypto_hash_sha256_state state;
};

const char sha256_implementation[] = "sodium";

enum status sha256_create(struct sha256 **out, struct error *err)
{
    struct sha256 *sha;

    if (sodium_init() < 0)
        return error_set(err, ST_SYSTEM, "libsodium cannot start");
    sha = malloc(sizeof(*sha));
    if (sha == NULL)
        return error_sys(err, ENOMEM, "create a SHA-256 state");
    sha256_start(sha);
    *out = sha;
    return ST_OK;
}

void sha256_destroy(struct sha256 **sha)
{
    free(*sha);
    *sha = NULL;
}

void sha256_start(struct sha256 *sha)
{
    crypto_hash_sha256_init(&sha->state);
}

void sha256_update(struct sha256 *sha, const void *bytes, size_t n)
{
    crypto_hash_sha256_update(&sha->state, bytes, n);
}

enum status sha256_finish(struct sha256 *sha, struct sha256_digest *out,
                          struct error *err)
{
    if (crypto_hash_sha256_final(&sha->state, out->bytes) != 0)
        return error_set(err, ST_SYSTEM, "SHA-256 failed");
    return ST_OK;
}
