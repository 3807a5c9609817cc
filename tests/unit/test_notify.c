/* SPDX-License-Identifier: MIT */
#include "common/notify.h"
#include "scratch.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct scratch scratch;
static struct notify notify;
static int manager;
static char heard[1024];

static void listen_at(const struct sockaddr_un *address, size_t path_length)
{
    size_t n = offsetof(struct sockaddr_un, sun_path) + path_length;

    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(manager, 0);
    ck_assert_int_eq(bind(manager, (const struct sockaddr *)address, (socklen_t)n), 0);
}

static void listen_at_path(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/notify", scratch.path);
    listen_at(&address, strlen(address.sun_path));
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static const char *hear(void)
{
    ssize_t n = recv(manager, heard, sizeof heard - 1, 0);

    ck_assert_int_gt(n, 0);
    heard[n] = '\0';
    return heard;
}

static void set_up(void)
{
    scratch_create(&scratch);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    manager = -1;
}

static void tear_down(void)
{
    notify_close(&notify);
    if (manager >= 0)
        close(manager);
    scratch_remove(&scratch);
}

START_TEST(nobody_is_told_without_a_manager)
{
    notify_open(&notify);
    ck_assert_int_eq(notify.fd, -1);
    ck_assert_uint_eq(notify.watchdog_ms, 0);
    notify_ready(&notify, "fine");
    notify_alive(&notify);
}
END_TEST

START_TEST(states_arrive_as_the_protocol_says)
{
    static const char reloading[] = "RELOADING=1\nMONOTONIC_USEC=";

    listen_at_path();
    notify_open(&notify);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));

    notify_ready(&notify, "Listening on port %d", 8000);
    ck_assert_str_eq(hear(), "READY=1\nSTATUS=Listening on port 8000");
    notify_reloading(&notify);
    ck_assert_ptr_eq(strstr(hear(), reloading), heard);
    ck_assert_uint_gt(strtoull(heard + strlen(reloading), NULL, 10), 0);
    notify_alive(&notify);
    ck_assert_str_eq(hear(), "WATCHDOG=1");
    notify_stopping(&notify, "Done");
    ck_assert_str_eq(hear(), "STOPPING=1\nSTATUS=Done");
}
END_TEST

START_TEST(abstract_socket_is_reached)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[80];
    int n = snprintf(name, sizeof name, "@blobstream-test-%d", (int)getpid());

    memcpy(address.sun_path + 1, name + 1, (size_t)n - 1);
    listen_at(&address, (size_t)n);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open(&notify);
    notify_alive(&notify);
    ck_assert_str_eq(hear(), "WATCHDOG=1");
}
END_TEST

START_TEST(long_status_is_cut)
{
    char status[2000];

    memset(status, 'x', sizeof status - 1);
    status[sizeof status - 1] = '\0';
    listen_at_path();
    notify_open(&notify);
    notify_ready(&notify, "%s", status);
    ck_assert_ptr_eq(strstr(hear(), "READY=1\nSTATUS=xxx"), heard);
}
END_TEST

static const struct {
    const char *us, *pid; /* pid "": ours */
    uint64_t expected_ms;
} watchdogs[] = {
    {"20000000", NULL, 10000}, {"20000000", "", 10000}, {"20000000", "1", 0},
    {"1000", NULL, 1},         {"0", NULL, 0},          {"soon", NULL, 0},
    {"20000000", "me", 0},
};

START_TEST(watchdog_asks_for_half_its_patience)
{
    char own[24];

    snprintf(own, sizeof own, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", watchdogs[_i].us, 1);
    if (watchdogs[_i].pid)
        setenv("WATCHDOG_PID", *watchdogs[_i].pid ? watchdogs[_i].pid : own, 1);
    listen_at_path();
    notify_open(&notify);
    ck_assert_uint_eq(notify.watchdog_ms, watchdogs[_i].expected_ms);
}
END_TEST

START_TEST(nonsense_names_nobody)
{
    static const char *const names[] = {"", "relative", "vsock:2:1234",
                                        "/nowhere/at/all"};

    setenv("NOTIFY_SOCKET", names[_i], 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    notify_open(&notify);
    ck_assert_int_eq(notify.fd, -1);
    ck_assert_uint_eq(notify.watchdog_ms, 0);
    notify_alive(&notify);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify");
    TCase *cases = tcase_create("notify");

    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nobody_is_told_without_a_manager);
    tcase_add_test(cases, states_arrive_as_the_protocol_says);
    tcase_add_test(cases, abstract_socket_is_reached);
    tcase_add_test(cases, long_status_is_cut);
    tcase_add_loop_test(cases, watchdog_asks_for_half_its_patience, 0,
                        COUNT_OF(watchdogs));
    tcase_add_loop_test(cases, nonsense_names_nobody, 0, 4);
    return unit_run(suite);
}
