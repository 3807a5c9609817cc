/* SPDX-License-Identifier: MIT */
/*
 * json -- writes JSON into a fixed buffer, and reads one string out of a small object.
 *
 * Writing: members and elements are separated by the writer; text that is not UTF-8 has
 * its bad bytes replaced by U+FFFD. When the buffer is full the writer is `overflow`ed
 * and its text unusable; nothing is written past the end.
 * Threads: a writer belongs to one thread.
 * Source:  RFC 8259.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    char *text; /* NUL-terminated at all times */
    size_t size, length;
    bool overflow, comma;
};

void json_init(struct json *json, char *buffer, size_t size);
void json_open(struct json *json, const char *key,
               char bracket);                     /* '{' or '['; key NULL in
                                                     arrays and at the top */
void json_close(struct json *json, char bracket); /* '}' or ']' */
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, int64_t value);
void json_boolean(struct json *json, const char *key, bool value);

/* The string member `key` of the object in text, unescaped into out (NUL-terminated,
 * cut at a character to fit). False when text is not a JSON object or has no such
 * string. Of several members of that name the last counts. What a C string cannot hold
 * (\u0000, half a surrogate pair, bad UTF-8) is read as U+FFFD. Nesting deeper than 32
 * is refused. */
bool json_find_string(const char *text, size_t n, const char *key, char *out,
                      size_t size) MUST_CHECK;

#endif
