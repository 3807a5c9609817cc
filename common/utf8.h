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

/* Writes a code point, or U+FFFD for a surrogate and anything past U+10FFFF. Returns
 * the bytes written. */
size_t utf8_encode(char out[UTF8_MAX], uint32_t code_point);

#endif
