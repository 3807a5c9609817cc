/* SPDX-License-Identifier: MIT */
/*
 * stream_config -- what the operator asked `blob-sender stream` to do.
 *
 * Validated as a whole by stream_config_parse, constant from then on.
 * Units:   bytes and milliseconds.
 * Owner:   texts point into argv, the environment or the struct itself: it must not be
 *          copied.
 */
#ifndef SENDER_STREAM_CONFIG_H
#define SENDER_STREAM_CONFIG_H

#include "common/status.h"
#include "sender/identity.h"

#include <stdbool.h>
#include <stdint.h>

enum stream_durability { STREAM_STRICT, STREAM_RELAXED };

enum { STREAM_SEED_SIZE = 33, STREAM_URL_SIZE = 1024 };

struct stream_config {
    const char *address, *url;
    uint64_t port;
    struct identity_config identity;
    uint64_t count; /* 0: until stopped */
    uint64_t workers;
    const char *spool_dir;
    uint64_t min_bytes, max_bytes;
    uint64_t min_gap_ms, max_gap_ms;
    uint64_t max_duration_ms; /* 0: none */
    bool keep;
    unsigned durability; /* enum stream_durability */
    const char *seed;    /* never NULL once parsed */
    uint64_t timeout_ms;
    uint64_t max_attempts;
    uint64_t drain_timeout_ms;
    uint64_t inject_percent;     /* 0: none */
    const char *metrics_address; /* NULL: none are served */
    const char *log_file;
    unsigned log_format, log_level;

    const char *unix_socket; /* where to connect instead of the URL's host; or NULL */
    const char *target;      /* where blobs go, for people */
    char random_seed[STREAM_SEED_SIZE];
    char base_url[STREAM_URL_SIZE];  /* without a slash at its end */
    char blobs_url[STREAM_URL_SIZE]; /* where blobs are posted */
    char health_url[STREAM_URL_SIZE];
};

/* As options_parse. libsodium must be initialised. */
enum status stream_config_parse(int argc, char **argv, struct stream_config *out,
                                struct error *err) MUST_CHECK;

#endif
