/* SPDX-License-Identifier: MIT */
/*
 * metadata_headers -- what is known of an object, as headers of a request or an answer.
 *
 * A provider says how it calls them in a `metadata_dialect`.
 *
 * Owner:   the headers point into the struct: it must neither move nor go before them.
 * Threads: pure functions.
 */
#ifndef COMMON_OBJECT_METADATA_HEADERS_H
#define COMMON_OBJECT_METADATA_HEADERS_H

#include "common/exchange.h"
#include "common/object/metadata.h"
#include "common/object/object_store.h"

enum { METADATA_HEADERS_MAX = 8 };

struct metadata_dialect {
    const char *modified, *mode, *uid, *gid, *digest; /* names of headers */
    const char *(*format_time)(char out[METADATA_TIME_SIZE], struct timespec time);
    bool (*parse_time)(const char *text, struct timespec *out);
};

struct metadata_headers {
    struct exchange_header list[METADATA_HEADERS_MAX];
    size_t count;
    char modified[METADATA_TIME_SIZE], mode[METADATA_MODE_SIZE], uid[16], gid[16];
    char digest[SHA256_HEX_SIZE];
};

void metadata_headers_write(struct metadata_headers *out,
                            const struct metadata_dialect *dialect,
                            const struct object_description *description);

/* One more, which is not the object's; name and value are not copied. */
void metadata_headers_add(struct metadata_headers *headers, const char *name,
                          const char *value);

/* From the last answer, to a request for the object itself. What is not there, or makes
 * no sense, is not known. */
void metadata_headers_read(struct object_description *out,
                           const struct metadata_dialect *dialect,
                           struct exchange *exchange);

#endif
