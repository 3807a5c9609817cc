/* SPDX-License-Identifier: MIT */
#include "receiver/inherited.h"
#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void set(const char *pid, const char *n)
{
    char own[24];

    snprintf(own, sizeof own, "%d", (int)getpid());
    setenv("LISTEN_PID", pid ? pid : own, 1);
    setenv("LISTEN_FDS", n, 1);
    setenv("LISTEN_FDNAMES", "a:b", 1);
}

static void pass(int place, bool listening)
{
    const struct sockaddr_in loopback = {.sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) != 0 ||
        (listening && listen(fd, 1) != 0))
        _exit(99);
    if (fd == place)
        return;
    dup2(fd, place);
    close(fd);
}

/* Check talks through low descriptors of its own: those are taken in a child only,
 * which asserts nothing and exits with what it saw. */
static int outcome_in_child(int (*body)(void))
{
    int outcome = 0;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(body());
    ck_assert_int_eq(waitpid(child, &outcome, 0), child);
    ck_assert(WIFEXITED(outcome));
    return WEXITSTATUS(outcome);
}

START_TEST(nothing_is_taken_unless_it_is_for_us)
{
    static const char *const pids[] = {NULL, "1", "me"};
    int sockets[8];
    unsigned count = 99;
    struct error err;

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    if (pids[_i])
        set(pids[_i], "1");
    ck_assert_int_eq(inherited_sockets(sockets, 8, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 0);
}
END_TEST

static int take_two(void)
{
    int sockets[8] = {0}, good = 0;
    unsigned count = 99;
    struct error err;

    pass(3, true);
    pass(4, true);
    set(NULL, "2");
    if (inherited_sockets(sockets, 8, &count, &err) != ST_OK || count != 2)
        return -1;
    for (int i = 0; i < 2; i++)
        good += sockets[i] == 3 + i && (fcntl(3 + i, F_GETFL) & O_NONBLOCK) &&
                (fcntl(3 + i, F_GETFD) & FD_CLOEXEC);
    return good + !getenv("LISTEN_PID") + !getenv("LISTEN_FDS") +
           !getenv("LISTEN_FDNAMES");
}

START_TEST(listening_sockets_are_taken_and_prepared)
{
    ck_assert_int_eq(outcome_in_child(take_two), 5);
}
END_TEST

static int take_a_deaf_one(void)
{
    int sockets[8];
    unsigned count = 99;
    struct error err;

    pass(3, true);
    pass(4, false);
    set(NULL, "2");
    return inherited_sockets(sockets, 8, &count, &err) == ST_INVALID && count == 0 &&
           strstr(err.text, "descriptor 4") != NULL;
}

START_TEST(what_does_not_listen_is_refused)
{
    ck_assert_int_eq(outcome_in_child(take_a_deaf_one), 1);
}
END_TEST

START_TEST(a_number_that_makes_no_sense_is_refused)
{
    static const char *const numbers[] = {"", "-1", "x", "9", "99999999999999999999"};
    int sockets[8];
    unsigned count;
    struct error err;

    set(NULL, numbers[_i]);
    ck_assert_int_eq(inherited_sockets(sockets, 8, &count, &err), ST_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "LISTEN_FDS"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inherited");
    TCase *cases = tcase_create("inherited");

    suite_add_tcase(suite, cases);
    tcase_add_loop_test(cases, nothing_is_taken_unless_it_is_for_us, 0, 3);
    tcase_add_test(cases, listening_sockets_are_taken_and_prepared);
    tcase_add_test(cases, what_does_not_listen_is_refused);
    tcase_add_loop_test(cases, a_number_that_makes_no_sense_is_refused, 0, 5);
    return unit_run(suite);
}
