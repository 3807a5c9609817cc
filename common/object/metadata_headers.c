/* SPDX-License-Identifier: MIT */
#include "common/object/metadata_headers.h"

#include "common/units.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void metadata_headers_add(struct metadata_headers *headers, const char *name,
                          const char *value)
{
    assert(headers->count < METADATA_HEADERS_MAX);
    headers->list[headers->count++] = (struct exchange_header){name, value};
}

void metadata_headers_write(struct metadata_headers *out,
                            const struct metadata_dialect *dialect,
                            const struct object_description *description)
{
    out->count = 0;
    if (description->has_modified)
        metadata_headers_add(
            out, dialect->modified,
            dialect->format_time(out->modified, description->modified));
    if (description->has_mode)
        metadata_headers_add(out, dialect->mode,
                             metadata_format_mode(out->mode, description->mode));
    if (description->has_owner) {
        snprintf(out->uid, sizeof out->uid, "%u", (unsigned)description->uid);
        snprintf(out->gid, sizeof out->gid, "%u", (unsigned)description->gid);
        metadata_headers_add(out, dialect->uid, out->uid);
        metadata_headers_add(out, dialect->gid, out->gid);
    }
    if (description->has_digest)
        metadata_headers_add(out, dialect->digest,
                             sha256_to_hex(out->digest, &description->digest));
}

void metadata_headers_read(struct object_description *out,
                           const struct metadata_dialect *dialect,
                           struct exchange *exchange)
{
    char text[128];

    *out = (struct object_description){.size = 0};
    if (exchange_response_header(exchange, "Content-Length", text, sizeof text) &&
        !units_parse_count(text, &out->size))
        out->size = 0;
    if (exchange_response_header(exchange, dialect->modified, text, sizeof text))
        out->has_modified = dialect->parse_time(text, &out->modified);
    if (exchange_response_header(exchange, dialect->mode, text, sizeof text))
        out->has_mode = metadata_parse_mode(text, &out->mode);
    if (exchange_response_header(exchange, dialect->uid, text, sizeof text) &&
        metadata_parse_id(text, &out->uid) &&
        exchange_response_header(exchange, dialect->gid, text, sizeof text))
        out->has_owner = metadata_parse_id(text, &out->gid);
    if (exchange_response_header(exchange, dialect->digest, text, sizeof text))
        out->has_digest = sha256_from_hex(text, strlen(text), &out->digest);
}
