/* SPDX-License-Identifier: MIT */
#include "common/object/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_init(struct text *text, char *buffer, size_t size)
{
    *text = (struct text){.start = buffer, .size = size};
    buffer[0] = '\0';
}

static void add_bytes(struct text *text, const char *bytes, size_t n)
{
    if (text->overflow || n >= text->size - text->length) {
        text->overflow = true;
        return;
    }
    memcpy(text->start + text->length, bytes, n);
    text->length += n;
    text->start[text->length] = '\0';
}

void text_add(struct text *text, const char *part)
{
    add_bytes(text, part, strlen(part));
}

void text_format(struct text *text, const char *format, ...)
{
    size_t room = text->size - text->length;
    va_list arguments;
    int n;

    if (text->overflow)
        return;
    va_start(arguments, format);
    n = vsnprintf(text->start + text->length, room, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= room) {
        text->start[text->length] = '\0';
        text->overflow = true;
        return;
    }
    text->length += (size_t)n;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void text_percent(struct text *text, const char *part, enum text_percent mode)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t start = text->length;

    for (; *part; part++) {
        unsigned char c = (unsigned char)*part;
        char encoded[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (is_unreserved(c) || (c == '/' && mode == TEXT_PATH))
            add_bytes(text, part, 1);
        else
            add_bytes(text, encoded, sizeof encoded);
    }
    if (text->overflow) {
        text->length = start;
        text->start[start] = '\0';
    }
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 'a' ^ 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_decode(char *out, size_t size, const char *encoded)
{
    size_t n = 0;

    for (; *encoded && n < size; encoded++) {
        char c = *encoded == '+' ? ' ' : *encoded;

        if (c == '%') {
            int high = digit(encoded[1]), low = high < 0 ? -1 : digit(encoded[2]);

            if (low < 0 || high + low == 0)
                return false;
            c = (char)(high << 4 | low);
            encoded += 2;
        }
        out[n++] = c;
    }
    if (n >= size)
        return false;
    out[n] = '\0';
    return true;
}
