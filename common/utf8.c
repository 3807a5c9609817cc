/* SPDX-License-Identifier: MIT */
#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

static size_t length_of_lead(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF) /* C0 and C1 only begin overlong forms */
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    if (lead >= 0xF0 && lead <= 0xF4)
        return 4;
    return 0;
}

/* The second byte decides what is overlong, a surrogate or past U+10FFFF. */
static int second_is_valid(uint8_t lead, uint8_t second)
{
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;

    return second >= low && second <= high;
}

size_t utf8_length(const char *text, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t length = n > 0 ? length_of_lead(bytes[0]) : 0;

    if (length > n)
        return 0;
    if (length > 1 && !second_is_valid(bytes[0], bytes[1]))
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* Unicode's Bidi_Control, and the separators of lines and paragraphs. */
static int turns_text(const uint8_t *c, size_t length)
{
    if (length == 2)
        return c[0] == 0xD8 && c[1] == 0x9C;
    if (length != 3 || c[0] != 0xE2)
        return 0;
    if (c[1] == 0x80)
        return c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAE);
    return c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9;
}

size_t utf8_printable_length(const char *text)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t length = utf8_length(text, strnlen(text, UTF8_MAX));
    int control = length == 1 ? bytes[0] < 0x20 || bytes[0] == 0x7F
                              : bytes[0] == 0xC2 && bytes[1] < 0xA0;

    return length == 0 || control || turns_text(bytes, length) ? 0 : length;
}

size_t utf8_show(char *out, size_t size, const char *text)
{
    size_t length = 0;

    while (*text != '\0') {
        size_t n = utf8_printable_length(text), needed = n > 0 ? n : strlen("\\xNN");

        if (length + needed >= size)
            break;
        if (n > 0)
            memcpy(out + length, text, n);
        else
            snprintf(out + length, size - length, "\\x%02x", (uint8_t)*text);
        length += needed;
        text += n > 0 ? n : 1;
    }
    out[length] = '\0';
    return length;
}

size_t utf8_encode(char out[UTF8_MAX], uint32_t code_point)
{
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length;

    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
        code_point = 0xFFFD;
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(lead[length] | code_point);
    return length;
}
