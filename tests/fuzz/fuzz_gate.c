/* SPDX-License-Identifier: MIT */
#include "common/units.h"
#include "receiver/gate.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/split_head.h"

#include <strings.h>

/* A second opinion: reads the head as RFC 9112 spells it, from its bytes alone. */
struct reader {
    const char *at, *end;
};

static bool skip(struct reader *reader, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, text, n) != 0)
        return false;
    reader->at += n;
    return true;
}

/* Everything before `stop`, none of it a control character but the tab. */
static size_t take_until(struct reader *reader, const char *stop)
{
    const char *start = reader->at;
    struct reader ahead = *reader;

    while (ahead.at < ahead.end && !skip(&ahead, stop)) {
        unsigned char c = (unsigned char)*ahead.at++;

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            break;
        reader->at = ahead.at;
    }
    return (size_t)(reader->at - start);
}

struct framing {
    unsigned lengths, encodings, hosts;
    uint64_t length;
};

static bool is(const char *name, size_t n, const char *wanted)
{
    return n == strlen(wanted) && strncasecmp(name, wanted, n) == 0;
}

static void read_field(struct framing *framing, const char *name, size_t name_length,
                       const char *value, size_t n)
{
    char text[FUZZ_INPUT_MAX + 1];

    while (n > 0 && (*value == ' ' || *value == '\t'))
        value++, n--;
    if (is(name, name_length, "Host"))
        framing->hosts++;
    if (is(name, name_length, "Transfer-Encoding")) {
        framing->encodings++;
        REQUIRE(is(value, n, "chunked"));
    }
    if (is(name, name_length, "Content-Length")) {
        framing->lengths++;
        snprintf(text, sizeof text, "%.*s", (int)n, value);
        REQUIRE(units_parse_count(text, &framing->length));
    }
}

static struct framing read_strictly(const char *bytes, size_t n)
{
    struct reader reader = {bytes, bytes + n};
    struct framing framing = {0};

    REQUIRE(take_until(&reader, " ") > 0 && skip(&reader, " "));
    REQUIRE(take_until(&reader, " ") > 0 && skip(&reader, " "));
    REQUIRE(skip(&reader, "HTTP/1.1") || skip(&reader, "HTTP/1.0"));
    REQUIRE(skip(&reader, "\r\n"));
    while (!skip(&reader, "\r\n")) {
        const char *name = reader.at, *value;
        size_t name_length = take_until(&reader, ":"), value_length;

        REQUIRE(name_length > 0 && skip(&reader, ":"));
        REQUIRE(!memchr(name, ' ', name_length) && !memchr(name, '\t', name_length));
        value = reader.at;
        value_length = take_until(&reader, "\r\n");
        REQUIRE(skip(&reader, "\r\n"));
        read_field(&framing, name, name_length, value, value_length);
    }
    REQUIRE(reader.at == reader.end);
    return framing;
}

static void check_passed(const struct request *request, const char *bytes, size_t n)
{
    struct framing framing = read_strictly(bytes, n);

    REQUIRE(framing.lengths + framing.encodings <= 1);
    REQUIRE(request->has_length == (framing.lengths == 1));
    REQUIRE(request->chunked == (framing.encodings == 1));
    REQUIRE(!request->has_length || request->length == framing.length);
    REQUIRE(framing.hosts == 1 || strcmp(request->version, "HTTP/1.0") == 0);
    REQUIRE(request->reply.status == 0);
}

/* What passes, a strict reader reads in the same way; unless a NUL byte took the place
 * of a missing CR, which nobody can tell any more. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct split_head split;
    struct request *request = &split.request;
    char *bytes;

    if (size == 0 || size > FUZZ_INPUT_MAX)
        return 0;
    bytes = malloc(size);
    REQUIRE(bytes != NULL);
    memcpy(bytes, data, size);
    if (!split_head(&split, bytes, size)) {
        free(bytes);
        return 0;
    }
    if (!gate_check(request) || !gate_check_layout(request, &split.head)) {
        REQUIRE(request->reply.status == 400 || request->reply.status == 417);
        REQUIRE(request->reply.close);
    } else if (!memchr(data, '\0', split.head.size)) {
        check_passed(request, (const char *)data, split.head.size);
    }
    free(bytes);
    return 0;
}
