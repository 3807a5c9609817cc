/* SPDX-License-Identifier: MIT */
#include "receiver/census.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static struct census *census;

static void create(unsigned max, unsigned max_per_peer)
{
    const struct census_config config = {.max = max, .max_per_peer = max_per_peer};
    struct error err;

    ck_assert_int_eq(census_create(&census, &config, &err), ST_OK);
}

static void tear_down(void)
{
    census_destroy(&census);
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage storage = {.ss_family = AF_INET};
    struct sockaddr_in6 *in6 = (void *)&storage;
    struct sockaddr_in *in = (void *)&storage;

    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        return storage;
    storage.ss_family = AF_INET6;
    ck_assert_int_eq(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
    return storage;
}

static enum census_verdict enter(const char *text)
{
    struct sockaddr_storage peer = address(text);

    return census_enter(census, (const struct sockaddr *)&peer);
}

static void leave(const char *text)
{
    struct sockaddr_storage peer = address(text);

    census_leave(census, (const struct sockaddr *)&peer);
}

START_TEST(beyond_the_limit_nobody_is_welcome_until_one_leaves)
{
    create(2, 0);

    ck_assert_int_eq(enter("192.0.2.1"), CENSUS_WELCOME);
    ck_assert_int_eq(enter("192.0.2.2"), CENSUS_WELCOME);
    ck_assert_int_eq(enter("192.0.2.3"), CENSUS_FULL);
    ck_assert_uint_eq(census_count(census), 2);
    leave("192.0.2.1");
    ck_assert_int_eq(enter("192.0.2.3"), CENSUS_WELCOME);
}
END_TEST

START_TEST(one_peer_at_its_limit_does_not_shut_out_another)
{
    create(100, 2);

    ck_assert_int_eq(enter("192.0.2.1"), CENSUS_WELCOME);
    ck_assert_int_eq(enter("192.0.2.1"), CENSUS_WELCOME);
    ck_assert_int_eq(enter("192.0.2.1"), CENSUS_PEER_FULL);
    ck_assert_int_eq(enter("192.0.2.2"), CENSUS_WELCOME);
    ck_assert_uint_eq(census_count(census), 3);
    leave("192.0.2.1");
    ck_assert_int_eq(enter("192.0.2.1"), CENSUS_WELCOME);
}
END_TEST

START_TEST(an_ipv6_peer_is_its_64_bit_prefix)
{
    create(100, 1);

    ck_assert_int_eq(enter("2001:db8:0:1::1"), CENSUS_WELCOME);
    ck_assert_int_eq(enter("2001:db8:0:1:ffff::2"), CENSUS_PEER_FULL);
    ck_assert_int_eq(enter("2001:db8:0:2::1"), CENSUS_WELCOME);
}
END_TEST

START_TEST(a_mapped_ipv4_address_is_that_address)
{
    create(100, 1);

    ck_assert_int_eq(enter("192.0.2.1"), CENSUS_WELCOME);
    ck_assert_int_eq(enter("::ffff:192.0.2.1"), CENSUS_PEER_FULL);
    ck_assert_int_eq(enter("::ffff:192.0.2.2"), CENSUS_WELCOME);
}
END_TEST

START_TEST(local_peers_have_no_limit_of_their_own)
{
    const struct sockaddr_un local = {.sun_family = AF_UNIX};

    create(3, 1);

    ck_assert_int_eq(census_enter(census, (const struct sockaddr *)&local),
                     CENSUS_WELCOME);
    ck_assert_int_eq(census_enter(census, (const struct sockaddr *)&local),
                     CENSUS_WELCOME);
    ck_assert_int_eq(census_enter(census, NULL), CENSUS_WELCOME);
    ck_assert_int_eq(census_enter(census, NULL), CENSUS_FULL);
}
END_TEST

START_TEST(many_peers_are_told_apart)
{
    enum { PEERS = 20000 };
    char text[32];

    create(2 * PEERS, 1);

    for (unsigned i = 0; i < PEERS; i++) {
        snprintf(text, sizeof(text), "10.%u.%u.7", i / 256, i % 256);
        ck_assert_int_eq(enter(text), CENSUS_WELCOME);
        ck_assert_int_eq(enter(text), CENSUS_PEER_FULL);
    }
    for (unsigned i = 0; i < PEERS; i += 2) {
        snprintf(text, sizeof(text), "10.%u.%u.7", i / 256, i % 256);
        leave(text);
    }
    ck_assert_uint_eq(census_count(census), PEERS / 2);
}
END_TEST

static void *come_and_go(void *context)
{
    static const char *const peers[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1"};
    unsigned *refused = context;

    for (unsigned i = 0; i < 20000; i++) {
        const char *peer = peers[i % 3];

        if (enter(peer) == CENSUS_WELCOME)
            leave(peer);
        else
            ++*refused;
    }
    return NULL;
}

START_TEST(threads_that_come_and_go_leave_nothing_behind)
{
    pthread_t thread[4];
    unsigned refused[4] = {0};

    create(2, 1);

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, come_and_go, &refused[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    ck_assert_uint_eq(census_count(census), 0);
    ck_assert_int_eq(enter("192.0.2.1"), CENSUS_WELCOME);
    ck_assert_int_eq(enter("2001:db8::1"), CENSUS_WELCOME);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("census");
    TCase *tests = tcase_create("census");

    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, beyond_the_limit_nobody_is_welcome_until_one_leaves);
    tcase_add_test(tests, one_peer_at_its_limit_does_not_shut_out_another);
    tcase_add_test(tests, an_ipv6_peer_is_its_64_bit_prefix);
    tcase_add_test(tests, a_mapped_ipv4_address_is_that_address);
    tcase_add_test(tests, local_peers_have_no_limit_of_their_own);
    tcase_add_test(tests, many_peers_are_told_apart);
    tcase_add_test(tests, threads_that_come_and_go_leave_nothing_behind);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
