/* SPDX-License-Identifier: MIT */
#include "receiver/space.h"
#include "stored.h"
#include "syscall_fault.h"
#include "unit.h"

#include <errno.h>
#include <unistd.h>

#define MIB UINT64_C(1048576)

/* Others write to this disk while the tests run. */
#define SLACK (64 * MIB)

static struct scratch scratch;
static struct store *store;
static struct space *space;
static struct durable_file *file;
static struct error err;

static void set_up(void)
{
    scratch_create(&scratch);
    store = stored_open(&scratch);
    ck_assert_int_eq(store_create_file(store, &file, &err), ST_OK);
}

static void tear_down(void)
{
    durable_file_discard(&file);
    space_destroy(&space);
    store_close(&store);
    scratch_remove(&scratch);
}

static void create(uint64_t max_inflight, uint64_t min_free)
{
    const struct space_config config = {.max_inflight_bytes = max_inflight,
                                        .min_free_bytes = min_free};

    ck_assert_int_eq(space_create(&space, store, &config, &err), ST_OK);
}

static uint64_t room(void)
{
    uint64_t bytes = 0;

    ck_assert_int_eq(store_room(store, &bytes, &err), ST_OK);
    ck_assert_uint_gt(bytes, 12 * SLACK);
    return bytes;
}

START_TEST(what_is_under_way_is_limited_and_given_back)
{
    struct space_share first = {0}, second = {0};

    create(10 * MIB, 0);

    ck_assert_int_eq(space_take(space, &first, file, 3 * MIB, &err), ST_OK);
    ck_assert_int_eq(space_take(space, &second, NULL, 8 * MIB, &err), ST_AGAIN);
    space_give_back(space, &second);
    ck_assert_int_eq(space_take(space, &second, NULL, 7 * MIB, &err), ST_OK);
    ck_assert_uint_eq(space_inflight_bytes(space), 10 * MIB);
    space_give_back(space, &first);
    space_give_back(space, &second);
    ck_assert_uint_eq(space_inflight_bytes(space), 0);
}
END_TEST

START_TEST(one_upload_alone_may_be_larger_than_the_limit)
{
    struct space_share first = {0}, second = {0};

    create(MIB, 0);

    ck_assert_int_eq(space_take(space, &first, NULL, 50 * MIB, &err), ST_OK);
    ck_assert_int_eq(space_take(space, &second, NULL, 1, &err), ST_AGAIN);
    space_give_back(space, &first);
    space_give_back(space, &second);
    ck_assert_int_eq(space_take(space, &second, NULL, 1, &err), ST_OK);
    space_give_back(space, &second);
}
END_TEST

START_TEST(what_comes_unannounced_counts_as_it_comes)
{
    struct space_share other = {0}, growing = {0};

    create(MIB, 0);

    ck_assert_int_eq(space_take(space, &other, NULL, MIB / 2, &err), ST_OK);
    ck_assert_int_eq(space_take(space, &growing, file, 0, &err), ST_OK);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(space_use(space, &growing, MIB / 16, &err), ST_OK);
    ck_assert_int_eq(space_use(space, &growing, 1, &err), ST_AGAIN);
    space_give_back(space, &growing);
    space_give_back(space, &other);
    ck_assert_uint_eq(space_inflight_bytes(space), 0);
}
END_TEST

START_TEST(a_blob_that_would_eat_into_the_minimum_is_refused)
{
    struct space_share share = {0};

    create(0, room() - 2 * SLACK);

    ck_assert_int_eq(space_take(space, &share, file, 4 * SLACK, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, ENOSPC);
    space_give_back(space, &share);
    ck_assert_int_eq(space_take(space, &share, file, MIB, &err), ST_OK);
    space_give_back(space, &share);
    ck_assert_ptr_null(space_unready(space));
}
END_TEST

START_TEST(promises_to_small_blobs_add_up)
{
    enum { SHARES = 48 };
    static struct space_share share[SHARES];
    struct space_share large = {0};

    create(0, room() - 4 * SLACK);

    for (int i = 0; i < SHARES; i++)
        ck_assert_int_eq(space_take(space, &share[i], file, 2 * MIB, &err), ST_OK);
    ck_assert_int_eq(space_take(space, &large, file, 4 * SLACK, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, ENOSPC);
    space_give_back(space, &large);
    for (int i = 0; i < SHARES; i++)
        space_give_back(space, &share[i]);
    ck_assert_int_eq(space_take(space, &large, file, 2 * SLACK, &err), ST_OK);
    space_give_back(space, &large);
}
END_TEST

static void announce_nearly_everything(uint64_t each, int n)
{
    for (int i = 0; i < n; i++) {
        struct space_share never_given_back = {0};

        ck_assert_int_eq(space_take(space, &never_given_back, file, each, &err), ST_OK);
    }
}

START_TEST(announcements_leave_half_of_the_room_to_others)
{
    struct space_share share = {0};

    create(0, room() - 8 * SLACK);
    if (_i == 0)
        announce_nearly_everything(7 * SLACK, 1);
    else
        announce_nearly_everything(2 * MIB, 256);

    ck_assert_int_eq(space_take(space, &share, file, 3 * SLACK, &err), ST_OK);
    space_give_back(space, &share);
}
END_TEST

START_TEST(what_was_not_set_aside_is_taken_as_it_comes)
{
    struct space_share share = {0};
    struct durable_file *of_others = NULL;

    create(0, room() - 6 * SLACK);
    ck_assert_int_eq(space_take(space, &share, file, 5 * SLACK, &err), ST_OK);
    ck_assert_int_eq(store_create_file(store, &of_others, &err), ST_OK);
    ck_assert_int_eq(durable_file_reserve(of_others, 4 * SLACK, &err), ST_OK);
    usleep(10 * 1000); /* a number may be believed for two milliseconds */

    ck_assert_int_eq(space_use(space, &share, 2 * SLACK, &err), ST_OK);
    ck_assert_int_eq(space_use(space, &share, 3 * SLACK, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, ENOSPC);
    space_give_back(space, &share);
    ck_assert_uint_eq(space_inflight_bytes(space), 0);
    durable_file_discard(&of_others);
}
END_TEST

START_TEST(too_little_free_is_unready)
{
    struct space_share share = {0};

    create(0, room() + 4 * SLACK);

    ck_assert_ptr_nonnull(space_unready(space));
    ck_assert_int_eq(space_take(space, &share, file, 0, &err), ST_SYSTEM);
    ck_assert_int_eq(err.sys, ENOSPC);
    space_give_back(space, &share);
}
END_TEST

START_TEST(absurd_announcements_do_not_overflow)
{
    struct space_share share[3] = {{0}, {0}, {0}};

    create(0, INT64_MAX / 2);

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(space_take(space, &share[i], file, INT64_MAX, &err),
                         ST_SYSTEM);
    for (int i = 0; i < 3; i++)
        space_give_back(space, &share[i]);
    ck_assert_uint_eq(space_inflight_bytes(space), 0);
}
END_TEST

START_TEST(a_replay_needs_no_room)
{
    struct space_share share = {0};

    create(0, room() + 4 * SLACK);

    ck_assert_int_eq(space_take(space, &share, NULL, MIB, &err), ST_OK);
    ck_assert_int_eq(space_use(space, &share, MIB, &err), ST_OK);
    ck_assert_int_eq(space_use(space, &share, MIB, &err), ST_OK); /* unannounced */
    ck_assert_uint_eq(space_inflight_bytes(space), 2 * MIB);
    space_give_back(space, &share);
}
END_TEST

START_TEST(a_large_announcement_is_allocated_at_once)
{
    struct space_share share = {0};
    uint64_t before;

    create(0, 0);
    before = room();

    ck_assert_int_eq(space_take(space, &share, file, 4 * SLACK, &err), ST_OK);
    ck_assert_uint_lt(room(), before - 2 * SLACK);
    ck_assert_uint_eq(durable_file_size(file), 0);
    space_give_back(space, &share);
    durable_file_discard(&file);
    ck_assert_uint_gt(room(), before - 2 * SLACK);
}
END_TEST

static int promise_where_nothing_can_be_allocated(void)
{
    struct space_share share = {0};

    if (space_take(space, &share, file, 8 * MIB, &err) != ST_OK)
        return 1;
    if (share.aside != 8 * MIB || share.allocated)
        return 2;
    space_give_back(space, &share);
    return 0;
}

START_TEST(without_fallocate_there_is_a_promise)
{
    const struct syscall_fault fault = {.number = SYS_fallocate, .sys = EOPNOTSUPP};

    create(0, 0);
    syscall_fault_run(&fault, promise_where_nothing_can_be_allocated);
}
END_TEST

static int take_all_of_a_large_announcement(void)
{
    static const char bytes[MIB];
    struct space_share share = {0};

    if (space_take(space, &share, file, 5 * SLACK, &err) != ST_OK)
        return 1;
    for (uint64_t came = 0; came < 5 * SLACK; came += sizeof bytes) {
        if (space_use(space, &share, sizeof bytes, &err) != ST_OK)
            return 2;
        if (durable_file_write(file, bytes, sizeof bytes, &err) != ST_OK)
            return 3;
    }
    space_give_back(space, &share);
    return 0;
}

START_TEST(without_fallocate_more_than_half_of_the_room_can_be_used)
{
    const struct syscall_fault fault = {.number = SYS_fallocate, .sys = EOPNOTSUPP};

    create(0, room() - 7 * SLACK);
    syscall_fault_run(&fault, take_all_of_a_large_announcement);
}
END_TEST

static int be_out_of_quota(void)
{
    struct space_share share = {0};

    return space_take(space, &share, file, 8 * MIB, &err) == ST_SYSTEM &&
                   err.sys == EDQUOT && share.aside == 0
               ? 0
               : 1;
}

START_TEST(a_quota_refuses_before_the_first_byte)
{
    const struct syscall_fault fault = {.number = SYS_fallocate, .sys = EDQUOT};

    create(0, 0);
    syscall_fault_run(&fault, be_out_of_quota);
}
END_TEST

static int stay_unready(void)
{
    space_refused(space);
    return space_unready(space) ? 0 : 1;
}

START_TEST(a_refusal_lasts_while_nothing_can_be_written)
{
    const struct syscall_fault fault = {.number = SYS_write, .sys = EDQUOT};

    create(0, 0);
    syscall_fault_run(&fault, stay_unready);
}
END_TEST

START_TEST(a_refusal_is_over_once_a_file_can_be_written)
{
    create(0, 0);

    space_refused(space);
    ck_assert_ptr_null(space_unready(space));
}
END_TEST

START_TEST(refusing_one_blob_after_another_is_no_full_disk)
{
    create(0, 0);

    for (int i = 0; i < 3; i++) {
        space_refused(space);
        ck_assert_ptr_null(space_unready(space));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("space");
    TCase *tests = tcase_create("space");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_is_under_way_is_limited_and_given_back);
    tcase_add_test(tests, one_upload_alone_may_be_larger_than_the_limit);
    tcase_add_test(tests, what_comes_unannounced_counts_as_it_comes);
    tcase_add_test(tests, a_blob_that_would_eat_into_the_minimum_is_refused);
    tcase_add_test(tests, promises_to_small_blobs_add_up);
    tcase_add_loop_test(tests, announcements_leave_half_of_the_room_to_others, 0, 2);
    tcase_add_test(tests, what_was_not_set_aside_is_taken_as_it_comes);
    tcase_add_test(tests, too_little_free_is_unready);
    tcase_add_test(tests, absurd_announcements_do_not_overflow);
    tcase_add_test(tests, a_replay_needs_no_room);
    tcase_add_test(tests, a_large_announcement_is_allocated_at_once);
    tcase_add_test(tests, without_fallocate_there_is_a_promise);
    tcase_add_test(tests, without_fallocate_more_than_half_of_the_room_can_be_used);
    tcase_add_test(tests, a_quota_refuses_before_the_first_byte);
    tcase_add_test(tests, a_refusal_lasts_while_nothing_can_be_written);
    tcase_add_test(tests, a_refusal_is_over_once_a_file_can_be_written);
    tcase_add_test(tests, refusing_one_blob_after_another_is_no_full_disk);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
