/* SPDX-License-Identifier: MIT */
#include "common/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *in_a = NULL, *in_b = NULL;
    bool same = curl_url_get(a, part, &in_a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(b, part, &in_b, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                strcasecmp(in_a, in_b) == 0;

    curl_free(in_a);
    curl_free(in_b);
    return same;
}

static bool is_http(CURLU *url)
{
    char *scheme = NULL;
    bool http = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);

    curl_free(scheme);
    return http;
}

char *url_resolve(const char *base, const char *reference, bool *same_origin)
{
    const unsigned flags = CURLU_PATH_AS_IS | CURLU_URLENCODE;
    CURLU *from = curl_url(), *to = curl_url();
    char *url = NULL;

    if (from && to && curl_url_set(from, CURLUPART_URL, base, flags) == CURLUE_OK &&
        curl_url_set(to, CURLUPART_URL, base, flags) == CURLUE_OK &&
        curl_url_set(to, CURLUPART_URL, reference, flags) == CURLUE_OK && is_http(to) &&
        curl_url_get(to, CURLUPART_URL, &url, 0) == CURLUE_OK)
        *same_origin = same_part(from, to, CURLUPART_SCHEME) &&
                       same_part(from, to, CURLUPART_HOST) &&
                       same_part(from, to, CURLUPART_PORT);
    curl_url_cleanup(from);
    curl_url_cleanup(to);
    return url;
}

void url_free(char *url)
{
    curl_free(url);
}

bool url_is_loopback(const char *url)
{
    CURLU *parsed = curl_url();
    struct in_addr address;
    char *host = NULL;
    bool loopback = false;

    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        loopback = (inet_pton(AF_INET, host, &address) == 1 &&
                    ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET) ||
                   strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
    curl_free(host);
    curl_url_cleanup(parsed);
    return loopback;
}

const char *url_origin(char out[URL_ORIGIN_SIZE], const char *url)
{
    const char *authority = strstr(url, "://");
    size_t scheme_length = authority ? (size_t)(authority + 3 - url) : 0;
    size_t length;
    const char *at;

    authority = url + scheme_length;
    length = strcspn(authority, "/?#");
    at = memrchr(authority, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - authority);
        authority = at + 1;
    }
    snprintf(out, URL_ORIGIN_SIZE, "%.*s%.*s", (int)scheme_length, url, (int)length,
             authority);
    return out;
}
