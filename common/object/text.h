/* SPDX-License-Identifier: MIT */
/*
 * text -- builds a text in a buffer of the caller.
 *
 * What no longer fits sets `overflow` and is dropped whole; the text so far stays
 * NUL-terminated. So a whole URL is built first and checked once.
 *
 * Threads: a text belongs to one thread; text_decode is pure.
 * Source:  the encoding is RFC 3986's, as "URI encode" of AWS Signature Version 4.
 */
#ifndef COMMON_OBJECT_TEXT_H
#define COMMON_OBJECT_TEXT_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *start;
    size_t size, length;
    bool overflow;
};

void text_init(struct text *text, char *buffer, size_t size);
void text_add(struct text *text, const char *part);
void text_format(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

enum text_percent { TEXT_PATH /* '/' stays */, TEXT_WORD /* nothing reserved stays */ };

/* Adds part percent-encoded, in upper-case hex; unreserved characters stay. */
void text_percent(struct text *text, const char *part, enum text_percent mode);

/* Undoes any percent-encoding, as of forms: a plus is a space, as S3 has it in lists.
 * False when that is not possible, does not fit or makes a NUL. */
bool text_decode(char *out, size_t size, const char *encoded) MUST_CHECK;

#endif
