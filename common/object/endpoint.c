/* SPDX-License-Identifier: MIT */
#include "common/object/endpoint.h"

#include "common/object/text.h"

#include <ctype.h>
#include <string.h>

static bool is_host_character(char c)
{
    return isalnum((unsigned char)c) || strchr(".-_:[]", c);
}

/* Lower case, and no port that says only what the scheme says. */
static bool copy_host(struct endpoint *out, const char *host, size_t n)
{
    const char *own_port = out->tls ? ":443" : ":80";
    size_t own_length = strlen(own_port);

    if (n == 0 || n >= sizeof out->host)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_host_character(host[i]))
            return false;
        out->host[i] = (char)tolower((unsigned char)host[i]);
    }
    out->host[n] = '\0';
    if (n > own_length && strcmp(out->host + n - own_length, own_port) == 0)
        out->host[n - own_length] = '\0';
    return out->host[0] != ':';
}

static bool copy_path(struct endpoint *out, const char *path)
{
    struct text text;

    text_init(&text, out->path, sizeof out->path);
    text_percent(&text, path, TEXT_PATH);
    while (text.length > 0 && out->path[text.length - 1] == '/')
        out->path[--text.length] = '\0';
    return !text.overflow;
}

/* Neither a user's password nor a query's signature is for the log. */
static enum status refuse(const char *url, const char *complaint, struct error *err)
{
    enum { SHOWN_MAX = 100 };
    const char *at = strrchr(url, '@'), *shown = at ? at : url;
    size_t n = strcspn(shown, "?#");

    return error_set(err, ST_INVALID, "endpoint '%s%.*s' %s", at ? "..." : "",
                     (int)(n < SHOWN_MAX ? n : SHOWN_MAX), shown, complaint);
}

enum status endpoint_parse(struct endpoint *out, const char *url, struct error *err)
{
    struct endpoint endpoint = {.tls = false};
    const char *host;
    size_t n;

    if (strncmp(url, "https://", 8) == 0) {
        endpoint.tls = true;
        host = url + 8;
    } else if (strncmp(url, "http://", 7) == 0) {
        host = url + 7;
    } else {
        return refuse(url, "begins with neither http:// nor https://", err);
    }
    n = strcspn(host, "/?#");
    if (strpbrk(host, "?#@") || !copy_host(&endpoint, host, n) ||
        !copy_path(&endpoint, host + n))
        return refuse(url, "is not of the form http://host:port", err);
    *out = endpoint;
    return ST_OK;
}

const char *endpoint_scheme(const struct endpoint *endpoint)
{
    return endpoint->tls ? "https" : "http";
}
