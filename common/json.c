/* SPDX-License-Identifier: MIT */
#include "common/json.h"

#include "common/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Writing. */

static void put(struct json *json, const char *text, size_t n)
{
    if (json->overflow || n > json->size - 1 - json->length) {
        json->overflow = true;
        return;
    }
    memcpy(json->text + json->length, text, n);
    json->length += n;
    json->text[json->length] = '\0';
}

static void put_escaped(struct json *json, char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    char text[8];

    if (found != NULL)
        snprintf(text, sizeof(text), "\\%c", letter[found - plain]);
    else
        snprintf(text, sizeof(text), "\\u%04x", (unsigned char)c);
    put(json, text, strlen(text));
}

static void put_quoted(struct json *json, const char *value)
{
    size_t n = strlen(value);

    put(json, "\"", 1);
    while (n > 0 && !json->overflow) {
        size_t length = utf8_length(value, n);

        if (length == 0) {
            put(json, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
            length = 1;
        } else if ((unsigned char)*value < 0x20 || *value == 0x7F || *value == '"' ||
                   *value == '\\') {
            put_escaped(json, *value);
        } else {
            put(json, value, length);
        }
        value += length;
        n -= length;
    }
    put(json, "\"", 1);
}

static void begin_value(struct json *json, const char *key)
{
    if (json->comma)
        put(json, ",", 1);
    if (key != NULL) {
        put_quoted(json, key);
        put(json, ":", 1);
    }
    json->comma = true;
}

void json_init(struct json *json, char *buffer, size_t size)
{
    assert(size > 0);
    *json = (struct json){.text = buffer, .size = size};
    buffer[0] = '\0';
}

void json_open(struct json *json, const char *key, char bracket)
{
    begin_value(json, key);
    put(json, &bracket, 1);
    json->comma = false;
}

void json_close(struct json *json, char bracket)
{
    put(json, &bracket, 1);
    json->comma = true;
}

void json_string(struct json *json, const char *key, const char *value)
{
    begin_value(json, key);
    put_quoted(json, value);
}

void json_number(struct json *json, const char *key, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, value);

    begin_value(json, key);
    put(json, text, (size_t)n);
}

void json_boolean(struct json *json, const char *key, bool value)
{
    begin_value(json, key);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

/*
 * Reading: one function per production of RFC 8259. Each takes what it recognises from
 * the front of the input, and returns false when that is malformed.
 */

enum { DEPTH_MAX = 32 };

struct input {
    const char *at, *end;
};

static bool take(struct input *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool take_word(struct input *in, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(in->end - in->at) < n || memcmp(in->at, word, n) != 0)
        return false;
    in->at += n;
    return true;
}

static void skip_blanks(struct input *in)
{
    while (take(in, ' ') || take(in, '\t') || take(in, '\n') || take(in, '\r'))
        ;
}

static bool take_digits(struct input *in)
{
    const char *start = in->at;

    while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
        in->at++;
    return in->at > start;
}

static bool take_number(struct input *in)
{
    take(in, '-');
    if (!take(in, '0') && !take_digits(in))
        return false;
    if (take(in, '.') && !take_digits(in))
        return false;
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+'))
            take(in, '-');
        return take_digits(in);
    }
    return true;
}

static bool take_hex4(struct input *in, uint32_t *value)
{
    static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
    const char *digit;

    *value = 0;
    for (int i = 0; i < 4; i++) {
        if (in->at == in->end || *in->at == '\0' ||
            (digit = strchr(digits, *in->at)) == NULL)
            return false;
        *value = *value << 4 | (uint32_t)((digit - digits) / 2);
        in->at++;
    }
    return true;
}

/* After "\u". A surrogate without its other half is left to utf8_encode to replace. */
static bool take_unicode_escape(struct input *in, uint32_t *code_point)
{
    struct input ahead;
    uint32_t low;

    if (!take_hex4(in, code_point))
        return false;
    if (*code_point < 0xD800 || *code_point > 0xDBFF)
        return true;
    ahead = *in;
    if (take_word(&ahead, "\\u") && take_hex4(&ahead, &low) && low >= 0xDC00 &&
        low <= 0xDFFF) {
        *code_point = 0x10000 + ((*code_point - 0xD800) << 10) + (low - 0xDC00);
        *in = ahead;
    }
    return true;
}

/* After the backslash. */
static bool take_escape(struct input *in, uint32_t *code_point)
{
    static const char letter[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (take(in, 'u')) {
        if (!take_unicode_escape(in, code_point))
            return false;
        if (*code_point == 0) /* would end the string it is read into */
            *code_point = 0xFFFD;
        return true;
    }
    if (in->at == in->end || *in->at == '\0' ||
        (found = strchr(letter, *in->at)) == NULL)
        return false;
    in->at++;
    *code_point = (unsigned char)plain[found - letter];
    return true;
}

/* One character inside of a string, as UTF-8. False: malformed, or input has ended. */
static bool take_character(struct input *in, char out[UTF8_MAX], size_t *length)
{
    uint32_t code_point;

    if (in->at == in->end || (unsigned char)*in->at < 0x20)
        return false;
    if (take(in, '\\')) {
        if (!take_escape(in, &code_point))
            return false;
        *length = utf8_encode(out, code_point);
        return true;
    }
    *length = utf8_length(in->at, (size_t)(in->end - in->at));
    if (*length == 0) {
        in->at++;
        *length = utf8_encode(out, 0xFFFD);
        return true;
    }
    memcpy(out, in->at, *length);
    in->at += *length;
    return true;
}

/* *content is what stands between the quotes. */
static bool take_string(struct input *in, struct input *content)
{
    char character[UTF8_MAX];
    size_t length;

    if (!take(in, '"'))
        return false;
    content->at = in->at;
    while (!take(in, '"'))
        if (!take_character(in, character, &length))
            return false;
    content->end = in->at - 1;
    return true;
}

struct wanted { /* what to look for among the members of the outermost object */
    const char *key;
    struct input content;
    bool found; /* the last member of that name decides */
};

static bool content_equals(struct input content, const char *key)
{
    char character[UTF8_MAX];
    size_t length;

    while (take_character(&content, character, &length)) {
        if (strncmp(character, key, length) != 0)
            return false;
        key += length;
    }
    return *key == '\0';
}

static bool take_value(struct input *in, int depth);

/* wanted: NULL in nested objects. */
static bool take_member(struct input *in, int depth, struct wanted *wanted)
{
    struct input key, start;

    skip_blanks(in);
    if (!take_string(in, &key))
        return false;
    skip_blanks(in);
    if (!take(in, ':'))
        return false;
    skip_blanks(in);
    start = *in;
    if (!take_value(in, depth))
        return false;
    if (wanted != NULL && content_equals(key, wanted->key))
        wanted->found = take_string(&start, &wanted->content);
    skip_blanks(in);
    return true;
}

static bool take_object(struct input *in, int depth, struct wanted *wanted)
{
    if (depth > DEPTH_MAX || !take(in, '{'))
        return false;
    skip_blanks(in);
    if (take(in, '}'))
        return true;
    do {
        if (!take_member(in, depth, wanted))
            return false;
    } while (take(in, ','));
    return take(in, '}');
}

static bool take_array(struct input *in, int depth)
{
    if (depth > DEPTH_MAX || !take(in, '['))
        return false;
    skip_blanks(in);
    if (take(in, ']'))
        return true;
    do {
        skip_blanks(in);
        if (!take_value(in, depth))
            return false;
        skip_blanks(in);
    } while (take(in, ','));
    return take(in, ']');
}

/* depth: of what the value stands in; recursion ends at DEPTH_MAX. */
static bool take_value(struct input *in, int depth)
{
    struct input ignored;

    switch (in->at < in->end ? *in->at : '\0') {
    case '{':
        return take_object(in, depth + 1, NULL);
    case '[':
        return take_array(in, depth + 1);
    case '"':
        return take_string(in, &ignored);
    case 't':
        return take_word(in, "true");
    case 'f':
        return take_word(in, "false");
    case 'n':
        return take_word(in, "null");
    default:
        return take_number(in);
    }
}

static void copy_cut(struct input content, char *out, size_t size)
{
    char character[UTF8_MAX];
    size_t used = 0, length;

    while (take_character(&content, character, &length) && length < size - used) {
        memcpy(out + used, character, length);
        used += length;
    }
    out[used] = '\0';
}

bool json_find_string(const char *text, size_t n, const char *key, char *out,
                      size_t size)
{
    struct input in = {text, text + n};
    struct wanted wanted = {.key = key};

    assert(size > 0);
    skip_blanks(&in);
    if (!take_object(&in, 1, &wanted))
        return false;
    skip_blanks(&in);
    if (in.at != in.end || !wanted.found)
        return false;
    copy_cut(wanted.content, out, size);
    return true;
}
