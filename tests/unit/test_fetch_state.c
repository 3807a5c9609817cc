/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/state.h"
#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/stat.h>

static struct state state, again;
static char text[STATE_TEXT_MAX];
static size_t length;
static struct scratch scratch;
static struct error err;

static void set_up(void)
{
    scratch_create(&scratch);
    memset(&state, 0, sizeof state);
    ck_assert_int_eq(state_set_url(&state, "https://u:p@h/a?sig=1#f", &err), ST_OK);
    strcpy(state.validators.etag, "\"v 1\"");
    strcpy(state.validators.modified, "Sat, 21 Nov 2026 18:00:00 GMT");
    state.validators.modified_strong = true;
    state.validators.has_digest = true;
    state.validators.digest.bytes[0] = 7;
    state.total = 1000;
    state.inode = 42;
    strcpy(state.boot, "boot-1");
    state.synced = (struct extents){1, {{0, 1000}}};
    state.written = (struct extents){2, {{100, 200}, {300, 1000}}};
}

static void tear_down(void)
{
    scratch_remove(&scratch);
}

START_TEST(state_reads_back_as_it_was_saved)
{
    struct stat about;

    ck_assert_int_eq(state_save(scratch.dir_fd, "a", &state, true, &err), ST_OK);
    ck_assert_int_eq(state_load(scratch.dir_fd, "a", &again, &err), ST_OK);
    ck_assert_mem_eq(&state, &again, sizeof state);
    ck_assert_int_eq(fstatat(scratch.dir_fd, "a.part.state", &about, 0), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    ck_assert_int_ne(fstatat(scratch.dir_fd, "a.part.state.new", &about, 0), 0);
    state_remove(scratch.dir_fd, "a");
    ck_assert_int_eq(state_load(scratch.dir_fd, "a", &again, &err), ST_END);
}
END_TEST

START_TEST(saved_text_holds_no_secret)
{
    ck_assert_int_eq(state_encode(&state, text, &length, &err), ST_OK);
    ck_assert_ptr_null(memmem(text, length, "sig", 3));
    ck_assert_ptr_null(memmem(text, length, "u:p", 3));
}
END_TEST

START_TEST(any_changed_byte_is_noticed)
{
    ck_assert_int_eq(state_encode(&state, text, &length, &err), ST_OK);
    for (size_t i = 0; i < length; i++) {
        text[i] ^= 1;
        ck_assert_int_eq(state_decode(text, length, &again, &err), ST_CORRUPT);
        text[i] ^= 1;
    }
    for (size_t n = 0; n < length; n++)
        ck_assert_int_eq(state_decode(text, n, &again, &err), ST_CORRUPT);
    ck_assert_int_eq(state_decode(text, length, &again, &err), ST_OK);
}
END_TEST

static const struct extents nonsense[] = {
    {1, {{10, 10}}},             /* empty */
    {1, {{20, 10}}},             /* backwards */
    {1, {{990, 1001}}},          /* past the end */
    {2, {{0, 10}, {5, 20}}},     /* overlapping */
    {2, {{500, 600}, {10, 20}}}, /* out of order */
};

START_TEST(extents_that_make_no_sense_are_refused)
{
    state.written = nonsense[_i];
    ck_assert_int_eq(state_encode(&state, text, &length, &err), ST_OK);
    ck_assert_int_eq(state_decode(text, length, &again, &err), ST_CORRUPT);
}
END_TEST

START_TEST(longest_state_fits)
{
    memset(state.url, 'u', sizeof state.url - 1);
    memset(state.validators.etag, 'e', sizeof state.validators.etag - 1);
    state.total = UINT64_MAX;
    state.synced.count = state.written.count = PIECES_EXTENTS_MAX;
    for (size_t i = 0; i < PIECES_EXTENTS_MAX; i++) {
        uint64_t first = UINT64_MAX - 3 * PIECES_EXTENTS_MAX + 3 * i;

        state.synced.of[i] = state.written.of[i] = (struct extent){first, first + 1};
    }
    ck_assert_int_eq(state_encode(&state, text, &length, &err), ST_OK);
    ck_assert_int_eq(state_decode(text, length, &again, &err), ST_OK);
    ck_assert_mem_eq(&state, &again, sizeof state);
}
END_TEST

START_TEST(page_cache_is_believed_until_the_machine_starts_anew)
{
    ck_assert_ptr_eq(state_missing(&state, "boot-1"), &state.written);
    ck_assert_ptr_eq(state_missing(&state, "boot-2"), &state.synced);
    state.boot[0] = '\0';
    ck_assert_ptr_eq(state_missing(&state, ""), &state.synced);
}
END_TEST

START_TEST(other_query_is_the_same_source_only_for_a_strong_version)
{
    struct state now = {0};

    ck_assert_int_eq(state_set_url(&now, "https://x@h/a?sig=1", &err), ST_OK);
    ck_assert(state_same_source(&state, &now));
    ck_assert_int_eq(state_set_url(&now, "https://h/a?sig=2", &err), ST_OK);
    ck_assert(state_same_source(&state, &now));
    strcpy(state.validators.etag, "W/\"v\"");
    ck_assert(state_same_source(&state, &now)); /* by its digest */
    state.validators.has_digest = false;
    ck_assert(!state_same_source(&state, &now));
    strcpy(state.validators.etag, "\"v\"");
    ck_assert_int_eq(state_set_url(&now, "https://h/b?sig=1", &err), ST_OK);
    ck_assert(!state_same_source(&state, &now));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_state");
    TCase *tcase = tcase_create("fetch_state");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, state_reads_back_as_it_was_saved);
    tcase_add_test(tcase, saved_text_holds_no_secret);
    tcase_add_test(tcase, any_changed_byte_is_noticed);
    tcase_add_loop_test(tcase, extents_that_make_no_sense_are_refused, 0,
                        COUNT_OF(nonsense));
    tcase_add_test(tcase, longest_state_fits);
    tcase_add_test(tcase, page_cache_is_believed_until_the_machine_starts_anew);
    tcase_add_test(tcase, other_query_is_the_same_source_only_for_a_strong_version);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
