/* SPDX-License-Identifier: MIT */
#include "common/http_range.h"

#include <string.h>
#include <strings.h>

struct input {
    const char *at, *end;
};

/* One element of a range set, resolved against no size yet. */
struct spec {
    bool is_suffix;       /* "-n": the last n bytes, n in last */
    uint64_t first, last; /* "first-": last is UINT64_MAX */
};

static bool take(struct input *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool take_prefix(struct input *in, const char *prefix)
{
    size_t n = strlen(prefix);

    if ((size_t)(in->end - in->at) < n || strncasecmp(in->at, prefix, n) != 0)
        return false;
    in->at += n;
    return true;
}

static void skip_blanks(struct input *in)
{
    while (take(in, ' ') || take(in, '\t'))
        ;
}

/* A number past 64 bits becomes UINT64_MAX, with *exact false. False: no digit. */
static bool take_number(struct input *in, uint64_t *number, bool *exact)
{
    const char *start = in->at;

    *number = 0;
    *exact = true;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
        unsigned digit = (unsigned)(*in->at - '0');

        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, digit, number))
            *exact = false;
        if (!*exact)
            *number = UINT64_MAX;
    }
    return in->at > start;
}

static bool take_spec(struct input *in, struct spec *spec)
{
    bool exact;

    spec->is_suffix = take(in, '-');
    if (spec->is_suffix)
        return take_number(in, &spec->last, &exact);
    if (!take_number(in, &spec->first, &exact) || !take(in, '-'))
        return false;
    if (!take_number(in, &spec->last, &exact))
        spec->last = UINT64_MAX;
    return spec->first <= spec->last;
}

/* 1#range-spec: recipients put up with empty elements. */
static bool take_set(struct input *in, struct spec *spec, unsigned *count)
{
    *count = 0;
    do {
        skip_blanks(in);
        if (in->at == in->end || *in->at == ',')
            continue;
        if (!take_spec(in, spec))
            return false;
        *count += 1;
        skip_blanks(in);
    } while (take(in, ','));
    return *count > 0 && in->at == in->end;
}

static enum http_range_verdict resolve(const struct spec *spec, uint64_t size,
                                       struct http_range *out)
{
    if (spec->is_suffix) {
        if (spec->last == 0 || size == 0)
            return HTTP_RANGE_UNSATISFIABLE;
        out->first = spec->last < size ? size - spec->last : 0;
        out->last = size - 1;
        return HTTP_RANGE_ONE;
    }
    if (spec->first >= size)
        return HTTP_RANGE_UNSATISFIABLE;
    out->first = spec->first;
    out->last = spec->last < size ? spec->last : size - 1;
    return HTTP_RANGE_ONE;
}

enum http_range_verdict http_range_parse(const char *value, size_t n, uint64_t size,
                                         struct http_range *out)
{
    struct input in = {value, value + n};
    struct spec spec = {0};
    unsigned count;

    if (!take_prefix(&in, "bytes="))
        return HTTP_RANGE_WHOLE;
    if (!take_set(&in, &spec, &count))
        return HTTP_RANGE_MALFORMED;
    if (count > 1)
        return HTTP_RANGE_WHOLE;
    return resolve(&spec, size, out);
}

static bool take_exact_number(struct input *in, uint64_t *number)
{
    bool exact;

    return take_number(in, number, &exact) && exact;
}

bool http_content_range_parse(const char *value, size_t n,
                              struct http_content_range *out)
{
    struct input in = {value, value + n};
    struct http_content_range parsed = {0};

    if (!take_prefix(&in, "bytes "))
        return false;
    parsed.satisfied = !take(&in, '*');
    if (parsed.satisfied &&
        (!take_exact_number(&in, &parsed.range.first) || !take(&in, '-') ||
         !take_exact_number(&in, &parsed.range.last)))
        return false;
    if (!take(&in, '/'))
        return false;
    parsed.total_known = !take(&in, '*');
    if (parsed.total_known && !take_exact_number(&in, &parsed.total))
        return false;
    if (in.at != in.end || (!parsed.satisfied && !parsed.total_known))
        return false;
    if (parsed.satisfied && (parsed.range.first > parsed.range.last ||
                             (parsed.total_known && parsed.range.last >= parsed.total)))
        return false;
    *out = parsed;
    return true;
}
