/* SPDX-License-Identifier: MIT */
#include "receiver/census.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, KEY_BYTES = 8, MAPPED_PREFIX = 12 };

struct peer {
    struct peer *next;
    unsigned connections;
    uint8_t key[1 + KEY_BYTES]; /* family: 4 or 6, then the address */
};

struct census {
    struct census_config config; /* set once: read freely */
    uint8_t secret[crypto_shorthash_KEYBYTES];
    atomic_uint connections;
    struct {
        pthread_mutex_t lock; /* guards everything in here */
        struct peer *bucket[BUCKETS];
    } shared;
};

enum status census_create(struct census **out, const struct census_config *config,
                          struct error *err)
{
    struct census *census = calloc(1, sizeof(*census));

    if (!census)
        return error_sys(err, ENOMEM, "count connections");
    census->config = *config;
    crypto_shorthash_keygen(census->secret);
    pthread_mutex_init(&census->shared.lock, NULL);
    *out = census;
    return ST_OK;
}

void census_destroy(struct census **census)
{
    if (!*census)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct peer *next;

        for (struct peer *peer = (*census)->shared.bucket[i]; peer; peer = next) {
            next = peer->next;
            free(peer);
        }
    }
    pthread_mutex_destroy(&(*census)->shared.lock);
    free(*census);
    *census = NULL;
}

/* False for a local peer. */
static bool key_of(uint8_t key[1 + KEY_BYTES], const struct sockaddr *address)
{
    const struct sockaddr_in6 *in6 = (const void *)address;
    const struct sockaddr_in *in = (const void *)address;

    memset(key, 0, 1 + KEY_BYTES);
    if (!address)
        return false;
    if (address->sa_family == AF_INET) {
        key[0] = 4;
        memcpy(key + 1, &in->sin_addr, sizeof(in->sin_addr));
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        key[0] = 4;
        memcpy(key + 1, in6->sin6_addr.s6_addr + MAPPED_PREFIX, sizeof(in->sin_addr));
        return true;
    }
    key[0] = 6;
    memcpy(key + 1, in6->sin6_addr.s6_addr, KEY_BYTES);
    return true;
}

/* Where the peer hangs, or where it would. A keyed hash, since a peer chooses its /64s
 * out of many. */
static struct peer **find_locked(struct census *census,
                                 const uint8_t key[1 + KEY_BYTES])
{
    uint8_t hash[crypto_shorthash_BYTES];
    struct peer **at;
    uint64_t number;

    crypto_shorthash(hash, key, 1 + KEY_BYTES, census->secret);
    memcpy(&number, hash, sizeof(number));
    at = &census->shared.bucket[number % BUCKETS];
    while (*at && memcmp((*at)->key, key, 1 + KEY_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

static bool enter_peer(struct census *census, const uint8_t key[1 + KEY_BYTES])
{
    struct peer **at;
    bool welcome = false;

    pthread_mutex_lock(&census->shared.lock);
    at = find_locked(census, key);
    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (*at)
            memcpy((*at)->key, key, 1 + KEY_BYTES);
    }
    if (*at && (*at)->connections < census->config.max_per_peer) {
        (*at)->connections++;
        welcome = true;
    }
    pthread_mutex_unlock(&census->shared.lock);
    return welcome;
}

static void leave_peer(struct census *census, const uint8_t key[1 + KEY_BYTES])
{
    struct peer **at, *gone = NULL;

    pthread_mutex_lock(&census->shared.lock);
    at = find_locked(census, key);
    if (*at && --(*at)->connections == 0) {
        gone = *at;
        *at = gone->next;
    }
    pthread_mutex_unlock(&census->shared.lock);
    free(gone);
}

enum census_verdict census_enter(struct census *census, const struct sockaddr *peer)
{
    uint8_t key[1 + KEY_BYTES];

    if (atomic_fetch_add(&census->connections, 1) >= census->config.max) {
        atomic_fetch_sub(&census->connections, 1);
        return CENSUS_FULL;
    }
    if (census->config.max_per_peer > 0 && key_of(key, peer) &&
        !enter_peer(census, key)) {
        atomic_fetch_sub(&census->connections, 1);
        return CENSUS_PEER_FULL;
    }
    return CENSUS_WELCOME;
}

void census_leave(struct census *census, const struct sockaddr *peer)
{
    uint8_t key[1 + KEY_BYTES];

    if (census->config.max_per_peer > 0 && key_of(key, peer))
        leave_peer(census, key);
    atomic_fetch_sub(&census->connections, 1);
}

unsigned census_count(const struct census *census)
{
    return atomic_load(&census->connections);
}
