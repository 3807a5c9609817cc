/* SPDX-License-Identifier: MIT */
#include "common/sha256.h"
#include "tests/unit/unit.h"

#include <string.h>

/* FIPS 180-4 examples and NIST CAVP SHA256ShortMsg; `repeat` times `text`. */
static const struct vector {
    const char *text;
    size_t length, repeat;
    const char *hex;
} vectors[] = {
    {"", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
     "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     112, 1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1, 1000000,
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"\xd3", 1, 1, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
    {"\0", 1, 1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
};

static struct sha256 *new_sha(void)
{
    struct sha256 *sha = NULL;
    struct error err;

    ck_assert_int_eq(sha256_create(&sha, &err), ST_OK);
    return sha;
}

static const char *finish_hex(struct sha256 *sha, char hex[SHA256_HEX_SIZE])
{
    struct sha256_digest digest;
    struct error err;

    ck_assert_int_eq(sha256_finish(sha, &digest, &err), ST_OK);
    return sha256_to_hex(hex, &digest);
}

START_TEST(digest_is_the_published_one)
{
    const struct vector *v = &vectors[_i];
    struct sha256 *sha = new_sha();
    char hex[SHA256_HEX_SIZE];

    for (size_t i = 0; i < v->repeat; i++)
        sha256_update(sha, v->text, v->length);

    ck_assert_str_eq(finish_hex(sha, hex), v->hex);
    sha256_destroy(&sha);
    ck_assert_ptr_null(sha);
}
END_TEST

static const size_t pieces[] = {1, 3, 31, 55, 56, 63, 64, 65, 127, 1000, 4096, 65537};

START_TEST(pieces_do_not_change_the_digest)
{
    static uint8_t bytes[200003];
    struct sha256 *sha = new_sha();
    char whole[SHA256_HEX_SIZE], streamed[SHA256_HEX_SIZE];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    sha256_update(sha, bytes, sizeof(bytes));
    finish_hex(sha, whole);

    sha256_start(sha);
    for (size_t at = 0, n; at < sizeof(bytes); at += n) {
        n = sizeof(bytes) - at < pieces[_i] ? sizeof(bytes) - at : pieces[_i];
        sha256_update(sha, bytes + at, n);
        sha256_update(sha, bytes + at, 0);
    }
    ck_assert_str_eq(finish_hex(sha, streamed), whole);
    sha256_destroy(&sha);
}
END_TEST

START_TEST(start_forgets_what_was_hashed)
{
    struct sha256 *sha = new_sha();
    char hex[SHA256_HEX_SIZE];

    sha256_update(sha, "left over", 9);
    sha256_start(sha);
    sha256_update(sha, "abc", 3);
    ck_assert_str_eq(finish_hex(sha, hex), vectors[1].hex);

    sha256_start(sha);
    ck_assert_str_eq(finish_hex(sha, hex), vectors[0].hex);
    sha256_destroy(&sha);
}
END_TEST

START_TEST(destroy_accepts_nothing)
{
    struct sha256 *sha = NULL;

    sha256_destroy(&sha);
}
END_TEST

START_TEST(implementation_has_a_name)
{
    ck_assert(strcmp(sha256_implementation, "openssl") == 0 ||
              strcmp(sha256_implementation, "sodium") == 0);
}
END_TEST

START_TEST(hex_and_base64_spell_the_same_digest)
{
    struct sha256_digest digest;
    char hex[SHA256_HEX_SIZE], base64[SHA256_BASE64_SIZE];

    ck_assert(sha256_from_hex(vectors[0].hex, 64, &digest));
    ck_assert_str_eq(sha256_to_hex(hex, &digest), vectors[0].hex);
    ck_assert_str_eq(sha256_to_base64(base64, &digest),
                     "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}
END_TEST

START_TEST(hex_is_read_in_either_case)
{
    struct sha256_digest lower, upper, other;

    ck_assert(sha256_from_hex(
        "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", 64,
        &upper));
    ck_assert(sha256_from_hex(vectors[0].hex, 64, &lower));
    ck_assert(sha256_from_hex(vectors[1].hex, 64, &other));
    ck_assert(sha256_equal(&lower, &upper));
    ck_assert(!sha256_equal(&lower, &other));
}
END_TEST

#define HEX62 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8"

static const struct {
    const char *text;
    size_t length;
} bad_hex[] = {
    {"", 0},           {HEX62 "5", 63},  {HEX62 "555", 65},
    {HEX62 "5g", 64},  {HEX62 "5 ", 64}, {" " HEX62 "5", 64},
    {HEX62 "5\0", 64}, {HEX62 "-5", 64}, {"0x" HEX62, 64},
};

START_TEST(anything_but_64_hex_digits_is_refused)
{
    struct sha256_digest digest, before;

    memset(&digest, 0xA5, sizeof(digest));
    before = digest;
    ck_assert(!sha256_from_hex(bad_hex[_i].text, bad_hex[_i].length, &digest));
    ck_assert(sha256_equal(&digest, &before));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tcase = tcase_create("sha256");

    tcase_add_loop_test(tcase, digest_is_the_published_one, 0, COUNT_OF(vectors));
    tcase_add_loop_test(tcase, pieces_do_not_change_the_digest, 0, COUNT_OF(pieces));
    tcase_add_test(tcase, start_forgets_what_was_hashed);
    tcase_add_test(tcase, destroy_accepts_nothing);
    tcase_add_test(tcase, implementation_has_a_name);
    tcase_add_test(tcase, hex_and_base64_spell_the_same_digest);
    tcase_add_test(tcase, hex_is_read_in_either_case);
    tcase_add_loop_test(tcase, anything_but_64_hex_digits_is_refused, 0,
                        COUNT_OF(bad_hex));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
