/* SPDX-License-Identifier: MIT */
#include "common/md5.h"
#include "unit.h"

#include <string.h>

static const struct {
    const char *bytes, *base64;
} vectors[] = {
    /* RFC 1321, A.5 */
    {"", "1B2M2Y8AsgTpgAmY7PhCfg=="},
    {"abc", "kAFQmDzST7DWlj99KOF/cg=="},
    {"message digest", "+WtpfXy3k41SWi8xqvFh0A=="},
};

START_TEST(what_was_begun_before_does_not_count)
{
    char base64[MD5_BASE64_SIZE];
    uint8_t digest[MD5_BYTES];
    struct md5 *md5 = NULL;
    struct error err;

    ck_assert_int_eq(md5_create(&md5, &err), ST_OK);
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        md5_update(md5, "begun", 5);
        md5_start(md5);
        md5_update(md5, vectors[i].bytes, strlen(vectors[i].bytes));
        md5_finish(md5, digest);
        ck_assert_str_eq(md5_to_base64(base64, digest), vectors[i].base64);
    }
    md5_destroy(&md5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("md5");
    TCase *tcase = tcase_create("md5");

    tcase_add_test(tcase, what_was_begun_before_does_not_count);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
