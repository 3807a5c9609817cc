/* SPDX-License-Identifier: MIT */
#include "receiver/request.h"

#include <stdio.h>
#include <strings.h>

const char *request_header(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->headers; i++)
        if (strcasecmp(request->header[i].name, name) == 0)
            return request->header[i].value;
    return NULL;
}

bool request_list(const struct request *request, const char *name, bool trailer,
                  char *out, size_t size)
{
    const struct request_header *line = trailer ? request->trailer : request->header;
    size_t lines = trailer ? request->trailers : request->headers;
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < lines; i++) {
        int n;

        if (strcasecmp(line[i].name, name) != 0)
            continue;
        n = snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                     line[i].value);
        if (n < 0 || (size_t)n >= size - used)
            return false;
        used += (size_t)n;
    }
    return used > 0;
}

bool request_has_body(const struct request *request)
{
    return request->chunked || (request->has_length && request->length > 0);
}
