/* SPDX-License-Identifier: MIT */
#include "common/audit.h"
#include "common/clock.h"
#include "scratch.h"
#include "unit.h"

#include <signal.h>
#include <string.h>

static struct scratch scratch;
static struct audit *audit;
static struct error err;

static void set_up(void)
{
    scratch_create(&scratch);
    audit = NULL;
}

static void tear_down(void)
{
    audit_destroy(&audit);
    scratch_remove(&scratch);
}

static void start(uint64_t max_rate)
{
    ck_assert_int_eq(audit_create(&audit, max_rate, &err), ST_OK);
}

/* A file of n zeros, and what is true about it. */
static int make(size_t n, struct blob_info *info)
{
    int fd = openat(scratch.dir_fd, ".", O_TMPFILE | O_RDWR, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)n), 0);
    *info = (struct blob_info){.has_digest = true, .size = n};
    ck_assert_int_eq(blob_file_digest(fd, &info->digest, &err), ST_OK);
    return fd;
}

static enum status check(int fd, const struct blob_info *info,
                         struct sha256_digest *found)
{
    enum status st = audit_check(audit, fd, info, found, &err);

    close(fd);
    return st;
}

static const size_t sizes[] = {0, 1, 4096, 256 * 1024, 1000 * 1000};

START_TEST(a_blob_that_has_its_digest_is_clean)
{
    struct sha256_digest found;
    struct blob_info info;
    int fd = make(sizes[_i], &info);

    start(0);
    ck_assert_int_eq(check(fd, &info, &found), ST_OK);
    ck_assert(audit_is_clean(audit));
}
END_TEST

START_TEST(a_blob_with_another_digest_is_corrupt)
{
    struct sha256_digest found, truth;
    struct blob_info info;
    int fd = make(1000, &info);

    start(0);
    truth = info.digest;
    info.digest.bytes[0] ^= 1;
    ck_assert_int_eq(check(fd, &info, &found), ST_CORRUPT);
    ck_assert(sha256_equal(&found, &truth));
    ck_assert(!audit_is_clean(audit));
}
END_TEST

START_TEST(what_cannot_be_compared_or_read_is_not_clean)
{
    struct sha256_digest found;
    struct blob_info info;
    int fd = make(1000, &info);

    start(0);
    if (_i == 0) {
        info.has_digest = false;
        ck_assert_int_eq(check(fd, &info, &found), ST_END);
    } else if (_i == 1) {
        close(fd);
        fd = open(scratch.path, O_RDONLY | O_DIRECTORY);
        ck_assert_int_eq(check(fd, &info, &found), ST_SYSTEM);
    } else {
        close(fd);
        audit_unreadable(audit);
    }
    ck_assert(!audit_is_clean(audit));
}
END_TEST

START_TEST(a_slow_audit_stops_soon_when_told)
{
    uint64_t began_ns = clock_monotonic_ns();
    struct sha256_digest found;
    struct blob_info info;
    int fd = make(1000 * 1000, &info);

    start(1000);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    ck_assert_int_eq(check(fd, &info, &found), ST_CLOSED);
    ck_assert_uint_lt(clock_monotonic_ns() - began_ns, UINT64_C(10000000000));
    ck_assert(audit_is_clean(audit));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *cases = tcase_create("audit");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 30);
    tcase_add_loop_test(cases, a_blob_that_has_its_digest_is_clean, 0, COUNT_OF(sizes));
    tcase_add_test(cases, a_blob_with_another_digest_is_corrupt);
    tcase_add_loop_test(cases, what_cannot_be_compared_or_read_is_not_clean, 0, 3);
    tcase_add_test(cases, a_slow_audit_stops_soon_when_told);
    return unit_run(suite);
}
