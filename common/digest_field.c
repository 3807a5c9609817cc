/* SPDX-License-Identifier: MIT */
#include "common/digest_field.h"

#include "common/structured_field.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char algorithm[] = "sha-256";

struct search {
    struct structured_member first, wanted; /* key NULL: none yet */
};

static bool remember(void *context, const struct structured_member *member)
{
    struct search *search = context;

    if (search->first.key == NULL)
        search->first = *member;
    if (member->key_length == strlen(algorithm) &&
        memcmp(member->key, algorithm, member->key_length) == 0)
        search->wanted = *member;
    return true;
}

static enum digest_field_verdict invalid(struct digest_field *out, bool malformed,
                                         const char *reason)
{
    out->malformed = malformed;
    out->reason = reason;
    return DIGEST_FIELD_INVALID;
}

static bool from_base64(const struct structured_member *member,
                        struct sha256_digest *out)
{
    struct sha256_digest digest;
    size_t length;

    if (member->length != SHA256_BASE64_SIZE - 1 ||
        sodium_base642bin(digest.bytes, SHA256_BYTES, member->text, member->length,
                          NULL, &length, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        length != SHA256_BYTES)
        return false;
    *out = digest;
    return true;
}

enum digest_field_verdict digest_field_parse(const char *value, size_t n,
                                             struct digest_field *out)
{
    struct search search = {0};

    if (!structured_dictionary(value, n, remember, &search))
        return invalid(out, true, "not a structured field dictionary");
    if (search.wanted.key == NULL) {
        snprintf(out->algorithm, sizeof(out->algorithm), "%.*s",
                 (int)search.first.key_length,
                 search.first.key != NULL ? search.first.key : "");
        return DIGEST_FIELD_UNSUPPORTED;
    }
    if (search.wanted.type != STRUCTURED_BYTES)
        return invalid(out, true, "sha-256 is not a byte sequence between colons");
    if (!from_base64(&search.wanted, &out->digest))
        return invalid(out, false, "sha-256 is not 32 bytes of padded base64");
    return DIGEST_FIELD_OK;
}

enum digest_field_verdict digest_field_parse_hex(const char *value, size_t n,
                                                 struct digest_field *out)
{
    if (!sha256_from_hex(value, n, &out->digest))
        return invalid(out, false, "not 64 hex digits");
    return DIGEST_FIELD_OK;
}

const char *digest_field_format(char out[DIGEST_FIELD_TEXT_SIZE],
                                const struct sha256_digest *digest)
{
    char base64[SHA256_BASE64_SIZE];

    snprintf(out, DIGEST_FIELD_TEXT_SIZE, "%s=:%s:", algorithm,
             sha256_to_base64(base64, digest));
    return out;
}
