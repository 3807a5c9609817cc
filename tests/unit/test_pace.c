/* SPDX-License-Identifier: MIT */
#include "receiver/pace.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WINDOW_MS = 100, PATIENCE_MS = 5000, MIN_RATE = 1000 };

static const char farewell[] = "too slow";
static struct pace *pace;
static struct pace_runner runner;
static int peer;

/* Returns the peer's end; *fd is ours. */
static int connect_pair(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), end;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    end = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(end, (struct sockaddr *)&address, length), 0);
    *fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(*fd, 0);
    close(listener);
    return end;
}

static void start(uint64_t min_rate)
{
    const struct pace_config config = {.min_rate = min_rate,
                                       .window_ms = WINDOW_MS,
                                       .farewell = farewell,
                                       .farewell_length = sizeof(farewell) - 1};
    struct error err;

    ck_assert_int_eq(pace_start(&pace, &config, &err), ST_OK);
    peer = connect_pair(&runner.fd);
    runner.peer = "192.0.2.1:1";
    runner.plain = true;
    pace_enter(pace, &runner);
}

static void tear_down(void)
{
    pace_leave(pace, &runner);
    pace_stop(&pace);
    close(runner.fd);
    close(peer);
}

/* Reads what has come, as the event loop would. */
static void take(int fd)
{
    char waste[65536];

    while (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) > 0)
        ;
}

/* Does `step` every few milliseconds. True once the connection was cut. */
static bool cut_within(int ms, void (*step)(void))
{
    for (int spent = 0; spent < ms && pace_cuts(pace) == 0; spent += 5) {
        if (step)
            step();
        poll(NULL, 0, 5);
    }
    return pace_cuts(pace) > 0;
}

static void trickle(void)
{
    (void)!send(peer, "x", 1, MSG_NOSIGNAL);
    take(runner.fd);
}

static void stream(void)
{
    char bytes[200] = {0};

    (void)!send(peer, bytes, sizeof(bytes), MSG_NOSIGNAL);
    take(runner.fd);
    pace_moved(&runner, sizeof(bytes));
}

static void trickle_a_body(void)
{
    trickle();
    pace_moved(&runner, 1);
}

static void send_unread(void)
{
    (void)!send(peer, "x", 1, MSG_NOSIGNAL);
}

START_TEST(silence_between_requests_is_not_slow)
{
    start(MIN_RATE);

    ck_assert(!cut_within(5 * WINDOW_MS, NULL));
}
END_TEST

START_TEST(a_request_line_that_trickles_is_cut_with_a_word)
{
    char said[64] = "";

    start(MIN_RATE);

    ck_assert(cut_within(PATIENCE_MS, trickle));
    ck_assert_int_eq(recv(peer, said, sizeof(said), 0), sizeof(farewell) - 1);
    ck_assert_str_eq(said, farewell);
    ck_assert_int_eq(recv(peer, said, sizeof(said), 0), 0);
}
END_TEST

START_TEST(a_head_that_trickles_is_cut)
{
    start(MIN_RATE);
    pace_phase(&runner, PACE_HEAD);

    ck_assert(cut_within(PATIENCE_MS, trickle));
}
END_TEST

START_TEST(a_head_that_stops_is_cut)
{
    start(MIN_RATE);
    pace_phase(&runner, PACE_HEAD);

    ck_assert(cut_within(PATIENCE_MS, NULL));
}
END_TEST

START_TEST(a_body_that_trickles_is_cut)
{
    start(MIN_RATE);
    pace_phase(&runner, PACE_BODY);

    ck_assert(cut_within(PATIENCE_MS, trickle_a_body));
}
END_TEST

START_TEST(a_body_at_a_good_rate_goes_on)
{
    start(MIN_RATE);
    pace_phase(&runner, PACE_BODY);

    ck_assert(!cut_within(8 * WINDOW_MS, stream));
}
END_TEST

START_TEST(a_body_that_lies_unread_is_our_delay)
{
    start(MIN_RATE);
    pace_phase(&runner, PACE_BODY);

    ck_assert(!cut_within(5 * WINDOW_MS, send_unread));
}
END_TEST

START_TEST(waiting_for_our_work_is_not_slow)
{
    start(MIN_RATE);
    pace_phase(&runner, PACE_WORK);

    ck_assert(!cut_within(5 * WINDOW_MS, NULL));
}
END_TEST

START_TEST(an_answer_that_nobody_reads_is_cut)
{
    static const char bytes[1 << 20];

    start(MIN_RATE);
    pace_phase(&runner, PACE_ANSWER);
    while (send(runner.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;

    ck_assert(cut_within(PATIENCE_MS, NULL));
}
END_TEST

START_TEST(an_answer_we_have_not_produced_is_our_delay)
{
    start(MIN_RATE);
    pace_phase(&runner, PACE_ANSWER);

    ck_assert(!cut_within(5 * WINDOW_MS, NULL));
}
END_TEST

START_TEST(many_small_requests_are_not_slow)
{
    start(MIN_RATE);

    for (int i = 0; i < 100; i++) {
        trickle();
        pace_phase(&runner, PACE_HEAD);
        pace_phase(&runner, PACE_ANSWER);
        pace_phase(&runner, PACE_IDLE);
        poll(NULL, 0, 5);
    }
    ck_assert_uint_eq(pace_cuts(pace), 0);
}
END_TEST

START_TEST(a_peer_that_left_between_requests_is_let_go)
{
    char byte;

    start(MIN_RATE);
    shutdown(peer, SHUT_WR);

    ck_assert_int_eq(recv(peer, &byte, 1, 0), 0);
    ck_assert_uint_eq(pace_cuts(pace), 0);
}
END_TEST

START_TEST(a_peer_that_left_with_a_request_unread_gets_its_answer)
{
    start(MIN_RATE);
    (void)!send(peer, "x", 1, MSG_NOSIGNAL);
    shutdown(peer, SHUT_WR);

    poll(NULL, 0, 5 * WINDOW_MS);
    ck_assert_int_eq(send(runner.fd, "y", 1, MSG_NOSIGNAL), 1);
}
END_TEST

START_TEST(who_was_cut_off_gets_no_answer)
{
    start(MIN_RATE);
    ck_assert(pace_phase(&runner, PACE_HEAD));

    ck_assert(cut_within(PATIENCE_MS, NULL));
    ck_assert(!pace_phase(&runner, PACE_BODY));
    ck_assert(!pace_phase(&runner, PACE_ANSWER));
    poll(NULL, 0, 3 * WINDOW_MS);
    ck_assert_uint_eq(pace_cuts(pace), 1);
}
END_TEST

START_TEST(who_gets_an_answer_was_not_cut_off)
{
    enum { RACERS = 200 };
    static struct pace_runner racer[RACERS];
    int end[RACERS];
    bool answered[RACERS];
    char said[64];

    start(MIN_RATE);
    for (int i = 0; i < RACERS; i++) {
        end[i] = connect_pair(&racer[i].fd);
        racer[i].peer = "192.0.2.3:3";
        racer[i].plain = true;
        pace_enter(pace, &racer[i]);
        pace_phase(&racer[i], PACE_HEAD);
    }
    while (pace_cuts(pace) == 0)
        poll(NULL, 0, 1);
    for (int i = RACERS; i-- > 0;)
        answered[i] = pace_phase(&racer[i], PACE_ANSWER);
    poll(NULL, 0, 3 * WINDOW_MS);

    for (int i = 0; i < RACERS; i++) {
        ssize_t n = recv(end[i], said, sizeof(said), MSG_DONTWAIT);

        ck_assert_int_eq(n, answered[i] ? -1 : (ssize_t)sizeof(farewell) - 1);
        pace_leave(pace, &racer[i]);
        close(racer[i].fd);
        close(end[i]);
    }
}
END_TEST

START_TEST(without_a_rate_nobody_is_cut)
{
    start(0);
    pace_phase(&runner, PACE_HEAD);

    ck_assert(!cut_within(5 * WINDOW_MS, trickle));
}
END_TEST

START_TEST(one_of_many_is_cut_and_the_others_stay)
{
    enum { OTHERS = 500 };
    static struct pace_runner other[OTHERS];

    start(MIN_RATE);
    for (int i = 0; i < OTHERS; i++) {
        other[i].peer = "192.0.2.2:2";
        other[i].fd = runner.fd;
        pace_enter(pace, &other[i]);
        pace_phase(&other[i], PACE_WORK);
    }
    pace_phase(&runner, PACE_HEAD);

    ck_assert(cut_within(PATIENCE_MS, NULL));
    poll(NULL, 0, 3 * WINDOW_MS);
    ck_assert_uint_eq(pace_cuts(pace), 1);
    for (int i = 0; i < OTHERS; i++)
        pace_leave(pace, &other[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tests = tcase_create("pace");

    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, silence_between_requests_is_not_slow);
    tcase_add_test(tests, a_request_line_that_trickles_is_cut_with_a_word);
    tcase_add_test(tests, a_head_that_trickles_is_cut);
    tcase_add_test(tests, a_head_that_stops_is_cut);
    tcase_add_test(tests, a_body_that_trickles_is_cut);
    tcase_add_test(tests, a_body_at_a_good_rate_goes_on);
    tcase_add_test(tests, a_body_that_lies_unread_is_our_delay);
    tcase_add_test(tests, waiting_for_our_work_is_not_slow);
    tcase_add_test(tests, an_answer_that_nobody_reads_is_cut);
    tcase_add_test(tests, an_answer_we_have_not_produced_is_our_delay);
    tcase_add_test(tests, many_small_requests_are_not_slow);
    tcase_add_test(tests, a_peer_that_left_between_requests_is_let_go);
    tcase_add_test(tests, a_peer_that_left_with_a_request_unread_gets_its_answer);
    tcase_add_test(tests, who_was_cut_off_gets_no_answer);
    tcase_add_test(tests, who_gets_an_answer_was_not_cut_off);
    tcase_add_test(tests, without_a_rate_nobody_is_cut);
    tcase_add_test(tests, one_of_many_is_cut_and_the_others_stay);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
