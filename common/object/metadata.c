/* SPDX-License-Identifier: MIT */
#include "common/object/metadata.h"

#include "common/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NANOSECOND_DIGITS = 9, NANOSECONDS = 1000000000, MODE_MAX = 0177777 };

const char *metadata_format_time(char out[METADATA_TIME_SIZE], struct timespec time)
{
    long long seconds = time.tv_sec;
    long nanoseconds = time.tv_nsec;
    bool negative = seconds < 0;

    if (negative && nanoseconds > 0) { /* -2 s and 0.5e9 ns are -1.5 s */
        seconds++;
        nanoseconds = NANOSECONDS - nanoseconds;
    }
    snprintf(out, METADATA_TIME_SIZE, "%s%llu.%09ld", negative ? "-" : "",
             negative ? -(unsigned long long)seconds : (unsigned long long)seconds,
             nanoseconds);
    return out;
}

const char *metadata_format_mode(char out[METADATA_MODE_SIZE], uint32_t mode)
{
    snprintf(out, METADATA_MODE_SIZE, "%#o", (unsigned)mode);
    return out;
}

static bool parse_digits(const char **text, int base, int digits_max, long long *out)
{
    const char *p = *text;
    int digits = 0;

    for (*out = 0; isdigit((unsigned char)*p); p++, digits++) {
        if (*p - '0' >= base || digits == digits_max)
            return false;
        *out = *out * base + (*p - '0');
    }
    *text = p;
    return digits > 0;
}

bool metadata_parse_time(const char *text, struct timespec *out)
{
    bool negative = *text == '-';
    long long seconds, fraction = 0;
    const char *point;

    text += negative;
    if (!parse_digits(&text, 10, 12, &seconds))
        return false;
    if (*text == '.') {
        point = text++;
        if (!parse_digits(&text, 10, NANOSECOND_DIGITS, &fraction))
            return false;
        for (long digits = text - point - 1; digits < NANOSECOND_DIGITS; digits++)
            fraction *= 10;
    }
    if (*text)
        return false;
    out->tv_sec = negative ? -seconds - (fraction > 0) : seconds;
    out->tv_nsec = negative && fraction > 0 ? NANOSECONDS - fraction : fraction;
    return true;
}

const char *metadata_format_date(char out[METADATA_TIME_SIZE], struct timespec time)
{
    struct tm utc;
    size_t n;

    if (!gmtime_r(&time.tv_sec, &utc))
        return metadata_format_time(out, time);
    n = strftime(out, METADATA_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + n, METADATA_TIME_SIZE - n, ".%09ldZ", time.tv_nsec);
    return out;
}

bool metadata_parse_date(const char *text, struct timespec *out)
{
    struct tm utc = {0};
    long long fraction = 0;
    const char *point, *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);

    if (!rest)
        return false;
    if (*rest == '.') {
        point = rest++;
        if (!parse_digits(&rest, 10, NANOSECOND_DIGITS, &fraction))
            return false;
        for (long digits = rest - point - 1; digits < NANOSECOND_DIGITS; digits++)
            fraction *= 10;
    }
    if (strcmp(rest, "Z") != 0)
        return false;
    *out = (struct timespec){.tv_sec = timegm(&utc), .tv_nsec = fraction};
    return true;
}

bool metadata_parse_mode(const char *text, uint32_t *out)
{
    const char *p = text;
    long long octal = 0, decimal = 0;

    if (parse_digits(&p, 8, 7, &octal) && !*p && octal <= MODE_MAX &&
        (*text == '0' || octal <= 07777 || (octal & S_IFMT) == S_IFREG)) {
        *out = (uint32_t)octal;
        return true;
    }
    p = text;
    if (!parse_digits(&p, 10, 6, &decimal) || *p || decimal > MODE_MAX)
        return false;
    *out = (uint32_t)decimal;
    return true;
}

bool metadata_parse_id(const char *text, uint32_t *out)
{
    uint64_t id;

    if (!units_parse_count(text, &id) || id > UINT32_MAX)
        return false;
    *out = (uint32_t)id;
    return true;
}
