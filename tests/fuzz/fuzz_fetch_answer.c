/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/name.h"
#include "receiver/fetch/offer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/headers.h"

/* The status in three digits, then header lines; whatever they say, an answer that is
 * believed is the one asked for. */
static void check_answer(char *text)
{
    struct answer answer;
    struct offer offer;
    struct error err;
    const struct question first = {.ranged = true, .range = {100, 199}};
    struct question later = first;

    answer_read(&answer, (int)strtol(text, NULL, 10), 0, headers_find, text);
    if (answer_judge(&answer, &first, &err) == ANSWER_PART) {
        REQUIRE(answer.range.range.first == 100 && answer.range.range.last <= 199);
        REQUIRE(answer.range.range.last < answer.range.total);
    }
    later.known = &answer.validators;
    later.total = 1000;
    if (answer_judge(&answer, &later, &err) == ANSWER_PART)
        REQUIRE(answer.range.total == 1000);
    if (validators_if_range(&answer.validators) != NULL)
        REQUIRE(validators_are_strong(&answer.validators));
    offer_from_headers(&offer, true, headers_find, text);
    REQUIRE((offer.kind == OFFER_NONE) == (offer.source == NULL));
}

/* Also as a sidecar and as a URL: its name stays in its directory. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[FUZZ_INPUT_MAX + 2], name[NAME_SIZE], redacted[64];
    struct offer offer;
    struct error err;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (offer_from_sidecar(&offer, text, size, "name"))
        REQUIRE(offer.kind == OFFER_SHA256);
    name_redact_url(redacted, sizeof(redacted), text);
    if (name_from_url(name, text, &err) == ST_OK) {
        REQUIRE(strchr(name, '/') == NULL && name[0] != '.' && name[0] != '\0');
        REQUIRE(strlen(name) < NAME_SIZE);
    }
    size = strlen(text);
    text[size] = '\n';
    text[size + 1] = '\0';
    check_answer(text);
    return 0;
}
