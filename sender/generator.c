/* SPDX-License-Identifier: MIT */
#include "sender/generator.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static const char kdf_context[crypto_kdf_CONTEXTBYTES] = "blobgen";

static uint64_t first_even(uint64_t min_bytes)
{
    return min_bytes + (min_bytes & 1);
}

bool generator_has_even_size(uint64_t min_bytes, uint64_t max_bytes)
{
    return min_bytes <= max_bytes && first_even(min_bytes) <= max_bytes;
}

void generator_key(uint8_t out[GENERATOR_KEY_BYTES], const char *seed)
{
    crypto_generichash(out, GENERATOR_KEY_BYTES, (const unsigned char *)seed,
                       strlen(seed), NULL, 0);
}

/* The bias of the remainder is below count / 2^64: nobody will live to see it. */
static uint64_t pick(uint64_t random, uint64_t count)
{
    return count == 0 ? random : random % count; /* 0: all of 2^64 */
}

void generator_describe(const struct generator_config *config, uint64_t index,
                        struct generator_blob *out)
{
    struct {
        uint8_t key[GENERATOR_KEY_BYTES];
        uint64_t size, gap;
    } random;
    uint64_t smallest = first_even(config->min_bytes);

    assert(generator_has_even_size(config->min_bytes, config->max_bytes));
    assert(config->min_gap_ms <= config->max_gap_ms);
    crypto_kdf_derive_from_key((unsigned char *)&random, sizeof random, index,
                               kdf_context, config->key);
    memcpy(out->key, random.key, sizeof out->key);
    out->bytes = smallest +
                 2 * pick(random.size, (config->max_bytes - smallest) / 2 + 1);
    out->gap_ms = config->min_gap_ms +
                  pick(random.gap, config->max_gap_ms - config->min_gap_ms + 1);
}

void generator_fill(const struct generator_blob *blob, uint64_t offset, void *into,
                    size_t n)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

    assert(offset % GENERATOR_ALIGNMENT == 0);
    memset(into, 0, n);
    crypto_stream_chacha20_xor_ic(into, into, n, nonce, offset / GENERATOR_ALIGNMENT,
                                  blob->key);
}
