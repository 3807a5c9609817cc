/* SPDX-License-Identifier: MIT */
#include "common/structured_field.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* A member grows by a blank, an equals sign and two delimiters at most. */
enum { TEXT_SIZE = 5 * FUZZ_INPUT_MAX + 64 };

struct spelling {
    char text[TEXT_SIZE]; /* the members seen, as a dictionary */
    size_t length;
    unsigned members;
};

static void append(struct spelling *spelling, const char *bytes, size_t n)
{
    REQUIRE(n < sizeof(spelling->text) - spelling->length);
    memcpy(spelling->text + spelling->length, bytes, n);
    spelling->length += n;
}

static bool spell(void *context, const struct structured_member *member)
{
    static const char *const delimiter[] = {
        [STRUCTURED_BYTES] = ":", [STRUCTURED_STRING] = "\"", [STRUCTURED_OTHER] = ""};
    const char *edge = delimiter[member->type];
    struct spelling *spelling = context;

    REQUIRE(member->key_length > 0);
    if (spelling->members++ > 0)
        append(spelling, ", ", 2);
    append(spelling, member->key, member->key_length);
    if (member->type != STRUCTURED_OTHER || member->length > 0) {
        append(spelling, "=", 1);
        append(spelling, edge, strlen(edge));
        append(spelling, member->text, member->length);
        append(spelling, edge, strlen(edge));
    }
    return true;
}

static bool stop(void *context, const struct structured_member *member)
{
    (void)member;
    *(unsigned *)context += 1;
    return false;
}

/* Members written again are read as the same members. */
static void check_dictionary(const char *text, size_t n)
{
    static struct spelling first, second;
    unsigned calls = 0;
    bool ok;

    first.length = second.length = 0;
    first.members = second.members = 0;
    ok = structured_dictionary(text, n, spell, &first);
    REQUIRE(structured_dictionary(text, n, stop, &calls) == ok);
    REQUIRE(calls == (first.members > 0));
    if (!ok) {
        REQUIRE(first.members == 0);
        return;
    }
    REQUIRE(structured_dictionary(first.text, first.length, spell, &second));
    REQUIRE(second.members == first.members && second.length == first.length);
    REQUIRE(memcmp(first.text, second.text, first.length) == 0);
}

/* A string escaped again is read as the same string. */
static void check_string(const char *text, size_t n)
{
    static char value[FUZZ_INPUT_MAX + 1], again[FUZZ_INPUT_MAX + 1];
    static char escaped[2 * FUZZ_INPUT_MAX + 2];
    size_t length = 0;

    if (!structured_string(text, n, value, sizeof(value)))
        return;
    escaped[length++] = '"';
    for (const char *c = value; *c != '\0'; c++) {
        REQUIRE(*c >= 0x20 && *c <= 0x7E);
        if (*c == '"' || *c == '\\')
            escaped[length++] = '\\';
        escaped[length++] = *c;
    }
    escaped[length++] = '"';
    REQUIRE(structured_string(escaped, length, again, strlen(value) + 1));
    REQUIRE(strcmp(value, again) == 0);
    REQUIRE(!structured_string(escaped, length, again, strlen(value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > FUZZ_INPUT_MAX)
        return 0;
    check_dictionary((const char *)data, size);
    check_string((const char *)data, size);
    return 0;
}
