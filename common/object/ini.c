/* SPDX-License-Identifier: MIT */
#include "common/object/ini.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTION_SIZE = 128 };

static char *trim(char *text)
{
    size_t n;

    while (isspace((unsigned char)*text))
        text++;
    n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
    return text;
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void take_line(char *line, char section[SECTION_SIZE], ini_visit *visit,
                      void *context)
{
    bool indented = isspace((unsigned char)line[0]);
    char *text = trim(line), *end, *equals;

    if (*text == '\0' || *text == '#' || *text == ';' || indented)
        return;
    if (*text == '[') {
        end = strchr(text, ']');
        if (end)
            *end = '\0';
        snprintf(section, SECTION_SIZE, "%s", end ? trim(text + 1) : "");
        return;
    }
    equals = strchr(text, '=');
    if (!equals)
        return;
    *equals = '\0';
    text = trim(text);
    lower(text);
    visit(context, section, text, trim(equals + 1));
}

enum status ini_read(const char *path, ini_visit *visit, void *context,
                     struct error *err)
{
    FILE *file = fopen(path, "re");
    char section[SECTION_SIZE] = "";
    char *line = NULL;
    size_t size = 0;
    enum status st = ST_OK;

    if (!file && errno == ENOENT)
        return ST_END;
    if (!file)
        return error_sys(err, errno, "read '%s'", path);
    while (getline(&line, &size, file) >= 0)
        take_line(line, section, visit, context);
    if (ferror(file))
        st = error_sys(err, errno, "read '%s'", path);
    free(line);
    fclose(file);
    return st;
}
