/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/offer.h"
#include "tests/unit/headers.h"
#include "tests/unit/unit.h"

/* All of the empty string. */
#define HEX    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define BASE64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define MD5    "1B2M2Y8AsgTpgAmY7PhCfg=="

static const struct {
    const char *headers, *source;
} offers[] = {
    {"Repr-Digest: sha-256=:" BASE64 ":\nDigest: SHA-256=" BASE64 "\n", "Repr-Digest"},
    {"Repr-Digest: md5=:" MD5 ":\nDigest: SHA-256=" BASE64 "\n", "Digest"},
    {"Digest: unixsum=1, sha-256=" BASE64 "\n", "Digest"},
    {"x-amz-checksum-sha256: " BASE64 "\n", "x-amz-checksum-sha256"},
    {"x-amz-checksum-sha256: " BASE64 "-7\n", NULL},
    {"X-Amz-Meta-Sha256: " HEX "\n", "x-amz-meta-sha256"},
    {"x-amz-meta-sha256: deadbeef\nContent-MD5: " MD5 "\n", "Content-MD5"},
    {"Content-MD5: " MD5 "\n", "Content-MD5"},
    {"Content-MD5: AAAA\n", NULL},
    {"Digest: sha-256=AAAA\n", NULL},
    {"", NULL},
};

START_TEST(best_header_is_chosen)
{
    char text[512];
    struct offer offer;

    snprintf(text, sizeof text, "%s", offers[_i].headers);
    offer_from_headers(&offer, true, headers_find, text);
    ck_assert_pstr_eq(offer.source, offers[_i].source);
    ck_assert_int_eq(offer.kind == OFFER_NONE, offers[_i].source == NULL);
    if (offer.kind == OFFER_SHA256)
        ck_assert_uint_eq(offer.sha256.bytes[0], 0xe3);
    if (offer.kind == OFFER_MD5)
        ck_assert_uint_eq(offer.md5[0], 0xd4);
}
END_TEST

START_TEST(content_md5_of_a_part_says_nothing)
{
    char text[] = "Content-MD5: " MD5 "\n";
    struct offer offer;

    offer_from_headers(&offer, false, headers_find, text);
    ck_assert_int_eq(offer.kind, OFFER_NONE);
}
END_TEST

START_TEST(option_is_strict)
{
    struct offer offer;
    struct error err;

    ck_assert_int_eq(offer_from_option(&offer, "sha-256=" HEX, &err), ST_OK);
    ck_assert_int_eq(offer_from_option(&offer, HEX, &err), ST_INVALID);
    ck_assert_int_eq(offer_from_option(&offer, "sha-256=" HEX "0", &err), ST_INVALID);
    ck_assert_int_eq(offer_from_option(&offer, "md5=" HEX, &err), ST_INVALID);
    ck_assert_int_eq(offer_from_option(&offer, "", &err), ST_INVALID);
}
END_TEST

#define OTHER "0000000000000000000000000000000000000000000000000000000000000000"

static const struct {
    const char *text;
    bool usable;
} sidecars[] = {
    {HEX "\n", true},
    {HEX, true},
    {HEX "\r\n", true},
    {HEX "  a.bin\n", true},
    {HEX " *a.bin\n", true},
    {HEX "  ./dist/a.bin\n", true},
    {HEX "  elsewhere.bin\n", true}, /* the only line */
    {OTHER "  b.bin\n" HEX "  a.bin\n" OTHER "  c.bin\n", true},
    {"# made today\n\n" HEX "  a.bin\n", true},
    {OTHER "  b.bin\n" OTHER "  c.bin\n", false},
    {"<html>not found</html>\n", false},
    {HEX "junk\n", false},
    {"\n", false},
    {"", false},
};

START_TEST(sidecar_is_read)
{
    struct offer offer;
    bool usable = offer_from_sidecar(&offer, sidecars[_i].text,
                                     strlen(sidecars[_i].text), "a.bin");

    ck_assert_int_eq(usable, sidecars[_i].usable);
    if (usable)
        ck_assert_uint_eq(offer.sha256.bytes[0], 0xe3);
}
END_TEST

/* RFC 1321, appendix A.5, and lengths around the block. */
static const struct {
    const char *text, *hex;
} md5s[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {"1234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0",
     "57edf4a22be3c955ac49da2e2107b67a"},
};

START_TEST(md5_agrees_with_its_specification)
{
    struct md5 *md5 = NULL;
    struct error err;
    uint8_t digest[MD5_BYTES];
    char hex[2 * MD5_BYTES + 1];

    for (size_t step = 1; step <= 80; step++) {
        const char *at = md5s[_i].text;

        ck_assert_int_eq(md5_create(&md5, &err), ST_OK);
        for (size_t left = strlen(at); left > 0;) {
            size_t n = step < left ? step : left;

            md5_update(md5, at, n);
            at += n;
            left -= n;
        }
        md5_finish(md5, digest);
        md5_destroy(&md5);
        for (size_t i = 0; i < MD5_BYTES; i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        ck_assert_str_eq(hex, md5s[_i].hex);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_offer");
    TCase *tcase = tcase_create("fetch_offer");

    tcase_add_loop_test(tcase, best_header_is_chosen, 0, COUNT_OF(offers));
    tcase_add_test(tcase, content_md5_of_a_part_says_nothing);
    tcase_add_test(tcase, option_is_strict);
    tcase_add_loop_test(tcase, sidecar_is_read, 0, COUNT_OF(sidecars));
    tcase_add_loop_test(tcase, md5_agrees_with_its_specification, 0, COUNT_OF(md5s));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
