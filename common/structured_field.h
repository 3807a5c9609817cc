/* SPDX-License-Identifier: MIT */
/*
 * structured_field -- reads HTTP structured fields: a dictionary, or one string.
 *
 * Strict: the whole value must be well formed, or nothing is. Parameters and inner
 * lists are checked and skipped.
 * Owner:   results point into the caller's text.
 * Threads: pure functions.
 * Source:  RFC 8941 (RFC 9651 adds dates and display strings, accepted here as items).
 */
#ifndef COMMON_STRUCTURED_FIELD_H
#define COMMON_STRUCTURED_FIELD_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>

enum structured_type {
    STRUCTURED_BYTES,  /* :base64: -- text is what stands between the colons */
    STRUCTURED_STRING, /* "..." -- text is what stands between the quotes, still escaped
                        */
    STRUCTURED_OTHER,  /* number, token, boolean, inner list, ... */
};

struct structured_member {
    const char *key; /* not NUL-terminated */
    size_t key_length;
    enum structured_type type;
    const char *text; /* not NUL-terminated */
    size_t length;
};

/* Called for each member in order; return false to stop early (the rest is still
 * checked). RFC 8941: a later member of the same key replaces the earlier. */
typedef bool structured_visit(void *context, const struct structured_member *member);

/* False when the value is not a well-formed dictionary; an empty value is (no members).
 */
bool structured_dictionary(const char *text, size_t n, structured_visit *visit,
                           void *context) MUST_CHECK;

/* One sf-string item, unescaped into out (NUL-terminated). False when malformed or
 * longer than size - 1. */
bool structured_string(const char *text, size_t n, char *out, size_t size) MUST_CHECK;

#endif
