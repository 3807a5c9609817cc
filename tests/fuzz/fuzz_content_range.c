/* SPDX-License-Identifier: MIT */
#include "common/http_range.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <string.h>

static void format(char *out, size_t size, const struct http_content_range *content)
{
    char range[48] = "*", total[24] = "*";

    if (content->satisfied)
        snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, content->range.first,
                 content->range.last);
    if (content->total_known)
        snprintf(total, sizeof(total), "%" PRIu64, content->total);
    snprintf(out, size, "bytes %s/%s", range, total);
}

/* What was read makes sense, and reads the same when written again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_content_range content, again;
    char text[128], text_again[128];

    if (!http_content_range_parse((const char *)data, size, &content))
        return 0;
    REQUIRE(content.satisfied || content.total_known);
    if (content.satisfied) {
        REQUIRE(content.range.first <= content.range.last);
        REQUIRE(!content.total_known || content.range.last < content.total);
    }
    format(text, sizeof(text), &content);
    REQUIRE(http_content_range_parse(text, strlen(text), &again));
    format(text_again, sizeof(text_again), &again);
    REQUIRE(strcmp(text, text_again) == 0);
    return 0;
}
