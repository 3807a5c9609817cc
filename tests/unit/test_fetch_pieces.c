/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/pieces.h"
#include "tests/unit/unit.h"

#include <pthread.h>

enum { MIB = 1024 * 1024 };

#define SECOND 1000000000ULL

static struct pieces *pieces;
static uint64_t least_bytes;

static void set_up(void)
{
    least_bytes = MIB;
}

static void plan(uint64_t end, const struct extent *missing, size_t count,
                 unsigned parallel)
{
    const struct pieces_config config = {
        .end = end, .least_bytes = least_bytes, .parallel = parallel};
    struct error err;

    ck_assert_int_eq(pieces_create(&pieces, &config, missing, count, &err), ST_OK);
}

static void plan_all(uint64_t end, unsigned parallel)
{
    const struct extent all = {0, end};

    plan(end, &all, 1, parallel);
}

static void tear_down(void)
{
    pieces_destroy(&pieces);
}

static struct piece *claim(uint64_t bytes, uint64_t rate, uint64_t now_ns)
{
    const struct pieces_wish wish = {bytes, rate, now_ns};
    struct piece *piece = NULL;

    return pieces_claim(pieces, &wish, &piece) == ST_OK ? piece : NULL;
}

static struct extent range_of(const struct piece *piece)
{
    struct extent range = {0, 0};

    ck_assert(pieces_remaining(pieces, piece, &range));
    return range;
}

static void fetch(struct piece *piece, size_t n, uint64_t now_ns)
{
    uint64_t offset;

    ck_assert_uint_eq(pieces_reserve(pieces, piece, n, &offset), n);
    pieces_written(pieces, piece, n, now_ns);
}

static void fetch_rest(struct piece *piece, uint64_t now_ns)
{
    struct extent range = range_of(piece);

    fetch(piece, range.end - range.first, now_ns);
}

/* A file so small that it is one piece. */
static struct piece *claim_whole(uint64_t end)
{
    struct piece *piece;

    least_bytes = end;
    plan_all(end, 1);
    piece = claim(end, 0, 0);
    ck_assert_uint_eq(range_of(piece).end, end);
    return piece;
}

static void fetch_all_unclaimed(uint64_t now_ns)
{
    struct piece *piece;

    while ((piece = claim(MIB, 0, 0)) != NULL) {
        fetch_rest(piece, now_ns);
        pieces_release(pieces, &piece);
    }
}

START_TEST(pieces_are_handed_out_in_file_order_without_gaps)
{
    uint64_t at = 0;
    struct piece *held[512];
    size_t n = 0;

    plan_all(100 * MIB + 5, 4);
    while (n < COUNT_OF(held) && (held[n] = claim(4 * MIB, 0, 0)) != NULL) {
        struct extent range = range_of(held[n]);

        ck_assert_uint_eq(range.first, at);
        ck_assert_uint_ge(range.end - range.first, MIB);
        ck_assert_uint_le(range.end - range.first, 5 * MIB);
        at = range.end;
        n++;
    }
    ck_assert_uint_eq(at, 100 * MIB + 5);
    while (n > 0)
        pieces_release(pieces, &held[--n]);
}
END_TEST

START_TEST(sizes_shrink_towards_the_end)
{
    struct piece *first, *last = NULL, *next;

    plan_all(64 * MIB, 8);
    first = claim(16 * MIB, 0, 0);
    ck_assert_uint_eq(range_of(first).end, 4 * MIB);
    while ((next = claim(16 * MIB, 0, 0)) != NULL) {
        pieces_release(pieces, &last);
        last = next;
        fetch_rest(last, 0);
    }
    pieces_release(pieces, &last);
    pieces_release(pieces, &first);
}
END_TEST

START_TEST(file_is_complete_when_every_byte_is_written)
{
    struct piece *piece;
    unsigned claims = 0;

    plan_all(10 * MIB, 2);
    ck_assert(!pieces_complete(pieces));
    while ((piece = claim(MIB, 0, 0)) != NULL) {
        fetch_rest(piece, 0);
        pieces_release(pieces, &piece);
        claims++;
    }
    ck_assert_uint_ge(claims, 5);
    ck_assert(pieces_complete(pieces));
    ck_assert_uint_eq(pieces_written_bytes(pieces), 10 * MIB);
}
END_TEST

START_TEST(nothing_missing_is_an_end)
{
    const struct pieces_wish wish = {MIB, 0, 0};
    struct piece *piece = NULL;

    plan(10, NULL, 0, 1);
    ck_assert_int_eq(pieces_claim(pieces, &wish, &piece), ST_END);
    ck_assert(pieces_complete(pieces));
}
END_TEST

START_TEST(released_piece_is_claimed_again_where_it_stopped)
{
    struct piece *piece, *again;

    plan_all(8 * MIB, 2);
    piece = claim(2 * MIB, 0, 0);
    fetch(piece, 1000, 0);
    pieces_release(pieces, &piece);
    ck_assert_ptr_null(piece);
    again = claim(2 * MIB, 0, 0);
    ck_assert_uint_eq(range_of(again).first, 1000);
    pieces_release(pieces, &again);
}
END_TEST

START_TEST(reserved_but_unwritten_bytes_are_still_missing)
{
    struct piece *piece;
    struct extent missing[4];
    uint64_t offset;

    plan_all(8 * MIB, 2);
    piece = claim(2 * MIB, 0, 0);
    ck_assert_uint_eq(pieces_reserve(pieces, piece, 5000, &offset), 5000);
    ck_assert_uint_eq(pieces_missing(pieces, missing, 4), 1);
    ck_assert_uint_eq(missing[0].first, 0);
    pieces_release(pieces, &piece);
    piece = claim(2 * MIB, 0, 0);
    ck_assert_uint_eq(range_of(piece).first, 0);
    pieces_release(pieces, &piece);
}
END_TEST

START_TEST(neighbours_that_are_free_again_become_one)
{
    struct piece *a, *b, *c, *all;

    plan_all(64 * MIB, 1);
    a = claim(MIB, 0, 0);
    b = claim(MIB, 0, 0);
    c = claim(MIB, 0, 0);
    pieces_release(pieces, &a);
    pieces_release(pieces, &c);
    pieces_release(pieces, &b);
    all = claim(32 * MIB, 0, 0);
    ck_assert_uint_eq(range_of(all).end, 32 * MIB);
    pieces_release(pieces, &all);
}
END_TEST

/* One worker was quick, the other is not: the quick one takes most of the rest. */
START_TEST(free_worker_takes_over_from_the_slowest)
{
    struct piece *slow, *taken;
    struct extent slow_before, slow_after, taken_range;
    uint64_t offset;

    plan_all(16 * MIB, 1);
    slow = claim(8 * MIB, 0, 0);
    slow_before = range_of(slow);
    fetch_all_unclaimed(SECOND);
    fetch(slow, MIB, SECOND); /* 1 MiB/s against 3 MiB/s: keeps a quarter */

    taken = claim(8 * MIB, 3 * MIB, SECOND);

    ck_assert_ptr_nonnull(taken);
    slow_after = range_of(slow);
    taken_range = range_of(taken);
    ck_assert_uint_eq(taken_range.end, slow_before.end);
    ck_assert_uint_eq(slow_after.end, taken_range.first);
    ck_assert_uint_eq(slow_after.end - slow_after.first,
                      (slow_before.end - slow_before.first - MIB) / 4 / 4096 * 4096);
    /* and the slow one notices where its piece ends now */
    ck_assert_uint_eq(pieces_reserve(pieces, slow, 16 * MIB, &offset),
                      slow_after.end - slow_after.first);
    pieces_release(pieces, &slow);
    pieces_release(pieces, &taken);
}
END_TEST

START_TEST(stalled_piece_is_taken_over_whole)
{
    struct piece *stalled, *taken;
    uint64_t offset;

    stalled = claim_whole(3 * MIB);
    fetch(stalled, 3 * MIB - 10, SECOND);
    ck_assert_ptr_null(claim(MIB, MIB, 2 * SECOND));

    taken = claim(MIB, MIB, 4 * SECOND);

    ck_assert_ptr_nonnull(taken);
    ck_assert_uint_eq(range_of(taken).first, 3 * MIB - 10);
    ck_assert_uint_eq(pieces_reserve(pieces, stalled, 10, &offset), 0);
    fetch_rest(taken, 4 * SECOND);
    ck_assert(pieces_complete(pieces));
    pieces_release(pieces, &taken);
    pieces_release(pieces, &stalled);
}
END_TEST

START_TEST(write_in_flight_is_not_taken_over)
{
    struct piece *stalled, *taken;
    uint64_t offset;

    stalled = claim_whole(3 * MIB);
    ck_assert_uint_eq(pieces_reserve(pieces, stalled, MIB, &offset), MIB);
    taken = claim(MIB, MIB, 4 * SECOND);
    ck_assert_ptr_nonnull(taken);
    ck_assert_uint_eq(range_of(taken).first, MIB);
    fetch_rest(taken, 4 * SECOND);
    ck_assert(!pieces_complete(pieces));
    pieces_written(pieces, stalled, MIB, 4 * SECOND);
    ck_assert(pieces_complete(pieces));
    pieces_release(pieces, &taken);
    pieces_release(pieces, &stalled);
}
END_TEST

/* A server that is slow to begin must not lose every connection to the next. */
START_TEST(silent_piece_is_taken_over_late_and_later_each_time)
{
    struct piece *held[8];
    uint64_t now_ns = 0, patience_ns = 2 * SECOND;

    held[0] = claim_whole(3 * MIB);
    for (unsigned i = 1; i < COUNT_OF(held); i++) {
        ck_assert_ptr_null(claim(MIB, MIB, now_ns + SECOND / 4));
        ck_assert_ptr_null(claim(MIB, MIB, now_ns + patience_ns - 1));
        now_ns += patience_ns;
        held[i] = claim(MIB, MIB, now_ns);
        ck_assert_ptr_nonnull(held[i]);
        if (patience_ns < 32 * SECOND)
            patience_ns *= 2;
    }
    for (unsigned i = 0; i < COUNT_OF(held); i++)
        pieces_release(pieces, &held[i]);
}
END_TEST

START_TEST(patience_survives_a_release_and_ends_with_a_byte)
{
    struct piece *silent, *taken;

    silent = claim_whole(3 * MIB);
    taken = claim(3 * MIB, MIB, 2 * SECOND);
    pieces_release(pieces, &silent);
    pieces_release(pieces, &taken);
    silent = claim(3 * MIB, MIB, 2 * SECOND);
    ck_assert_ptr_null(claim(MIB, MIB, 5 * SECOND));
    fetch(silent, MIB, 5 * SECOND);
    taken = claim(MIB, MIB, 7 * SECOND);
    ck_assert_ptr_nonnull(taken);
    ck_assert_uint_eq(range_of(taken).first, MIB);
    pieces_release(pieces, &taken);
    pieces_release(pieces, &silent);
}
END_TEST

START_TEST(piece_that_is_nearly_done_is_left_alone)
{
    struct piece *piece;

    piece = claim_whole(4 * MIB);
    fetch(piece, 3 * MIB + MIB / 2, SECOND);
    ck_assert_ptr_null(claim(MIB, 4 * MIB, SECOND));
    pieces_release(pieces, &piece);
}
END_TEST

START_TEST(resumed_file_has_only_its_gaps)
{
    const struct extent gaps[] = {{10, 20}, {30, 40}};
    struct extent missing[4];
    struct piece *piece;

    plan(50, gaps, 2, 4);
    piece = claim(MIB, 0, 0);
    ck_assert_uint_eq(range_of(piece).first, 10);
    ck_assert_uint_eq(range_of(piece).end, 20);
    fetch_rest(piece, 0);
    pieces_release(pieces, &piece);
    ck_assert_uint_eq(pieces_missing(pieces, missing, 4), 1);
    ck_assert_uint_eq(missing[0].first, 30);
}
END_TEST

START_TEST(missing_list_that_is_too_long_is_made_coarser)
{
    const struct extent gaps[] = {{10, 20}, {30, 40}, {50, 60}};
    struct extent missing[2];

    plan(100, gaps, 3, 4);
    ck_assert_uint_eq(pieces_missing(pieces, missing, 2), 2);
    ck_assert_uint_eq(missing[0].end, 20);
    ck_assert_uint_eq(missing[1].first, 30);
    ck_assert_uint_eq(missing[1].end, 60);
}
END_TEST

START_TEST(file_of_unknown_length_is_one_piece_until_finished)
{
    struct piece *piece;

    plan_all(PIECES_UNKNOWN_END, 1);
    piece = claim(MIB, 0, 0);
    ck_assert_ptr_null(claim(MIB, 0, 60 * SECOND));
    fetch(piece, 123456, 0);
    ck_assert(!pieces_complete(pieces));
    pieces_finish(pieces, piece);
    ck_assert(pieces_complete(pieces));
    ck_assert_uint_eq(pieces_end(pieces), 123456);
    pieces_release(pieces, &piece);
}
END_TEST

static void *wait_for_all(void *frontier)
{
    bool last = false;

    while (!last)
        *(uint64_t *)frontier = pieces_wait_frontier(pieces, *(uint64_t *)frontier, MIB,
                                                     &last);
    return NULL;
}

START_TEST(frontier_follows_the_unbroken_beginning)
{
    struct piece *first;
    pthread_t follower;
    uint64_t frontier = 0;

    plan_all(4 * MIB, 1);
    first = claim(MIB, 0, 0);
    fetch_all_unclaimed(0);
    ck_assert_int_eq(pthread_create(&follower, NULL, wait_for_all, &frontier), 0);
    fetch(first, 1000, 0);
    fetch_rest(first, 0);
    pthread_join(follower, NULL);
    ck_assert_uint_eq(frontier, 4 * MIB);
    pieces_release(pieces, &first);
}
END_TEST

START_TEST(abandoned_file_is_not_waited_for)
{
    uint64_t frontier = 0;

    plan_all(4 * MIB, 1);
    pieces_abandon(pieces);
    wait_for_all(&frontier);
    ck_assert_uint_eq(frontier, 0);
    ck_assert(!pieces_complete(pieces));
}
END_TEST

enum { CROWD = 6 };

static uint8_t owner[64 * MIB / 4096];

/* Claims until nothing is left, stealing along the way, and marks what it wrote. */
static void *crowd_work(void *context)
{
    uint64_t now_ns = 0;

    while (!pieces_complete(pieces)) {
        struct piece *piece = claim(3 * MIB, 100 * MIB, now_ns += SECOND);
        struct extent range;

        if (piece == NULL)
            continue;
        while (pieces_remaining(pieces, piece, &range)) {
            uint64_t offset;
            size_t n = pieces_reserve(pieces, piece, 8192, &offset);

            for (uint64_t i = offset; i < offset + n; i += 4096)
                owner[i / 4096]++;
            if (n > 0)
                pieces_written(pieces, piece, n, now_ns);
        }
        pieces_release(pieces, &piece);
    }
    return context;
}

START_TEST(crowd_writes_every_byte_exactly_once)
{
    pthread_t crowd[CROWD];

    plan_all(64 * MIB, CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        ck_assert_int_eq(pthread_create(&crowd[i], NULL, crowd_work, NULL), 0);
    for (unsigned i = 0; i < CROWD; i++)
        pthread_join(crowd[i], NULL);
    for (size_t i = 0; i < COUNT_OF(owner); i++)
        ck_assert_uint_eq(owner[i], 1);
    ck_assert_uint_eq(pieces_written_bytes(pieces), 64 * MIB);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch_pieces");
    TCase *tcase = tcase_create("fetch_pieces");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, pieces_are_handed_out_in_file_order_without_gaps);
    tcase_add_test(tcase, sizes_shrink_towards_the_end);
    tcase_add_test(tcase, file_is_complete_when_every_byte_is_written);
    tcase_add_test(tcase, nothing_missing_is_an_end);
    tcase_add_test(tcase, released_piece_is_claimed_again_where_it_stopped);
    tcase_add_test(tcase, reserved_but_unwritten_bytes_are_still_missing);
    tcase_add_test(tcase, neighbours_that_are_free_again_become_one);
    tcase_add_test(tcase, free_worker_takes_over_from_the_slowest);
    tcase_add_test(tcase, stalled_piece_is_taken_over_whole);
    tcase_add_test(tcase, write_in_flight_is_not_taken_over);
    tcase_add_test(tcase, silent_piece_is_taken_over_late_and_later_each_time);
    tcase_add_test(tcase, patience_survives_a_release_and_ends_with_a_byte);
    tcase_add_test(tcase, piece_that_is_nearly_done_is_left_alone);
    tcase_add_test(tcase, resumed_file_has_only_its_gaps);
    tcase_add_test(tcase, missing_list_that_is_too_long_is_made_coarser);
    tcase_add_test(tcase, file_of_unknown_length_is_one_piece_until_finished);
    tcase_add_test(tcase, frontier_follows_the_unbroken_beginning);
    tcase_add_test(tcase, abandoned_file_is_not_waited_for);
    tcase_add_test(tcase, crowd_writes_every_byte_exactly_once);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
