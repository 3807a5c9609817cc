/* SPDX-License-Identifier: MIT */
#include "common/digest_field.h"
#include "tests/unit/unit.h"

#include <string.h>

#define EMPTY_BASE64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define EMPTY_HEX    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_BASE64   "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define ABC_HEX      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const struct {
    const char *value, *hex;
} good[] = {
    {"sha-256=:" EMPTY_BASE64 ":", EMPTY_HEX},
    {"  sha-256=:" EMPTY_BASE64 ":  ", EMPTY_HEX},
    {"sha-256=:" ABC_BASE64 ":;q=1", ABC_HEX},
    {"md5=:1B2M2Y8AsgTpgAmY7PhCfg==:, sha-256=:" ABC_BASE64 ":", ABC_HEX},
    {"sha-256=:" ABC_BASE64 ":, sha-512=:AAAA:", ABC_HEX},
    {"sha-256=:" EMPTY_BASE64 ":, sha-256=:" ABC_BASE64 ":", ABC_HEX}, /* last wins */
    {"sha-256=1, sha-256=:" ABC_BASE64 ":", ABC_HEX},
};

START_TEST(sha_256_is_found_in_the_dictionary)
{
    struct digest_field field = {0};
    char hex[SHA256_HEX_SIZE];

    ck_assert_int_eq(digest_field_parse(good[_i].value, strlen(good[_i].value), &field),
                     DIGEST_FIELD_OK);
    ck_assert_str_eq(sha256_to_hex(hex, &field.digest), good[_i].hex);
}
END_TEST

static const struct {
    const char *value, *algorithm;
} unsupported[] = {
    {"", ""},
    {"md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", "md5"},
    {"sha-512=:AAAA:, md5=:AAAA:", "sha-512"},
    {"sha-2567=:" EMPTY_BASE64 ":", "sha-2567"},
    {"sha-25=:" EMPTY_BASE64 ":", "sha-25"},
    {"x-sha-256", "x-sha-256"},
    {"a123456789b123456789c123456789d123456789=1", "a123456789b123456789c123456789d"},
};

START_TEST(dictionary_without_sha_256_names_what_it_has)
{
    struct digest_field field = {0};

    ck_assert_int_eq(digest_field_parse(unsupported[_i].value,
                                        strlen(unsupported[_i].value), &field),
                     DIGEST_FIELD_UNSUPPORTED);
    ck_assert_str_eq(field.algorithm, unsupported[_i].algorithm);
}
END_TEST

static const char *const invalid[] = {
    "sha-256",
    "sha-256=1",
    "sha-256=" EMPTY_BASE64,
    "sha-256=\"" EMPTY_BASE64 "\"",
    "SHA-256=" EMPTY_BASE64, /* RFC 3230's Digest */
    "SHA-256=:" EMPTY_BASE64 ":",
    "sha-256=:" EMPTY_HEX ":",
    "sha-256=::",
    "sha-256=:" EMPTY_BASE64,
    "sha-256=:" EMPTY_BASE64 ":,",
    "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU:",  /* no padding */
    "sha-256=:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=:", /* base64url */
    "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=:", /* stray bits */
    "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==:", /* 31 bytes */
    "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUA:", /* 33 bytes */
    "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS uFU=:",
    "sha-256=:" EMPTY_BASE64 ":, sha-256=:AAAA:", /* last wins, even when bad */
    "sha-256=(:" EMPTY_BASE64 ":)",
};

START_TEST(anything_else_is_invalid_for_a_reason)
{
    struct digest_field field = {0};

    ck_assert_int_eq(digest_field_parse(invalid[_i], strlen(invalid[_i]), &field),
                     DIGEST_FIELD_INVALID);
    ck_assert_ptr_nonnull(field.reason);
    ck_assert_uint_gt(strlen(field.reason), 0);
}
END_TEST

START_TEST(plain_hex_is_read)
{
    struct digest_field field = {0};
    char hex[SHA256_HEX_SIZE];

    ck_assert_int_eq(digest_field_parse_hex(ABC_HEX, 64, &field), DIGEST_FIELD_OK);
    ck_assert_str_eq(sha256_to_hex(hex, &field.digest), ABC_HEX);
}
END_TEST

START_TEST(plain_hex_of_another_length_is_invalid)
{
    struct digest_field field = {0};

    ck_assert_int_eq(digest_field_parse_hex(ABC_HEX, 63, &field), DIGEST_FIELD_INVALID);
    ck_assert_str_eq(field.reason, "not 64 hex digits");
}
END_TEST

START_TEST(formatted_field_is_the_standard_spelling)
{
    struct sha256_digest digest;
    char text[DIGEST_FIELD_TEXT_SIZE];

    ck_assert(sha256_from_hex(ABC_HEX, 64, &digest));
    ck_assert_str_eq(digest_field_format(text, &digest), "sha-256=:" ABC_BASE64 ":");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest_field");
    TCase *tcase = tcase_create("digest_field");

    tcase_add_loop_test(tcase, sha_256_is_found_in_the_dictionary, 0, COUNT_OF(good));
    tcase_add_loop_test(tcase, dictionary_without_sha_256_names_what_it_has, 0,
                        COUNT_OF(unsupported));
    tcase_add_loop_test(tcase, anything_else_is_invalid_for_a_reason, 0,
                        COUNT_OF(invalid));
    tcase_add_test(tcase, plain_hex_is_read);
    tcase_add_test(tcase, plain_hex_of_another_length_is_invalid);
    tcase_add_test(tcase, formatted_field_is_the_standard_spelling);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
