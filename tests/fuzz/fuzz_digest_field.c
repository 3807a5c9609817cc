/* SPDX-License-Identifier: MIT */
#include "common/digest_field.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

static void check_digest(const struct sha256_digest *digest)
{
    struct digest_field again;
    char text[DIGEST_FIELD_TEXT_SIZE];

    digest_field_format(text, digest);
    REQUIRE(digest_field_parse(text, strlen(text), &again) == DIGEST_FIELD_OK);
    REQUIRE(sha256_equal(digest, &again.digest));
}

/* A digest put behind other members is the one that counts. */
static void check_last_wins(const char *value, size_t n)
{
    static const struct sha256_digest last = {{1, 2, 3}};
    struct digest_field field;
    char text[FUZZ_INPUT_MAX + DIGEST_FIELD_TEXT_SIZE + 1],
        formatted[DIGEST_FIELD_TEXT_SIZE];
    int length;

    memcpy(text, value, n);
    length = snprintf(text + n, sizeof(text) - n, ",%s",
                      digest_field_format(formatted, &last));
    REQUIRE(digest_field_parse(text, n + (size_t)length, &field) == DIGEST_FIELD_OK);
    REQUIRE(sha256_equal(&field.digest, &last));
}

static void check_hex(const char *value, size_t n)
{
    struct digest_field field = {0};
    char hex[SHA256_HEX_SIZE];

    if (digest_field_parse_hex(value, n, &field) == DIGEST_FIELD_INVALID) {
        REQUIRE(field.reason != NULL);
        return;
    }
    REQUIRE(n == SHA256_HEX_SIZE - 1);
    REQUIRE(strncasecmp(sha256_to_hex(hex, &field.digest), value, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *value = (const char *)data;
    struct digest_field field = {0};

    if (size > FUZZ_INPUT_MAX)
        return 0;
    switch (digest_field_parse(value, size, &field)) {
    case DIGEST_FIELD_OK:
        check_digest(&field.digest);
        check_last_wins(value, size);
        break;
    case DIGEST_FIELD_UNSUPPORTED:
        REQUIRE(strlen(field.algorithm) < sizeof(field.algorithm));
        REQUIRE(strcmp(field.algorithm, "sha-256") != 0);
        if (field.algorithm[0] != '\0')
            check_last_wins(value, size);
        break;
    case DIGEST_FIELD_INVALID:
        REQUIRE(field.reason != NULL);
        break;
    }
    check_hex(value, size);
    return 0;
}
