/* SPDX-License-Identifier: MIT */
/*
 * inject -- damages copies on purpose, to show that the damage is noticed.
 *
 * Whether an attempt is damaged, and how, depends only on the key, the blob's ordinal
 * and the attempt, so a run with the same seed is damaged in the same places.
 * Shape:   one byte at a random offset, XORed with a random mask that is not zero.
 * Threads: pure functions; libsodium must be initialised.
 */
#ifndef SENDER_INJECT_H
#define SENDER_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INJECT_KEY_BYTES = 32 };

struct inject_config {
    uint8_t key[INJECT_KEY_BYTES];
    unsigned percent; /* of attempts; 0: never */
};

struct injection {
    bool active;
    uint64_t offset; /* when active */
    uint8_t mask;    /* when active */
};

struct injection inject_decide(const struct inject_config *config, uint64_t ordinal,
                               unsigned attempt, uint64_t bytes);

/* Damages the byte if it lies in the n bytes that begin at offset. */
void inject_apply(const struct injection *injection, uint64_t offset, void *bytes,
                  size_t n);

#endif
