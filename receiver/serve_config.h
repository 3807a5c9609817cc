/* SPDX-License-Identifier: MIT */
/*
 * serve_config -- what the operator asked `blob-receiver serve` to do.
 *
 * Validated as a whole by serve_config_parse, constant from then on.
 * Units:   bytes and milliseconds.
 * Owner:   texts point into argv or the environment.
 */
#ifndef RECEIVER_SERVE_CONFIG_H
#define RECEIVER_SERVE_CONFIG_H

#include "common/status.h"
#include "receiver/access.h"

#include <stdint.h>

struct serve_config {
    const char *address;
    uint64_t port;
    const char *directory;
    struct access_config access;
    unsigned digest;
    unsigned durability;
    uint64_t max_blob_bytes;
    uint64_t threads;
    uint64_t max_connections;
    uint64_t max_connections_per_ip;
    uint64_t idle_timeout_ms;
    uint64_t min_rate;
    uint64_t min_rate_window_ms;
    uint64_t max_header_bytes;
    uint64_t max_inflight_bytes;
    uint64_t min_free_bytes;
    uint64_t shutdown_timeout_ms;
    const char *log_file;
    unsigned log_format;
    unsigned log_level;
};

/* As options_parse. */
enum status serve_config_parse(int argc, char **argv, struct serve_config *out,
                               struct error *err) MUST_CHECK;

#endif
