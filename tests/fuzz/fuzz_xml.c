/* SPDX-License-Identifier: MIT */
#include "common/object/metadata.h"
#include "common/object/xml.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

struct trace {
    size_t elements, bytes;
};

static void note(void *context, const char *path, const char *text)
{
    struct trace *trace = context;

    REQUIRE(*path != '\0' && strlen(path) <= XML_PATH_MAX);
    REQUIRE(strlen(text) <= XML_TEXT_MAX);
    trace->elements++;
    trace->bytes += strlen(path) + strlen(text);
}

/* What was read as a time or a mode survives being written. */
static void check_metadata(const char *text)
{
    char out[METADATA_TIME_SIZE], mode_out[METADATA_MODE_SIZE];
    struct timespec time, again;
    uint32_t mode, mode_again;

    if (metadata_parse_time(text, &time)) {
        REQUIRE(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
        REQUIRE(metadata_parse_time(metadata_format_time(out, time), &again));
        REQUIRE(again.tv_sec == time.tv_sec && again.tv_nsec == time.tv_nsec);
    }
    if (metadata_parse_date(text, &time))
        REQUIRE(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
    if (metadata_parse_mode(text, &mode)) {
        REQUIRE(metadata_parse_mode(metadata_format_mode(mode_out, mode), &mode_again));
        REQUIRE(mode_again == mode);
    }
}

/* XML forbids what an answer is read in spite of. */
static bool has_controls(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' && !memchr("\t\r\n", text[i], 3))
            return true;
    }
    return memmem(text, size, "&#", 2) != NULL;
}

/* A document says the same whole and in pieces. */
static void check_pieces(const char *text, size_t size, enum status st_whole,
                         const struct trace *whole)
{
    struct trace pieces = {0};
    struct xml *xml = NULL;
    struct error err;
    enum status st;

    REQUIRE(xml_create(&xml, note, &pieces, &err) == ST_OK);
    st = xml_feed(xml, text, size / 2, &err);
    if (st == ST_OK)
        st = xml_feed(xml, text + size / 2, size - size / 2, &err);
    if (st == ST_OK)
        st = xml_finish(xml, &err);
    xml_destroy(&xml);
    if (st != ST_OK || has_controls(text, size))
        return;
    REQUIRE(st_whole == ST_OK);
    REQUIRE(whole->elements == pieces.elements && whole->bytes == pieces.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[FUZZ_INPUT_MAX + 1];
    struct trace whole = {0};
    struct error err;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_metadata(text);
    check_pieces(text, size, xml_read_answer(text, size, note, &whole, &err), &whole);
    return 0;
}
