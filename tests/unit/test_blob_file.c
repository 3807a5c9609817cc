/* SPDX-License-Identifier: MIT */
#include "common/blob_file.h"
#include "scratch.h"
#include "syscall_fault.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

static const char id_text[] = "94afe877-1c3d-7e5f-8a9b-0123456789ab";
static const char abc_sha256[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static struct scratch scratch;

static void set_up(void)
{
    scratch_create(&scratch);
}

static void tear_down(void)
{
    scratch_remove(&scratch);
}

static struct blob_info abc_info(const char *type)
{
    struct blob_info info = {.has_digest = true};

    ck_assert(sha256_from_hex(abc_sha256, strlen(abc_sha256), &info.digest));
    strcpy(info.type, type);
    return info;
}

/* Publishes "abc" with this description; the caller closes the descriptor. */
static int publish_abc(const struct blob_info *info)
{
    struct durable_file *file = NULL;
    struct error err;
    int fd;

    ck_assert_int_eq(durable_file_create(&file, scratch.dir_fd, &err), ST_OK);
    ck_assert_int_eq(durable_file_write(file, "abc", 3, &err), ST_OK);
    ck_assert_int_eq(blob_file_describe(file, info, &err), ST_OK);
    ck_assert_int_eq(durable_file_publish(&file, scratch.dir_fd, "abc", &err), ST_OK);
    fd = openat(scratch.dir_fd, "abc", O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(a_name_is_the_id_with_its_suffix_and_reads_back)
{
    char name[BLOB_FILE_NAME_SIZE];
    struct uuid id, again;

    ck_assert(uuid_parse(id_text, strlen(id_text), &id));
    ck_assert_str_eq(blob_file_name(name, &id),
                     "94afe877-1c3d-7e5f-8a9b-0123456789ab.bin");
    ck_assert(blob_file_name_parse(name, &again));
    ck_assert_int_eq(uuid_compare(&id, &again), 0);
}
END_TEST

static const char *const foreign_names[] = {
    "",
    ".",
    "dead",
    "94afe877-1c3d-7e5f-8a9b-0123456789ab",
    "94afe877-1c3d-7e5f-8a9b-0123456789ab.txt",
    "94afe877-1c3d-7e5f-8a9b-0123456789ab.BIN",
    "94AFE877-1c3d-7e5f-8a9b-0123456789ab.bin",
    "94afe877-1c3d-7e5f-8a9b-0123456789ab.bin~",
    "94afe877-1c3d-7e5f-8a9b-0123456789a.bin",
    "94afe877-1c3d-7e5f-8a9b-0123456789ag.bin",
    "00000000-0000-0000-0000-000000000000.bin",
};

START_TEST(a_name_that_is_not_ours_is_left_alone)
{
    struct uuid id;

    ck_assert(!blob_file_name_parse(foreign_names[_i], &id));
}
END_TEST

START_TEST(what_was_described_is_found_again)
{
    struct blob_info info = abc_info(BLOB_TYPE_INT16LE), found;
    struct error err;
    int fd = publish_abc(&info);

    ck_assert_int_eq(blob_file_inspect(fd, &found, &err), ST_OK);

    ck_assert(found.has_digest);
    ck_assert(sha256_equal(&found.digest, &info.digest));
    ck_assert_str_eq(found.type, BLOB_TYPE_INT16LE);
    ck_assert_uint_eq(found.size, 3);
    ck_assert_int_gt(found.modified_s, 1500000000);
    close(fd);
}
END_TEST

START_TEST(the_default_type_takes_no_attribute)
{
    struct blob_info info = abc_info(BLOB_TYPE_DEFAULT), found;
    struct error err;
    int fd = publish_abc(&info);
    char value[BLOB_TYPE_SIZE];

    ck_assert_int_lt(fgetxattr(fd, "user.blob.type", value, sizeof value), 0);
    ck_assert_int_eq(blob_file_inspect(fd, &found, &err), ST_OK);
    ck_assert_str_eq(found.type, BLOB_TYPE_DEFAULT);
    close(fd);
}
END_TEST

START_TEST(the_digest_attribute_is_64_hex_digits)
{
    struct blob_info info = abc_info("");
    int fd = publish_abc(&info);
    char value[SHA256_HEX_SIZE] = "";

    ck_assert_int_eq(fgetxattr(fd, "user.blob.sha256", value, sizeof value), 64);
    ck_assert_str_eq(value, abc_sha256);
    close(fd);
}
END_TEST

START_TEST(a_lost_digest_is_computed_and_remembered)
{
    struct blob_info info = {.has_digest = false}, found;
    struct sha256_digest digest;
    struct error err;
    int fd = publish_abc(&info);
    char hex[SHA256_HEX_SIZE];

    ck_assert_int_eq(blob_file_inspect(fd, &found, &err), ST_OK);
    ck_assert(!found.has_digest);
    ck_assert_int_eq(blob_file_digest(fd, &digest, &err), ST_OK);
    ck_assert_str_eq(sha256_to_hex(hex, &digest), abc_sha256);
    ck_assert_int_eq(blob_file_remember_digest(fd, &digest, &err), ST_OK);

    ck_assert_int_eq(blob_file_inspect(fd, &found, &err), ST_OK);
    ck_assert(found.has_digest);
    ck_assert(sha256_equal(&found.digest, &digest));
    close(fd);
}
END_TEST

static const char *const bad_digests[] = {
    "", "ba7816bf", "xa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0"};

START_TEST(a_mangled_digest_counts_as_lost_and_can_be_mended)
{
    struct blob_info info = abc_info(""), found;
    struct error err;
    int fd = publish_abc(&info);

    ck_assert_int_eq(
        fsetxattr(fd, "user.blob.sha256", bad_digests[_i], strlen(bad_digests[_i]), 0),
        0);
    ck_assert_int_eq(blob_file_inspect(fd, &found, &err), ST_OK);
    ck_assert(!found.has_digest);
    ck_assert_int_eq(blob_file_remember_digest(fd, &info.digest, &err), ST_OK);
    ck_assert_int_eq(blob_file_inspect(fd, &found, &err), ST_OK);
    ck_assert(found.has_digest);
    close(fd);
}
END_TEST

START_TEST(a_type_that_no_header_could_carry_is_not_believed)
{
    char longer[BLOB_TYPE_SIZE + 1];
    const char *const types[] = {"", "a/b\r\nX: y", "a/\xff", "a\x7f", longer};
    struct blob_info info = abc_info(""), found;
    struct error err;
    int fd = publish_abc(&info);

    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        ck_assert_int_eq(fsetxattr(fd, "user.blob.type", types[i], strlen(types[i]), 0),
                         0);
        ck_assert_int_eq(blob_file_inspect(fd, &found, &err), ST_OK);
        ck_assert_str_eq(found.type, BLOB_TYPE_DEFAULT);
    }
    close(fd);
}
END_TEST

START_TEST(a_directory_is_no_blob)
{
    struct blob_info found = {.size = 7};
    struct error err;

    ck_assert_int_eq(blob_file_inspect(scratch.dir_fd, &found, &err), ST_INVALID);
    ck_assert_str_eq(err.text, "not a regular file");
    ck_assert_uint_eq(found.size, 7);
}
END_TEST

START_TEST(a_file_longer_than_one_read_is_hashed_whole)
{
    static char zeros[700001];
    struct durable_file *file = NULL;
    struct sha256_digest expected, digest;
    struct sha256 *sha = NULL;
    struct error err;
    int fd;

    ck_assert_int_eq(durable_file_create(&file, scratch.dir_fd, &err), ST_OK);
    ck_assert_int_eq(durable_file_write(file, zeros, sizeof zeros, &err), ST_OK);
    ck_assert_int_eq(durable_file_publish(&file, scratch.dir_fd, "z", &err), ST_OK);
    ck_assert_int_eq(sha256_create(&sha, &err), ST_OK);
    sha256_update(sha, zeros, sizeof zeros);
    ck_assert_int_eq(sha256_finish(sha, &expected, &err), ST_OK);
    sha256_destroy(&sha);

    fd = openat(scratch.dir_fd, "z", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(lseek(fd, 1000, SEEK_SET), 1000);
    ck_assert_int_eq(blob_file_digest(fd, &digest, &err), ST_OK);
    ck_assert(sha256_equal(&digest, &expected));
    close(fd);
}
END_TEST

START_TEST(reading_what_cannot_be_read_is_an_error)
{
    struct sha256_digest digest;
    struct error err;

    ck_assert_int_eq(blob_file_digest(scratch.dir_fd, &digest, &err), ST_SYSTEM);
    ck_assert_str_eq(err.text, "read blob: Is a directory");
}
END_TEST

START_TEST(the_probe_accepts_a_good_file_system_and_leaves_nothing)
{
    struct error err;
    unsigned count = 7;

    ck_assert_int_eq(blob_file_probe_attributes(scratch.dir_fd, &err), ST_OK);
    ck_assert_int_eq(durable_file_sweep(scratch.dir_fd, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(the_probe_reports_a_place_where_nothing_can_be_written)
{
    struct error err;
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    ck_assert_int_eq(blob_file_probe_attributes(proc, &err), ST_SYSTEM);
    close(proc);
}
END_TEST

static int probe_in_vain(void)
{
    struct error err;

    if (blob_file_probe_attributes(scratch.dir_fd, &err) != ST_REFUSED)
        return 1;
    if (strstr(err.text, " file system ") == NULL ||
        strstr(err.text, " keeps no user attributes") == NULL)
        return 2;
    return 0;
}

START_TEST(the_probe_names_a_file_system_without_attributes)
{
    const struct syscall_fault fault = {.number = SYS_fsetxattr, .sys = EOPNOTSUPP};

    syscall_fault_run(&fault, probe_in_vain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blob_file");
    TCase *cases = tcase_create("blobs");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_name_is_the_id_with_its_suffix_and_reads_back);
    tcase_add_loop_test(cases, a_name_that_is_not_ours_is_left_alone, 0,
                        COUNT_OF(foreign_names));
    tcase_add_test(cases, what_was_described_is_found_again);
    tcase_add_test(cases, the_default_type_takes_no_attribute);
    tcase_add_test(cases, the_digest_attribute_is_64_hex_digits);
    tcase_add_test(cases, a_lost_digest_is_computed_and_remembered);
    tcase_add_loop_test(cases, a_mangled_digest_counts_as_lost_and_can_be_mended, 0,
                        COUNT_OF(bad_digests));
    tcase_add_test(cases, a_type_that_no_header_could_carry_is_not_believed);
    tcase_add_test(cases, a_directory_is_no_blob);
    tcase_add_test(cases, a_file_longer_than_one_read_is_hashed_whole);
    tcase_add_test(cases, reading_what_cannot_be_read_is_an_error);
    tcase_add_test(cases, the_probe_accepts_a_good_file_system_and_leaves_nothing);
    tcase_add_test(cases, the_probe_names_a_file_system_without_attributes);
    tcase_add_test(cases, the_probe_reports_a_place_where_nothing_can_be_written);
    return unit_run(suite);
}
