/* SPDX-License-Identifier: MIT */
#include "sender/upload/courtesy.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From ioprio_set(2); glibc has no wrapper. */
enum { WHO_PROCESS = 1, CLASS_BEST_EFFORT = 2, CLASS_IDLE = 3, CLASS_SHIFT = 13 };
enum { LOWEST_BEST_EFFORT = 7 };

static const struct {
    int nice, io;
} grants[] = {
    [COURTESY_POLITE] = {5, CLASS_BEST_EFFORT << CLASS_SHIFT | LOWEST_BEST_EFFORT},
    [COURTESY_IDLE] = {19, CLASS_IDLE << CLASS_SHIFT},
};

void courtesy_adopt(enum courtesy courtesy)
{
    if (courtesy == COURTESY_OFF)
        return;
    if (getpriority(PRIO_PROCESS, 0) < grants[courtesy].nice)
        setpriority(PRIO_PROCESS, 0, grants[courtesy].nice);
    syscall(SYS_ioprio_set, WHO_PROCESS, 0, grants[courtesy].io);
}
