/* SPDX-License-Identifier: MIT */
#include "common/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Defined here as functions, also while the analyzer looks. */
#undef error_set
#undef error_sys

/* By way of a second buffer, because an argument may be err->text itself. */
static void format_text(struct error *err, const char *suffix, const char *format,
                        va_list arguments) __attribute__((format(printf, 3, 0)));

static void format_text(struct error *err, const char *suffix, const char *format,
                        va_list arguments)
{
    char text[sizeof err->text];
    size_t length;

    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    length = strlen(text);
    snprintf(text + length, sizeof text - length, "%s%s", *suffix ? ": " : "", suffix);
    memcpy(err->text, text, sizeof text);
}

enum status error_set(struct error *err, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_text(err, "", format, arguments);
    va_end(arguments);
    err->status = status;
    err->sys = 0;
    return status;
}

enum status error_sys(struct error *err, int sys, const char *format, ...)
{
    char buffer[128];
    va_list arguments;

    va_start(arguments, format);
    format_text(err, strerror_r(sys, buffer, sizeof buffer), format, arguments);
    va_end(arguments);
    err->status = ST_SYSTEM;
    err->sys = sys;
    return ST_SYSTEM;
}

enum status error_prefix(struct error *err, const char *format, ...)
{
    char text[sizeof err->text];
    va_list arguments;

    memcpy(text, err->text, sizeof text);
    va_start(arguments, format);
    format_text(err, text, format, arguments);
    va_end(arguments);
    return err->status;
}
