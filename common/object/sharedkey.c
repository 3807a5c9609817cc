/* SPDX-License-Identifier: MIT */
#include "common/object/sharedkey.h"

#include "common/object/text.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { MAC_BYTES = crypto_auth_hmacsha256_BYTES };

static int by_name(const void *a, const void *b)
{
    const struct exchange_header *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void add_headers(struct text *text, const struct sharedkey_request *request)
{
    const struct exchange_header *sorted[SHAREDKEY_HEADERS_MAX] = {NULL};
    size_t count = 0;

    assert(request->header_count <= SHAREDKEY_HEADERS_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        if (strncmp(request->headers[i].name, "x-ms-", 5) == 0)
            sorted[count++] = &request->headers[i];
    }
    qsort(sorted, count, sizeof(const struct exchange_header *), by_name);
    for (size_t i = 0; i < count; i++)
        text_format(text, "%s:%s\n", sorted[i]->name, sorted[i]->value);
}

static const char *find_header(const struct sharedkey_request *request,
                               const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    }
    return "";
}

/* Content-Encoding, -Language and -Type, Date, the conditions and Range are never sent,
 * so their lines stay empty; so does the length when it is 0. */
static void write_text(struct text *text, const struct sharedkey_request *request)
{
    text_format(text, "%s\n\n\n", request->method);
    if (request->content_length > 0)
        text_format(text, "%" PRIu64, request->content_length);
    text_format(text, "\n%s\n\n\n\n\n\n\n\n", find_header(request, "Content-MD5"));
    add_headers(text, request);
    text_format(text, "/%s", request->account);
    text_add(text, request->path);
    for (size_t i = 0; i < request->param_count; i++)
        text_format(text, "\n%s:%s", request->params[i].name, request->params[i].value);
}

enum status sharedkey_authorize(const uint8_t *key, size_t key_length,
                                const struct sharedkey_request *request,
                                char out[SHAREDKEY_AUTHORIZATION_SIZE],
                                struct error *err)
{
    char buffer[SHAREDKEY_TEXT_SIZE];
    char base64[sodium_base64_ENCODED_LEN(MAC_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    unsigned char mac[MAC_BYTES];
    crypto_auth_hmacsha256_state state;
    struct text text;

    text_init(&text, buffer, sizeof buffer);
    write_text(&text, request);
    if (text.overflow)
        return error_set(err, ST_INVALID, "request too long to sign");
    crypto_auth_hmacsha256_init(&state, key, key_length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)buffer, text.length);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(base64, sizeof base64, mac, sizeof mac,
                      sodium_base64_VARIANT_ORIGINAL);
    text_init(&text, out, SHAREDKEY_AUTHORIZATION_SIZE);
    text_format(&text, "SharedKey %s:%s", request->account, base64);
    assert(!text.overflow);
    return ST_OK;
}
