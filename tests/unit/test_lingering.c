/* SPDX-License-Identifier: MIT */
#include "receiver/lingering.h"
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct lingering *lingering;

static void set_up(void)
{
    struct error err;

    ck_assert_int_eq(lingering_start(&lingering, &err), ST_OK);
}

static void tear_down(void)
{
    lingering_stop(&lingering);
}

struct pair {
    int client, server;
};

/* TCP over loopback: what this is about does not happen to other sockets. */
static struct pair connected(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair pair;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    pair.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(pair.client, (struct sockaddr *)&address, length), 0);
    pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(pair.server, 0);
    close(listener);
    return pair;
}

/* Replies and closes as a server does that refuses a request. */
static void refuse(int server)
{
    ck_assert_int_eq(send(server, "no", 2, MSG_NOSIGNAL), 2);
    lingering_adopt(lingering, server);
    close(server);
}

/* What there is to read until the end; -1 after a reset. */
static ssize_t read_all(int client, char *out, size_t size)
{
    size_t used = 0;
    ssize_t n;

    while ((n = recv(client, out + used, size - used, 0)) > 0)
        used += (size_t)n;
    return n < 0 ? -1 : (ssize_t)used;
}

START_TEST(a_client_that_still_sends_can_read_why_not)
{
    static const char body[256 * 1024];
    struct pair pair = connected();
    size_t sent = 0;
    char reply[8];

    ck_assert_int_eq(send(pair.client, body, 1000, MSG_NOSIGNAL), 1000);
    refuse(pair.server);
    while (sent < 4 * sizeof body) {
        ssize_t n = send(pair.client, body, sizeof body, MSG_NOSIGNAL);

        ck_assert_msg(n > 0, "the connection was reset: %s", strerror(errno));
        sent += (size_t)n;
    }
    ck_assert_int_eq(read_all(pair.client, reply, sizeof reply), 2);
    ck_assert_mem_eq(reply, "no", 2);
    close(pair.client);
}
END_TEST

START_TEST(a_client_that_does_nothing_sees_the_end_at_once)
{
    struct pair pair = connected();
    char reply[8];

    refuse(pair.server);
    ck_assert_int_eq(read_all(pair.client, reply, sizeof reply), 2);
    close(pair.client);
}
END_TEST

START_TEST(stop_lets_everybody_go)
{
    struct pair pair = connected();
    struct pollfd gone;
    char reply[8];

    refuse(pair.server);
    ck_assert_int_eq(read_all(pair.client, reply, sizeof reply), 2);
    lingering_stop(&lingering);
    ck_assert_ptr_null(lingering);
    lingering_stop(&lingering);

    (void)!send(pair.client, "more", 4, MSG_NOSIGNAL);
    gone = (struct pollfd){.fd = pair.client, .events = 0};
    ck_assert_int_eq(poll(&gone, 1, 5000), 1); /* a reset or hang-up is always told */
    close(pair.client);
}
END_TEST

/* More than there are places for: those without one are closed, and nobody waits. */
START_TEST(a_crowd_is_served_and_leaves_no_descriptor_behind)
{
    enum { CROWD = 300 };
    static int client[CROWD];
    int lowest = dup(0), after;
    char reply[8];

    close(lowest);
    for (int i = 0; i < CROWD; i++) {
        struct pair pair = connected();

        client[i] = pair.client;
        refuse(pair.server);
    }
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(read_all(client[i], reply, sizeof reply), 2);
        close(client[i]);
    }
    lingering_stop(&lingering);
    after = dup(0);
    close(after);
    ck_assert_int_le(after, lowest);
}
END_TEST

START_TEST(a_bad_descriptor_is_ignored)
{
    lingering_adopt(lingering, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lingering");
    TCase *tcase = tcase_create("lingering");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_client_that_still_sends_can_read_why_not);
    tcase_add_test(tcase, a_client_that_does_nothing_sees_the_end_at_once);
    tcase_add_test(tcase, stop_lets_everybody_go);
    tcase_add_test(tcase, a_crowd_is_served_and_leaves_no_descriptor_behind);
    tcase_add_test(tcase, a_bad_descriptor_is_ignored);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
