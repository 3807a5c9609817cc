/* SPDX-License-Identifier: MIT */
#include "common/signals.h"
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int open_signals(void)
{
    struct error err;
    int fd = -1;

    ck_assert_int_eq(signals_open(&fd, &err), ST_OK);
    return fd;
}

START_TEST(a_signal_waits_until_it_is_taken)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
    int fd = open_signals();

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};

        ck_assert_int_eq(poll(&waiting, 1, 0), 0);
        ck_assert_int_eq(signals_take(fd), 0);
        ck_assert_int_eq(kill(getpid(), wanted[i]), 0);
        ck_assert_int_eq(poll(&waiting, 1, -1), 1);
        ck_assert_int_eq(signals_take(fd), wanted[i]);
    }
    close(fd);
}
END_TEST

/* As a shell starts a job in the background. */
START_TEST(an_ignored_interrupt_arrives_all_the_same)
{
    int fd;

    signal(SIGINT, SIG_IGN);
    fd = open_signals();
    ck_assert_int_eq(kill(getpid(), SIGINT), 0);
    ck_assert_int_eq(signals_take(fd), SIGINT);
    signal(SIGINT, SIG_DFL);
    close(fd);
}
END_TEST

START_TEST(a_peer_that_hangs_up_does_not_end_the_process)
{
    int fd = open_signals(), ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    ck_assert_int_lt(write(ends[1], "x", 1), 0);
    close(ends[1]);
    close(fd);
}
END_TEST

START_TEST(after_surrender_a_signal_ends_the_process)
{
    static const int last[] = {SIGINT, SIGTERM};
    int outcome = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        signal(last[_i], SIG_IGN);
        (void)open_signals();
        signals_surrender(0);
        raise(last[_i]);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &outcome, 0), child);
    ck_assert(WIFSIGNALED(outcome));
    ck_assert_int_eq(WTERMSIG(outcome), last[_i]);
}
END_TEST

/* timeout(1) signals its child, and then the whole group. */
START_TEST(an_echo_of_the_signal_is_ignored)
{
    static const int last[] = {SIGINT, SIGTERM};
    int outcome = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)open_signals();
        signals_surrender(60 * 1000);
        raise(last[_i]);
        raise(last[_i]);
        _exit(7);
    }
    ck_assert_int_eq(waitpid(child, &outcome, 0), child);
    ck_assert(WIFEXITED(outcome));
    ck_assert_int_eq(WEXITSTATUS(outcome), 7);
}
END_TEST

/* What is counted is the time, not the signals. */
START_TEST(after_the_echo_a_signal_counts)
{
    const struct timespec moment = {.tv_nsec = 2 * 1000 * 1000};
    int outcome = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)open_signals();
        signals_surrender(20);
        for (;;) {
            raise(SIGTERM);
            nanosleep(&moment, NULL);
        }
    }
    ck_assert_int_eq(waitpid(child, &outcome, 0), child);
    ck_assert(WIFSIGNALED(outcome));
    ck_assert_int_eq(WTERMSIG(outcome), SIGTERM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *cases = tcase_create("signals");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, a_signal_waits_until_it_is_taken);
    tcase_add_test(cases, an_ignored_interrupt_arrives_all_the_same);
    tcase_add_test(cases, a_peer_that_hangs_up_does_not_end_the_process);
    tcase_add_loop_test(cases, after_surrender_a_signal_ends_the_process, 0, 2);
    tcase_add_loop_test(cases, an_echo_of_the_signal_is_ignored, 0, 2);
    tcase_add_test(cases, after_the_echo_a_signal_counts);
    return unit_run(suite);
}
