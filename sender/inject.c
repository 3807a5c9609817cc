/* SPDX-License-Identifier: MIT */
#include "sender/inject.h"

#include <sodium.h>
#include <string.h>

static const char kdf_context[crypto_kdf_CONTEXTBYTES] = "blobbad";

struct injection inject_decide(const struct inject_config *config, uint64_t ordinal,
                               unsigned attempt, uint64_t bytes)
{
    uint8_t key[crypto_stream_chacha20_KEYBYTES];
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
    struct {
        uint64_t chance, offset, mask;
    } random;

    if (config->percent == 0 || bytes == 0)
        return (struct injection){.active = false};
    crypto_kdf_derive_from_key(key, sizeof key, ordinal, kdf_context, config->key);
    memcpy(nonce, &attempt, sizeof attempt);
    crypto_stream_chacha20((unsigned char *)&random, sizeof random, nonce, key);
    return (struct injection){
        .active = random.chance % 100 < config->percent,
        .offset = random.offset % bytes,
        .mask = (uint8_t)(1 + random.mask % 255),
    };
}

void inject_apply(const struct injection *injection, uint64_t offset, void *bytes,
                  size_t n)
{
    if (injection->active && injection->offset >= offset &&
        injection->offset - offset < n)
        ((uint8_t *)bytes)[injection->offset - offset] ^= injection->mask;
}
