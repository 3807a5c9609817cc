/* SPDX-License-Identifier: MIT */
#include "common/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits at the start of text; *rest is what follows. False: none, or past 64 bits. */
static bool parse_digits(const char *text, uint64_t *out, const char **rest)
{
    const char *at = text;
    uint64_t number = 0;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (unsigned)(*at - '0'), &number))
            return false;
    *out = number;
    *rest = at;
    return at > text;
}

bool units_parse_count(const char *text, uint64_t *out)
{
    uint64_t number;
    const char *rest;

    if (!parse_digits(text, &number, &rest) || *rest != '\0')
        return false;
    *out = number;
    return true;
}

static bool scale(uint64_t number, const struct unit *unit, uint64_t *out)
{
    uint64_t scaled; /* an overflow would write it all the same */

    if (__builtin_mul_overflow(number, unit->factor, &scaled))
        return false;
    *out = scaled;
    return true;
}

bool units_parse_size(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},           {"B", 1},           {"K", 1ULL << 10},   {"KB", 1ULL << 10},
        {"M", 1ULL << 20}, {"MB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20},
        {"G", 1ULL << 30}, {"GB", 1ULL << 30}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40},
        {"T", 1ULL << 40}, {"TB", 1ULL << 40}};
    uint64_t number;
    const char *rest;

    if (!parse_digits(text, &number, &rest))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcasecmp(rest, units[i].name) == 0)
            return scale(number, &units[i], bytes);
    return false;
}

bool units_parse_duration(const char *text, uint64_t *ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t number;
    const char *rest;

    if (!parse_digits(text, &number, &rest))
        return false;
    if (number == 0 && *rest == '\0') {
        *ms = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(rest, units[i].name) == 0)
            return scale(number, &units[i], ms);
    return false;
}

const char *units_format_size(char out[UNITS_TEXT_SIZE], uint64_t bytes)
{
    static const char prefixes[] = " KMGTPE";
    unsigned power = 0, whole, tenths;
    uint64_t unit = 1;

    while (power + 2 < sizeof(prefixes) && bytes / unit >= 1024) {
        unit <<= 10;
        power++;
    }
    if (power == 0) {
        snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 " B", bytes);
        return out;
    }
    whole = (unsigned)(bytes / unit);
    tenths = (unsigned)((bytes % unit * 10 + unit / 2) / unit);
    if (tenths == 10) {
        whole++;
        tenths = 0;
    }
    if (whole == 1024) { /* rounded up into the next unit; E never gets here */
        whole = 1;
        power++;
    }
    snprintf(out, UNITS_TEXT_SIZE, "%u.%u %ciB", whole, tenths, prefixes[power]);
    return out;
}

const char *units_format_duration(char out[UNITS_TEXT_SIZE], uint64_t ms)
{
    uint64_t seconds = ms / 1000, minutes = seconds / 60;

    if (seconds == 0)
        snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 "ms", ms);
    else if (minutes == 0)
        snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 "s", seconds,
                 ms % 1000 / 100);
    else if (minutes < 60)
        snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 "m%02" PRIu64 "s", minutes,
                 seconds % 60);
    else
        snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 "h%02" PRIu64 "m", minutes / 60,
                 minutes % 60);
    return out;
}

const char *units_format_time(char out[UNITS_TEXT_SIZE], int64_t seconds)
{
    const time_t at = (time_t)seconds;
    struct tm utc;

    if (!gmtime_r(&at, &utc) ||
        strftime(out, UNITS_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        snprintf(out, UNITS_TEXT_SIZE, "?");
    return out;
}
