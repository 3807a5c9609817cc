/* SPDX-License-Identifier: MIT */
#include "common/sha256.h"

#include <sodium.h>
#include <string.h>

const char *sha256_to_hex(char out[SHA256_HEX_SIZE], const struct sha256_digest *digest)
{
    return sodium_bin2hex(out, SHA256_HEX_SIZE, digest->bytes, SHA256_BYTES);
}

const char *sha256_to_base64(char out[SHA256_BASE64_SIZE],
                             const struct sha256_digest *digest)
{
    return sodium_bin2base64(out, SHA256_BASE64_SIZE, digest->bytes, SHA256_BYTES,
                             sodium_base64_VARIANT_ORIGINAL);
}

bool sha256_from_hex(const char *text, size_t n, struct sha256_digest *out)
{
    struct sha256_digest digest;
    size_t length;

    if (n != SHA256_HEX_SIZE - 1 ||
        sodium_hex2bin(digest.bytes, SHA256_BYTES, text, n, NULL, &length, NULL) != 0 ||
        length != SHA256_BYTES)
        return false;
    *out = digest;
    return true;
}

bool sha256_equal(const struct sha256_digest *a, const struct sha256_digest *b)
{
    return memcmp(a->bytes, b->bytes, SHA256_BYTES) == 0;
}
