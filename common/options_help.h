/* SPDX-License-Identifier: MIT */
/* options_help -- the --help of an option table; for options.c alone. */
#ifndef COMMON_OPTIONS_HELP_H
#define COMMON_OPTIONS_HELP_H

#include "common/options.h"

#include <stdio.h>

enum { OPTIONS_ENV_NAME_SIZE = 64, OPTIONS_VALUE_SIZE = 80 };

/* "PREFIX_LONG_NAME". Returns out. */
const char *options_env_name(char out[OPTIONS_ENV_NAME_SIZE],
                             const struct option_set *set, const char *name);

/* Every choice, with `separator` between two and `last` before the last. Returns out.
 */
const char *options_join_choices(char out[OPTIONS_VALUE_SIZE],
                                 const char *const *choices, const char *separator,
                                 const char *last);

void options_help_print(FILE *to, const struct option_set *set);

#endif
