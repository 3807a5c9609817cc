/* SPDX-License-Identifier: MIT */
#include "common/uuid.h"
#include "tests/unit/unit.h"

#include <string.h>

static const struct {
    const char *text, *canonical;
    unsigned version;
} good[] = {
    /* RFC 9562, appendix A */
    {"C232AB00-9414-11EC-B3C8-9F6BDECED846", "c232ab00-9414-11ec-b3c8-9f6bdeced846", 1},
    {"5df41881-3aed-3515-88a7-2f4a814cf09e", "5df41881-3aed-3515-88a7-2f4a814cf09e", 3},
    {"919108f7-52d1-4320-9bac-f847db4148a8", "919108f7-52d1-4320-9bac-f847db4148a8", 4},
    {"2ed6657d-e927-568b-95e1-2665a8aea6a2", "2ed6657d-e927-568b-95e1-2665a8aea6a2", 5},
    {"017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 7},
    /* other variants have no version */
    {"017f22e2-79b0-7cc3-18c4-dc0c0c07398f", "017f22e2-79b0-7cc3-18c4-dc0c0c07398f", 0},
    {"017f22e2-79b0-7cc3-d8c4-dc0c0c07398f", "017f22e2-79b0-7cc3-d8c4-dc0c0c07398f", 0},
    /* next to the nil and max UUIDs */
    {"00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001", 0},
    {"ffffffff-ffff-ffff-ffff-fffffffffffe", "ffffffff-ffff-ffff-ffff-fffffffffffe", 0},
};

START_TEST(uuid_is_read_in_either_case_and_written_in_lower)
{
    struct uuid uuid;
    char text[UUID_TEXT_SIZE];

    ck_assert(uuid_parse(good[_i].text, 36, &uuid));
    ck_assert_str_eq(uuid_format(text, &uuid), good[_i].canonical);
    ck_assert_uint_eq(uuid_version(&uuid), good[_i].version);
}
END_TEST

static const struct {
    const char *text;
    size_t length;
} bad[] = {
    {"", 0},
    {"00000000-0000-0000-0000-000000000000", 36}, /* nil */
    {"ffffffff-ffff-ffff-ffff-ffffffffffff", 36}, /* max */
    {"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", 36},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c07398", 35},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", 37},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f ", 37},
    {"017f22e279b07cc398c4dc0c0c07398f", 32},
    {"{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}", 38},
    {"urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 45},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c07398g", 36},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c07-98f", 36},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c0739--", 36},
    {"-17f22e2-79b0-7cc3-98c4-dc0c0c07398f", 36},
    {"017f22e27-9b0-7cc3-98c4-dc0c0c07398f", 36},
    {"017f22e2_79b0_7cc3_98c4_dc0c0c07398f", 36},
    {"017f22e2-79b0-7cc3-98c4-dc0c0c0739\0f", 36},
    {"../../../../../../../../etc/passwd..", 36},
};

START_TEST(any_other_spelling_is_refused)
{
    struct uuid uuid, before;

    memset(&uuid, 0xA5, sizeof(uuid));
    before = uuid;
    ck_assert(!uuid_parse(bad[_i].text, bad[_i].length, &uuid));
    ck_assert_int_eq(uuid_compare(&uuid, &before), 0);
}
END_TEST

static const uint64_t times_ms[] = {0, 1, 1645557742000, (1ULL << 48) - 1};

START_TEST(generated_uuid_carries_its_time)
{
    struct uuid uuid = uuid_generate(times_ms[_i]), again;
    char text[UUID_TEXT_SIZE];

    ck_assert_uint_eq(uuid_unix_ms(&uuid), times_ms[_i]);
    ck_assert_uint_eq(uuid_version(&uuid), 7);
    ck_assert(uuid_parse(uuid_format(text, &uuid), 36, &again));
    ck_assert_int_eq(uuid_compare(&uuid, &again), 0);
}
END_TEST

START_TEST(published_version_7_tells_its_time)
{
    struct uuid uuid;

    ck_assert(uuid_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", 36, &uuid));
    ck_assert_uint_eq(uuid_unix_ms(&uuid), 1645557742000);
}
END_TEST

START_TEST(uuids_of_one_millisecond_differ)
{
    struct uuid ids[64];

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ids[i] = uuid_generate(1645557742000);
        for (size_t j = 0; j < i; j++)
            ck_assert_int_ne(uuid_compare(&ids[i], &ids[j]), 0);
    }
}
END_TEST

START_TEST(order_of_uuids_is_order_of_time)
{
    struct uuid earlier = uuid_generate(0xFF), later = uuid_generate(0x100);

    ck_assert_int_lt(uuid_compare(&earlier, &later), 0);
    ck_assert_int_gt(uuid_compare(&later, &earlier), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uuid");
    TCase *tcase = tcase_create("uuid");

    tcase_add_loop_test(tcase, uuid_is_read_in_either_case_and_written_in_lower, 0,
                        COUNT_OF(good));
    tcase_add_loop_test(tcase, any_other_spelling_is_refused, 0, COUNT_OF(bad));
    tcase_add_loop_test(tcase, generated_uuid_carries_its_time, 0, COUNT_OF(times_ms));
    tcase_add_test(tcase, published_version_7_tells_its_time);
    tcase_add_test(tcase, uuids_of_one_millisecond_differ);
    tcase_add_test(tcase, order_of_uuids_is_order_of_time);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
