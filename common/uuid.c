/* SPDX-License-Identifier: MIT */
#include "common/uuid.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct uuid uuid_generate(uint64_t wall_ms)
{
    struct uuid uuid;

    /* Idempotent, and what makes the random source safe to use from any thread. */
    if (sodium_init() < 0)
        abort(); /* no entropy: an id that may come twice is worse than none */
    randombytes_buf(uuid.bytes, sizeof(uuid.bytes));
    for (int i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(wall_ms >> (40 - 8 * i));
    uuid.bytes[6] = 0x70 | (uuid.bytes[6] & 0x0F); /* version 7 */
    uuid.bytes[8] = 0x80 | (uuid.bytes[8] & 0x3F); /* variant of RFC 9562 */
    return uuid;
}

static bool is_all(const struct uuid *uuid, uint8_t value)
{
    for (int i = 0; i < UUID_BYTES; i++)
        if (uuid->bytes[i] != value)
            return false;
    return true;
}

bool uuid_parse(const char *text, size_t n, struct uuid *out)
{
    struct uuid uuid;
    size_t length;

    if (n != UUID_TEXT_SIZE - 1 || text[8] != '-' || text[13] != '-' ||
        text[18] != '-' || text[23] != '-')
        return false;
    /* Dashes are passed over wherever they are: one too many leaves too few bytes. */
    if (sodium_hex2bin(uuid.bytes, UUID_BYTES, text, n, "-", &length, NULL) != 0 ||
        length != UUID_BYTES)
        return false;
    if (is_all(&uuid, 0x00) || is_all(&uuid, 0xFF))
        return false;
    *out = uuid;
    return true;
}

const char *uuid_format(char out[UUID_TEXT_SIZE], const struct uuid *uuid)
{
    static const char digits[] = "0123456789abcdef";
    char *to = out;

    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[uuid->bytes[i] >> 4];
        *to++ = digits[uuid->bytes[i] & 0x0F];
    }
    *to = '\0';
    return out;
}

unsigned uuid_version(const struct uuid *uuid)
{
    return (uuid->bytes[8] & 0xC0) == 0x80 ? uuid->bytes[6] >> 4 : 0;
}

uint64_t uuid_unix_ms(const struct uuid *uuid)
{
    uint64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | uuid->bytes[i];
    return ms;
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, UUID_BYTES);
}
