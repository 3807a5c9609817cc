/* SPDX-License-Identifier: MIT */
/* config -- the options of `blob-receiver fetch`, once parsed and checked: const. */
#ifndef RECEIVER_FETCH_CONFIG_H
#define RECEIVER_FETCH_CONFIG_H

#include "common/options.h"
#include "receiver/fetch/transfer.h"

enum fetch_durability { FETCH_STRICT, FETCH_RELAXED };

struct fetch_config {
    const char *output, *dir, *input, *checksum, *token_file, *ca_file;
    struct option_list headers;
    uint64_t count, limit_rate, max_tries, least_bytes, stall_ms, connect_timeout_ms;
    unsigned durability; /* enum fetch_durability */
    bool netrc, sidecar, keep_bad, no_clobber, remote_time, json, quiet;

    /* Made of the above. */
    struct offer wanted; /* --checksum; OFFER_NONE without */
    struct exchange_header request_headers[TRANSFER_HEADERS_MAX];
    size_t request_header_count;
    char header_text[16 * 1024]; /* what request_headers point into */
};

/* ST_END: --help or --version was shown. ST_INVALID: usage. *operand: as
 * options_parse. */
enum status config_parse(struct fetch_config *config, int argc, char **argv,
                         int *operand, struct error *err) MUST_CHECK;

#endif
