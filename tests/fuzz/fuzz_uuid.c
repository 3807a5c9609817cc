/* SPDX-License-Identifier: MIT */
#include "common/uuid.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

static void check_text(const char *text, size_t n)
{
    struct uuid uuid, again;
    char canonical[UUID_TEXT_SIZE];

    if (!uuid_parse(text, n, &uuid))
        return;
    REQUIRE(n == UUID_TEXT_SIZE - 1);
    uuid_format(canonical, &uuid);
    REQUIRE(strncasecmp(canonical, text, n) == 0);
    REQUIRE(uuid_parse(canonical, n, &again));
    REQUIRE(uuid_compare(&uuid, &again) == 0);
}

static void check_bytes(const uint8_t *data)
{
    static const uint8_t nil[UUID_BYTES];
    struct uuid uuid, again, generated;
    char text[UUID_TEXT_SIZE];
    bool is_special, parsed;

    memcpy(uuid.bytes, data, UUID_BYTES);
    uuid_format(text, &uuid);
    REQUIRE(strlen(text) == UUID_TEXT_SIZE - 1);
    is_special = memcmp(data, nil, UUID_BYTES) == 0 ||
                 strcmp(text, "ffffffff-ffff-ffff-ffff-ffffffffffff") == 0;
    parsed = uuid_parse(text, UUID_TEXT_SIZE - 1, &again);
    REQUIRE(parsed != is_special);
    REQUIRE(!parsed || uuid_compare(&uuid, &again) == 0);

    generated = uuid_generate(uuid_unix_ms(&uuid));
    REQUIRE(uuid_unix_ms(&generated) == uuid_unix_ms(&uuid));
    REQUIRE(uuid_version(&generated) == 7);
}

/* Text that is accepted is the id it spells; any id survives being written and read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text((const char *)data, size);
    if (size >= UUID_BYTES)
        check_bytes(data);
    return 0;
}
