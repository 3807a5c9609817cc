/* SPDX-License-Identifier: MIT */
/*
 * upload_config -- what the operator asked `blob-sender upload` to do.
 *
 * Validated as a whole by upload_config_parse, constant from then on.
 * Units:   bytes and milliseconds.
 * Owner:   texts point into argv, the environment or the struct itself: it must not be
 *          copied.
 */
#ifndef SENDER_UPLOAD_UPLOAD_CONFIG_H
#define SENDER_UPLOAD_UPLOAD_CONFIG_H

#include "common/object/object_store.h"
#include "common/options.h"
#include "common/status.h"
#include "sender/upload/courtesy.h"

#include <stdbool.h>
#include <stdint.h>

enum upload_sync { SYNC_OFF, SYNC_TIME, SYNC_DIGEST };

enum { UPLOAD_JOBS_MAX = 512 };

struct upload_config {
    const char *root;
    struct object_location where;

    const char *endpoint_url, *region, *profile, *ca_file;
    unsigned addressing; /* enum object_addressing */
    bool allow_public;

    const char *jobs_text; /* "auto" or a number */
    unsigned jobs;         /* 0: auto */
    uint64_t multipart_threshold;
    const char *part_size_text; /* "auto" or a size */
    uint64_t part_bytes;        /* 0: auto */
    uint64_t max_memory;
    uint64_t bandwidth; /* bytes per second, 0: no limit */
    unsigned nice;      /* enum courtesy */

    unsigned sync; /* enum upload_sync */
    bool dry_run, follow, owner, abort_incomplete;
    struct option_list includes, excludes;

    uint64_t max_attempts;
    uint64_t stall_ms;
    uint64_t drain_timeout_ms;
    const char *manifest;
    bool json;
    const char *log_file;
    unsigned log_format, log_level;
};

/* As options_parse. */
enum status upload_config_parse(int argc, char **argv, struct upload_config *out,
                                struct error *err) MUST_CHECK;

#endif
