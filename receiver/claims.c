/* SPDX-License-Identifier: MIT */
#include "receiver/claims.h"

#include "common/digest_field.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct spelling {
    const char *header;
    enum digest_field_verdict (*parse)(const char *, size_t, struct digest_field *);
} spellings[] = {
    {"Repr-Digest", digest_field_parse},
    {"Content-Digest", digest_field_parse},
    {"X-SHA256", digest_field_parse_hex},
};

enum { SPELLINGS = sizeof(spellings) / sizeof(spellings[0]) };

/* The registered problem type is for values that cannot be a digest, not for fields
 * that cannot be parsed. */
static void malformed(struct request *request, const char *header, const char *reason)
{
    reply_problem(&request->reply, 400, "Malformed digest field", "%s: %s", header,
                  reason);
}

static bool read_one(struct claims *claims, struct request *request,
                     const struct spelling *spelling, bool trailer)
{
    struct digest_field field;
    char value[1024];

    if (!request_list(request, spelling->header, trailer, value, sizeof(value))) {
        if (value[0] == '\0')
            return true;
        malformed(request, spelling->header, "longer than 1023 bytes");
        return false;
    }
    assert(claims->count < CLAIMS_MAX);
    switch (spelling->parse(value, strlen(value), &field)) {
    case DIGEST_FIELD_OK:
        claims->claim[claims->count].header = spelling->header;
        claims->claim[claims->count++].digest = field.digest;
        return true;
    case DIGEST_FIELD_UNSUPPORTED:
        reply_digest_unsupported(&request->reply, spelling->header, field.algorithm);
        return false;
    case DIGEST_FIELD_INVALID:
        if (field.malformed)
            malformed(request, spelling->header, field.reason);
        else
            reply_digest_invalid(&request->reply, spelling->header, field.reason);
        return false;
    }
    return true;
}

static bool read_all(struct claims *claims, struct request *request, bool trailer)
{
    for (size_t i = 0; i < SPELLINGS; i++)
        if (!read_one(claims, request, &spellings[i], trailer))
            return false;
    return true;
}

/* Whether a digest may still come behind the body. */
static bool announced(const struct request *request)
{
    char names[256];

    if (!request->chunked ||
        !request_list(request, "Trailer", false, names, sizeof(names)))
        return false;
    for (size_t i = 0; i < SPELLINGS; i++)
        if (strcasestr(names, spellings[i].header))
            return true;
    return false;
}

bool claims_read(struct claims *claims, struct request *request, bool required)
{
    if (!read_all(claims, request, false))
        return false;
    if (claims->count == 0 && required && !announced(request)) {
        reply_digest_missing(&request->reply);
        return false;
    }
    return true;
}

bool claims_verify(struct claims *claims, struct request *request,
                   const struct sha256_digest *computed, bool required)
{
    if (request->trailers > 0 && !read_all(claims, request, true))
        return false;
    if (claims->count == 0 && required) {
        reply_digest_missing(&request->reply);
        return false;
    }
    for (size_t i = 0; i < claims->count; i++) {
        char base64[SHA256_BASE64_SIZE], text[SHA256_BASE64_SIZE + 2];

        if (sha256_equal(&claims->claim[i].digest, computed))
            continue;
        snprintf(text, sizeof(text),
                 ":%s:", sha256_to_base64(base64, &claims->claim[i].digest));
        reply_digest_mismatch(&request->reply, claims->claim[i].header, text);
        return false;
    }
    return true;
}

bool claims_contradict(const struct claims *claims, const struct sha256_digest *digest)
{
    for (size_t i = 0; i < claims->count; i++)
        if (!sha256_equal(&claims->claim[i].digest, digest))
            return true;
    return false;
}
