/* SPDX-License-Identifier: MIT */
#include "common/http_range.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <string.h>

static void check_one(const struct http_range *range, uint64_t size)
{
    struct http_range again;
    char text[64];

    REQUIRE(range->first <= range->last);
    REQUIRE(range->last < size);
    snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, range->first,
             range->last);
    REQUIRE(http_range_parse(text, strlen(text), size, &again) == HTTP_RANGE_ONE);
    REQUIRE(again.first == range->first && again.last == range->last);
}

/* The first eight bytes are the size of the representation, the rest the field. A range
 * lies inside of the representation; whether the field is well formed does not depend
 * on the size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_range range = {3, 2}, ignored;
    enum http_range_verdict verdict, of_empty;
    const char *value;
    uint64_t total;

    if (size < sizeof(total))
        return 0;
    memcpy(&total, data, sizeof(total));
    value = (const char *)data + sizeof(total);
    size -= sizeof(total);

    verdict = http_range_parse(value, size, total, &range);
    if (verdict == HTTP_RANGE_ONE)
        check_one(&range, total);
    else
        REQUIRE(range.first == 3 && range.last == 2);

    of_empty = http_range_parse(value, size, 0, &ignored);
    REQUIRE(of_empty != HTTP_RANGE_ONE);
    if (verdict == HTTP_RANGE_ONE)
        verdict = HTTP_RANGE_UNSATISFIABLE;
    REQUIRE(of_empty == verdict);
    return 0;
}
