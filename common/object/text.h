/* SPDX-License-Identifier: MIT */
/*
 * text -- builds a text in a buffer of the caller.
 *
 * What no longer fits sets `overflow` and is dropped whole; the text so far stays
 * NUL-terminated. So a whole URL is built first and checked once.
 *
 * Threads: a text belongs to one thread.
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

#endif
