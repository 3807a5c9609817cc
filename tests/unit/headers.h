/* SPDX-License-Identifier: MIT */
/* headers -- an answer_header that reads "Name: value" lines, as tests spell them. */
#ifndef TESTS_UNIT_HEADERS_H
#define TESTS_UNIT_HEADERS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* context: the lines, each ending in a newline. */
static inline bool headers_find(void *context, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);

    for (const char *line = context; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
            continue;
        line += n + 1;
        line += strspn(line, " ");
        snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
        return true;
    }
    return false;
}

#endif
