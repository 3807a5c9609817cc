/* SPDX-License-Identifier: MIT */
/*
 * generator -- random blobs that can be had again.
 *
 * Blob number i of a seed always has the same size, contents and gap to the next one,
 * whatever came before it and however the threads ran.
 * Shape:   contents are a ChaCha20 key stream, read as int16 samples; sizes are even
 * and uniform in [min_bytes, max_bytes], gaps uniform in [min_gap_ms, max_gap_ms].
 * Threads: pure functions; libsodium must be initialised.
 */
#ifndef SENDER_GENERATOR_H
#define SENDER_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GENERATOR_KEY_BYTES = 32, GENERATOR_ALIGNMENT = 64 };

struct generator_config {
    uint8_t key[GENERATOR_KEY_BYTES];
    uint64_t min_bytes, max_bytes; /* an even number must lie between them */
    uint64_t min_gap_ms, max_gap_ms;
};

struct generator_blob {
    uint8_t key[GENERATOR_KEY_BYTES]; /* of the contents */
    uint64_t bytes;
    uint64_t gap_ms; /* to the next blob */
};

/* The key that a seed of any text stands for. */
void generator_key(uint8_t out[GENERATOR_KEY_BYTES], const char *seed);

/* Whether an even size lies in [min_bytes, max_bytes]. */
bool generator_has_even_size(uint64_t min_bytes, uint64_t max_bytes);

void generator_describe(const struct generator_config *config, uint64_t index,
                        struct generator_blob *out);

/* The n bytes from offset, which is a multiple of GENERATOR_ALIGNMENT. */
void generator_fill(const struct generator_blob *blob, uint64_t offset, void *into,
                    size_t n);

#endif
