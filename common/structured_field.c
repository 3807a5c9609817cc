/* SPDX-License-Identifier: MIT */
#include "common/structured_field.h"

#include "common/utf8.h"

#include <string.h>

/*
 * One function per production of RFC 8941, section 4.2. Each takes what it recognises
 * from the front of the input, and returns false when that is malformed.
 */
struct input {
    const char *at, *end;
};

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_printable(char c)
{
    return c >= 0x20 && c <= 0x7E;
}

/* The next character, NUL at the end; no production accepts a NUL. */
static char peek(const struct input *in)
{
    if (in->at == in->end)
        return '\0';
    return *in->at;
}

static bool take(struct input *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static void skip(struct input *in, const char *set)
{
    while (is_in(peek(in), set))
        in->at++;
}

static size_t skip_digits(struct input *in)
{
    const char *start = in->at;

    while (is_digit(peek(in)))
        in->at++;
    return (size_t)(in->at - start);
}

static bool take_key(struct input *in)
{
    if (!is_lower(peek(in)) && peek(in) != '*')
        return false;
    while (is_lower(peek(in)) || is_digit(peek(in)) || is_in(peek(in), "_-.*"))
        in->at++;
    return true;
}

static bool take_number(struct input *in, bool *is_integer)
{
    size_t whole, fraction;

    take(in, '-');
    whole = skip_digits(in);
    *is_integer = !take(in, '.');
    if (*is_integer)
        return whole >= 1 && whole <= 15;
    fraction = skip_digits(in);
    return whole >= 1 && whole <= 12 && fraction >= 1 && fraction <= 3;
}

static bool take_string(struct input *in)
{
    if (!take(in, '"'))
        return false;
    while (!take(in, '"')) {
        if (take(in, '\\') ? !is_in(peek(in), "\"\\") : !is_printable(peek(in)))
            return false;
        in->at++;
    }
    return true;
}

static bool take_token(struct input *in)
{
    while (is_alpha(peek(in)) || is_digit(peek(in)) ||
           is_in(peek(in), "!#$%&'*+-.^_`|~:/"))
        in->at++;
    return true;
}

/* Padding may be missing altogether, but not in part. */
static bool take_bytes(struct input *in)
{
    const char *start;
    size_t digits, padding;

    if (!take(in, ':'))
        return false;
    start = in->at;
    while (is_alpha(peek(in)) || is_digit(peek(in)) || is_in(peek(in), "+/"))
        in->at++;
    digits = (size_t)(in->at - start);
    start = in->at;
    skip(in, "=");
    padding = (size_t)(in->at - start);
    return digits % 4 != 1 && padding <= 2 &&
           (padding == 0 || (digits + padding) % 4 == 0) && take(in, ':');
}

static bool take_hex_octet(struct input *in, char *octet)
{
    static const char digits[] = "0123456789abcdef"; /* lower case only */
    unsigned value = 0;

    for (int i = 0; i < 2; i++) {
        if (!is_in(peek(in), digits))
            return false;
        value = value << 4 | (unsigned)(strchr(digits, *in->at++) - digits);
    }
    *octet = (char)value;
    return true;
}

/* %"..." of RFC 9651: UTF-8, percent-encoded where it is not printable ASCII. */
static bool take_display_string(struct input *in)
{
    char character[UTF8_MAX];
    size_t n = 0;

    if (!take(in, '%') || !take(in, '"'))
        return false;
    while (!take(in, '"')) {
        if (n == sizeof(character) || !is_printable(peek(in)))
            return false;
        character[n] = *in->at++;
        if (character[n] == '%' && !take_hex_octet(in, &character[n]))
            return false;
        n++;
        if (utf8_length(character, n) == n)
            n = 0;
    }
    return n == 0;
}

static bool take_bare_item(struct input *in, enum structured_type *type)
{
    bool is_integer;
    char c = peek(in);

    *type = STRUCTURED_OTHER;
    switch (c) {
    case '"':
        *type = STRUCTURED_STRING;
        return take_string(in);
    case ':':
        *type = STRUCTURED_BYTES;
        return take_bytes(in);
    case '?':
        in->at++;
        return take(in, '0') || take(in, '1');
    case '@':
        in->at++;
        return take_number(in, &is_integer) && is_integer;
    case '%':
        return take_display_string(in);
    default:
        if (c == '-' || is_digit(c))
            return take_number(in, &is_integer);
        return (is_alpha(c) || c == '*') && take_token(in);
    }
}

static bool take_parameters(struct input *in)
{
    enum structured_type ignored;

    while (take(in, ';')) {
        skip(in, " ");
        if (!take_key(in))
            return false;
        if (take(in, '=') && !take_bare_item(in, &ignored))
            return false;
    }
    return true;
}

static bool take_inner_list(struct input *in)
{
    enum structured_type ignored;

    if (!take(in, '('))
        return false;
    for (;;) {
        skip(in, " ");
        if (take(in, ')'))
            return true;
        if (!take_bare_item(in, &ignored) || !take_parameters(in))
            return false;
        if (peek(in) != ' ' && peek(in) != ')')
            return false;
    }
}

static bool take_member_value(struct input *in, struct structured_member *member)
{
    member->type = STRUCTURED_OTHER;
    member->text = in->at;
    if (peek(in) == '(') {
        if (!take_inner_list(in))
            return false;
    } else if (!take_bare_item(in, &member->type)) {
        return false;
    }
    member->length = (size_t)(in->at - member->text);
    if (member->type != STRUCTURED_OTHER) { /* without its delimiters */
        member->text++;
        member->length -= 2;
    }
    return true;
}

static bool take_member(struct input *in, struct structured_member *member)
{
    member->key = in->at;
    if (!take_key(in))
        return false;
    member->key_length = (size_t)(in->at - member->key);
    if (take(in, '=')) {
        if (!take_member_value(in, member))
            return false;
    } else { /* a key alone stands for true */
        member->type = STRUCTURED_OTHER;
        member->text = in->at;
        member->length = 0;
    }
    return take_parameters(in);
}

/* True when the dictionary is well formed as far as visit wanted to see it; without
 * visit, all of it. */
static bool walk(struct input in, structured_visit *visit, void *context)
{
    struct structured_member member;

    skip(&in, " ");
    while (in.at < in.end) {
        if (!take_member(&in, &member))
            return false;
        if (visit != NULL && !visit(context, &member))
            return true;
        skip(&in, " \t");
        if (in.at == in.end)
            return true;
        if (!take(&in, ','))
            return false;
        skip(&in, " \t");
        if (in.at == in.end) /* a trailing comma */
            return false;
    }
    return true;
}

bool structured_dictionary(const char *text, size_t n, structured_visit *visit,
                           void *context)
{
    struct input in = {text, text + n};

    return walk(in, NULL, NULL) && walk(in, visit, context);
}

bool structured_string(const char *text, size_t n, char *out, size_t size)
{
    struct input in = {text, text + n};
    const char *from, *to;
    size_t length = 0;

    skip(&in, " ");
    from = in.at;
    if (!take_string(&in))
        return false;
    from++;
    to = in.at - 1;
    if (!take_parameters(&in))
        return false;
    skip(&in, " ");
    if (in.at != in.end)
        return false;
    for (const char *c = from; c < to; c++, length++)
        if (*c == '\\')
            c++;
    if (length >= size)
        return false;
    for (; from < to; from++) {
        if (*from == '\\')
            from++;
        *out++ = *from;
    }
    *out = '\0';
    return true;
}
