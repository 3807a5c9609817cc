/* SPDX-License-Identifier: MIT */
#include "common/units.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <string.h>

static void check_value(uint64_t value)
{
    char text[UNITS_TEXT_SIZE];
    uint64_t again;

    snprintf(text, sizeof(text), "%" PRIu64, value);
    REQUIRE(units_parse_count(text, &again) && again == value);
    REQUIRE(units_parse_size(text, &again) && again == value);
    snprintf(text, sizeof(text), "%" PRIu64 "ms", value);
    REQUIRE(units_parse_duration(text, &again) && again == value);

    REQUIRE(strlen(units_format_size(text, value)) < 12);
    REQUIRE(strlen(units_format_duration(text, value)) < UNITS_TEXT_SIZE - 1);
}

/* A value survives being written and read; what is refused touches nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t untouched = 0xA5A5A5A5A5A5A5A5;
    static bool (*const parsers[])(const char *, uint64_t *) = {
        units_parse_count, units_parse_size, units_parse_duration};
    char text[FUZZ_INPUT_MAX + 1];
    uint64_t value;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        value = untouched;
        if (parsers[i](text, &value))
            check_value(value);
        else
            REQUIRE(value == untouched);
    }
    if (size >= sizeof(value)) {
        memcpy(&value, data, sizeof(value));
        check_value(value);
    }
    return 0;
}
