/* SPDX-License-Identifier: MIT */
/*
 * utf8 -- tells UTF-8 from other bytes, strictly: no overlong forms, no surrogates,
 * nothing past U+10FFFF.
 *
 * Threads: pure functions.
 * Source:  RFC 3629.
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

enum { UTF8_MAX = 4 };

/* Bytes of the character text begins with, 1 to 4; 0 when it begins with none. */
size_t utf8_length(const char *text, size_t n);

/* The same when a terminal shows it and does nothing else; 0 for a control character,
 * also of the C1 set, and for one that turns the direction of the text around it. */
size_t utf8_printable_length(const char *text);

/* Copies text, cut to fit and NUL-terminated, with \xNN for each byte that is not of a
 * printable character. Returns the length. */
size_t utf8_show(char *out, size_t size, const char *text);

/* Writes a code point, or U+FFFD for a surrogate and anything past U+10FFFF. Returns
 * the bytes written. */
size_t utf8_encode(char out[UTF8_MAX], uint32_t code_point);

#endif
