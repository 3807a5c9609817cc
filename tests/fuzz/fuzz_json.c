/* SPDX-License-Identifier: MIT */
#include "common/json.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* A byte becomes six at most, \u001f. */
enum { TEXT_SIZE = 3 * 6 * FUZZ_INPUT_MAX, VALUE_SIZE = 3 * FUZZ_INPUT_MAX + 1 };

static bool is_utf8(const char *text)
{
    size_t n = strlen(text), length;

    for (; n > 0; text += length, n -= length) {
        length = utf8_length(text, n);
        if (length == 0)
            return false;
    }
    return true;
}

static void write_detail(struct json *json, const char *value)
{
    json_open(json, NULL, '{');
    json_number(json, "status", 400);
    json_string(json, "detail", value);
    json_close(json, '}');
}

/* Whatever is written can be read: as it was, when it was UTF-8. */
static void check_writing(const char *value)
{
    static char text[TEXT_SIZE], out[VALUE_SIZE];
    struct json json;

    json_init(&json, text, sizeof(text));
    write_detail(&json, value);
    REQUIRE(!json.overflow);
    REQUIRE(json.length == strlen(text));
    REQUIRE(is_utf8(text));
    REQUIRE(json_find_string(text, json.length, "detail", out, sizeof(out)));
    REQUIRE(is_utf8(out));
    REQUIRE(!is_utf8(value) || strcmp(value, out) == 0);
}

/* The buffer ends where the allocation does, for AddressSanitizer to see. */
static void check_overflow(const char *value, size_t size)
{
    char *text = malloc(size);
    struct json json;

    REQUIRE(text != NULL);
    json_init(&json, text, size);
    write_detail(&json, value);
    REQUIRE(json.length < size);
    REQUIRE(strlen(text) == json.length);
    free(text);
}

/* A value that is found is UTF-8, and cutting it only cuts it. */
static void check_reading(const char *text, size_t n, size_t size)
{
    static char whole[VALUE_SIZE];
    char *cut = malloc(size);
    bool found = json_find_string(text, n, "detail", whole, sizeof(whole));

    REQUIRE(cut != NULL);
    REQUIRE(json_find_string(text, n, "detail", cut, size) == found);
    if (found) {
        REQUIRE(is_utf8(whole) && is_utf8(cut));
        REQUIRE(strncmp(whole, cut, strlen(cut)) == 0);
        REQUIRE(strlen(whole) < size ? strcmp(whole, cut) == 0
                                     : strlen(cut) + UTF8_MAX >= size);
        check_writing(whole);
    }
    free(cut);
}

/* The first byte is the size of a buffer that may be too small. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char value[FUZZ_INPUT_MAX + 1];
    size_t small;

    if (size < 1 || size > FUZZ_INPUT_MAX)
        return 0;
    small = (size_t)data[0] + 1;
    data++;
    size--;
    memcpy(value, data, size);
    value[size] = '\0';
    check_reading((const char *)data, size, small);
    check_writing(value);
    check_overflow(value, small);
    return 0;
}
