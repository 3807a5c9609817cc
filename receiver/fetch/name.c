/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/name.h"

#include "common/utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where the path begins, and how long it is. */
static const char *find_path(const char *url, size_t *n)
{
    const char *scheme = strstr(url, "://");
    const char *at = scheme != NULL ? scheme + 3 : url;

    at += strcspn(at, "/?#");
    *n = strcspn(at, "?#");
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of the path, decoded; *at moves past it. A stray '%' stands for
 * itself. */
static char decode_one(const char **at, const char *end)
{
    const char *c = (*at)++;

    if (*c != '%' || end - c < 3 || hex_digit(c[1]) < 0 || hex_digit(c[2]) < 0)
        return *c;
    *at += 2;
    return (char)(hex_digit(c[1]) * 16 + hex_digit(c[2]));
}

/* Fetching the file it seems to belong to would delete it. */
static bool is_state_name(const char *name)
{
    static const char *const endings[] = {".part.state", ".part.state.new"};
    size_t n = strlen(name);

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (n >= strlen(endings[i]) &&
            strcmp(name + n - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

enum status name_check(const char *name, struct error *err)
{
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(err, ST_INVALID, "'%s' is not a file name", name);
    if (strlen(name) >= NAME_SIZE)
        return error_set(err, ST_INVALID,
                         "file name '%.40s...' is longer than %d bytes", name,
                         NAME_SIZE - 1);
    if (strchr(name, '/') != NULL)
        return error_set(err, ST_INVALID, "file name '%.80s' contains a slash", name);
    if (is_state_name(name))
        return error_set(err, ST_INVALID,
                         "'%.80s' is a name for the state of another fetch", name);
    return ST_OK;
}

static enum status refuse_control(struct error *err)
{
    return error_set(err, ST_INVALID,
                     "the URL's file name has a control character in it: choose a name "
                     "with --output");
}

/* Whether a terminal would obey some character of it; bytes that are not UTF-8 are
 * none. */
static bool has_control(const char *name)
{
    while (*name != '\0') {
        size_t n = utf8_length(name, strnlen(name, UTF8_MAX));

        if (n > 0 && utf8_printable_length(name) == 0)
            return true;
        name += n > 0 ? n : 1;
    }
    return false;
}

enum status name_from_url(char out[NAME_SIZE], const char *url, struct error *err)
{
    size_t length, n = 0;
    const char *at = find_path(url, &length), *end = at + length;
    char name[NAME_SIZE];
    enum status st;

    while (at < end) {
        char c = decode_one(&at, end);

        if (c == '/') {
            n = 0;
            continue;
        }
        if (c == '\0')
            return refuse_control(err);
        if (n <
            sizeof name) /* too long a segment may yet turn out not to be the last */
            name[n] = c;
        n++;
    }
    if (n == 0)
        return error_set(err, ST_INVALID,
                         "the URL names no file: choose a name with --output");
    if (n >= sizeof name)
        return error_set(err, ST_INVALID,
                         "the URL's file name is longer than %d bytes: "
                         "choose a name with --output",
                         NAME_SIZE - 1);
    name[n] = '\0';
    if (has_control(name))
        return refuse_control(err);
    if (name[0] == '.')
        return error_set(err, ST_INVALID,
                         "the URL's file name '%.80s' is hidden: "
                         "choose a name with --output",
                         name);
    st = name_check(name, err);
    if (st == ST_OK)
        memcpy(out, name, n + 1);
    return st;
}

const char *name_redact_url(char *out, size_t size, const char *url)
{
    const char *scheme = strstr(url, "://");
    size_t scheme_length = scheme != NULL ? (size_t)(scheme + 3 - url) : 0;
    const char *authority = url + scheme_length;
    const char *user_end = memrchr(authority, '@', strcspn(authority, "/?#"));
    const char *rest = user_end != NULL ? user_end + 1 : authority;

    snprintf(out, size, "%.*s%.*s", (int)scheme_length, url, (int)strcspn(rest, "?#"),
             rest);
    return out;
}
