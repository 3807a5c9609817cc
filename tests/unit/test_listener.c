/* SPDX-License-Identifier: MIT */
#include "receiver/listener.h"
#include "unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct listener *open_free(const char *address)
{
    struct listener *listener = NULL;
    struct error err = {.text = ""};

    ck_assert_msg(listener_open(&listener, address, 0, &err) == ST_OK, "%s", err.text);
    return listener;
}

static bool can_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return good;
}

START_TEST(port_0_is_a_free_one)
{
    struct listener *first = open_free("127.0.0.1"), *second = open_free("127.0.0.1");

    ck_assert_uint_ne(listener_port(first), 0);
    ck_assert_uint_ne(listener_port(first), listener_port(second));
    ck_assert(can_connect(listener_port(first)));
    listener_close(&first);
    listener_close(&second);
}
END_TEST

START_TEST(a_port_in_use_is_named)
{
    struct listener *first = open_free("127.0.0.1"), *second = NULL;
    struct error err;
    char where[64];

    ck_assert_int_eq(listener_open(&second, "127.0.0.1", listener_port(first), &err),
                     ST_SYSTEM);
    snprintf(where, sizeof where, "127.0.0.1 port %u: Address already in use",
             (unsigned)listener_port(first));
    ck_assert_ptr_nonnull(strstr(err.text, where));
    ck_assert_ptr_null(second);
    listener_close(&first);
}
END_TEST

START_TEST(a_closed_listener_frees_its_port)
{
    struct listener *listener = open_free("127.0.0.1");
    uint16_t port = listener_port(listener);
    struct error err;

    listener_close(&listener);
    ck_assert_ptr_null(listener);
    listener_close(&listener);
    ck_assert(!can_connect(port));
    ck_assert_int_eq(listener_open(&listener, "127.0.0.1", port, &err), ST_OK);
    ck_assert_uint_eq(listener_port(listener), port);
    listener_close(&listener);
}
END_TEST

static const struct {
    const char *address;
    enum status verdict;
} unusable[] = {
    {"127.0.0.256", ST_INVALID},
    {"", ST_INVALID},
    {"no such host", ST_INVALID},
    {"192.0.2.1", ST_SYSTEM}, /* TEST-NET-1: nobody's */
};

START_TEST(an_unusable_address_is_named)
{
    struct listener *listener = NULL;
    struct error err;

    ck_assert_int_eq(listener_open(&listener, unusable[_i].address, 0, &err),
                     unusable[_i].verdict);
    ck_assert_ptr_nonnull(strstr(err.text, unusable[_i].address));
    ck_assert_ptr_null(listener);
}
END_TEST

/* In the place of server.c: whoever is accepted is followed by another. */
static atomic_uint adopted, probed;
static atomic_uint flooded_port; /* 0: nobody follows */

void server_adopt(struct server *server, int fd, const struct sockaddr *peer,
                  socklen_t length)
{
    uint16_t port = (uint16_t)atomic_load(&flooded_port);

    (void)server;
    (void)peer;
    (void)length;
    if (port != 0)
        (void)can_connect(port);
    close(fd);
    atomic_fetch_add(&adopted, 1);
}

void server_probe(struct server *server, int fd)
{
    (void)server;
    close(fd);
    atomic_fetch_add(&probed, 1);
}

static bool reaches(atomic_uint *counter, unsigned n)
{
    for (int ms = 0; ms < 5000 && atomic_load(counter) < n; ms++)
        poll(NULL, 0, 1);
    return atomic_load(counter) >= n;
}

START_TEST(a_flood_of_connections_holds_up_neither_a_probe_nor_the_stop)
{
    struct listener *listener = open_free("127.0.0.1");
    uint16_t port = listener_port(listener);
    struct error err;
    bool flooded, passed;

    ck_assert_int_eq(listener_start(listener, NULL, &err), ST_OK);
    atomic_store(&flooded_port, port);
    ck_assert(can_connect(port));
    flooded = reaches(&adopted, 1000);
    listener_probe(listener, dup(STDERR_FILENO));
    passed = reaches(&probed, 1);
    if (!passed)
        atomic_store(&flooded_port, 0);
    listener_close(&listener);
    atomic_store(&flooded_port, 0);

    ck_assert(flooded);
    ck_assert(passed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listener");
    TCase *tcase = tcase_create("listener");

    tcase_add_test(tcase, port_0_is_a_free_one);
    tcase_add_test(tcase, a_port_in_use_is_named);
    tcase_add_test(tcase, a_closed_listener_frees_its_port);
    tcase_add_test(tcase, a_flood_of_connections_holds_up_neither_a_probe_nor_the_stop);
    tcase_set_timeout(tcase, 20);
    tcase_add_loop_test(tcase, an_unusable_address_is_named, 0, COUNT_OF(unusable));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
