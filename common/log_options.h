/* SPDX-License-Identifier: MIT */
/*
 * log_options -- the rows about the log, for the option table of any verb.
 *
 * The struct `config` has members log_file (const char *), log_format and
 * log_level (unsigned: enum log_format, enum log_level).
 */
#ifndef COMMON_LOG_OPTIONS_H
#define COMMON_LOG_OPTIONS_H

#include "common/log.h"
#include "common/options.h"

#include <stddef.h>

/* clang-format off */
#define LOG_OPTIONS(config)                                                            \
    {.name = "log-file",                                                               \
     .letter = 'f',                                                                    \
     .type = OPTION_TEXT,                                                              \
     .offset = offsetof(config, log_file),                                             \
     .value_name = "FILE",                                                             \
     .help = "append the log to this file instead of standard error"},                 \
    {.name = "log-format",                                                             \
     .type = OPTION_CHOICE,                                                            \
     .offset = offsetof(config, log_format),                                           \
     .value_name = "FORMAT",                                                           \
     .preset = "text",                                                                 \
     .choices = log_format_names,                                                      \
     .help = "text or json, of the log and of a summary"},                             \
    {.name = "log-level",                                                              \
     .type = OPTION_CHOICE,                                                            \
     .offset = offsetof(config, log_level),                                            \
     .value_name = "LEVEL",                                                            \
     .preset = "info",                                                                 \
     .choices = log_level_names,                                                       \
     .help = "error, warn, info or debug"}
/* clang-format on */

#endif
