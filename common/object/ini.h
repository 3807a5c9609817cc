/* SPDX-License-Identifier: MIT */
/*
 * ini -- the [section] / key = value files of cloud tools.
 *
 * Comments begin with '#' or ';' at the start of a line. Indented lines belong to a
 * nested table of the key above and are skipped. Keys are case-insensitive and reported
 * in lower case; blanks around keys, values and section names are dropped.
 *
 * Errors:  a file that is not there is ST_END; other trouble ST_SYSTEM, naming it.
 * Threads: pure but for reading the file.
 */
#ifndef COMMON_OBJECT_INI_H
#define COMMON_OBJECT_INI_H

#include "common/status.h"

typedef void ini_visit(void *context, const char *section, const char *key,
                       const char *value);

enum status ini_read(const char *path, ini_visit *visit, void *context,
                     struct error *err) MUST_CHECK;

#endif
