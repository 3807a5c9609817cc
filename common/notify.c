/* SPDX-License-Identifier: MIT */
#include "common/notify.h"

#include "common/clock.h"
#include "common/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 512 };

static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    int fd;

    if ((*name != '/' && *name != '@') || n >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, name, n);
    if (*name == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, length) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static uint64_t watchdog_ms(void)
{
    const char *us_text = getenv("WATCHDOG_USEC"), *pid_text = getenv("WATCHDOG_PID");
    uint64_t us, pid;

    if (!us_text || !units_parse_count(us_text, &us) || us == 0)
        return 0;
    if (pid_text && (!units_parse_count(pid_text, &pid) || pid != (uint64_t)getpid()))
        return 0;
    return us >= 2000 ? us / 2000 : 1;
}

void notify_open(struct notify *out)
{
    const char *name = getenv("NOTIFY_SOCKET");

    out->fd = name ? connect_to(name) : -1;
    out->watchdog_ms = out->fd >= 0 ? watchdog_ms() : 0;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
    notify->watchdog_ms = 0;
}

static void tell(const struct notify *notify, const char *message)
{
    ssize_t n;

    if (notify->fd < 0)
        return;
    do
        n = send(notify->fd, message, strlen(message), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
}

PRINTF_LIKE(3, 0)
static void tell_with_status(const struct notify *notify, const char *state,
                             const char *status, va_list args)
{
    char message[MESSAGE_SIZE];
    int n = snprintf(message, sizeof(message), "%s\nSTATUS=", state);

    vsnprintf(message + n, sizeof(message) - (size_t)n, status, args);
    tell(notify, message);
}

void notify_ready(const struct notify *notify, const char *status, ...)
{
    va_list args;

    va_start(args, status);
    tell_with_status(notify, "READY=1", status, args);
    va_end(args);
}

void notify_reloading(const struct notify *notify)
{
    char message[MESSAGE_SIZE];

    snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             clock_monotonic_ns() / 1000);
    tell(notify, message);
}

void notify_stopping(const struct notify *notify, const char *status, ...)
{
    va_list args;

    va_start(args, status);
    tell_with_status(notify, "STOPPING=1", status, args);
    va_end(args);
}

void notify_alive(const struct notify *notify)
{
    tell(notify, "WATCHDOG=1");
}
