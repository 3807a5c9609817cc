/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/prometheus.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double cpu_seconds(void)
{
    struct rusage usage = {0};

    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    uint64_t total, resident = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the one that reads this */
}

static double most_descriptors(void)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_NOFILE, &limit);
    return (double)limit.rlim_cur;
}

/* Not from the boot time in /proc/stat, which a sandbox may hide. */
static double started_at(void)
{
    FILE *file = fopen("/proc/self/stat", "re");
    char line[1024] = "", *behind_name;
    uint64_t ticks = 0;
    struct timespec up;
    double age;

    if (!file)
        return 0;
    if (!fgets(line, sizeof(line), file))
        line[0] = '\0';
    fclose(file);
    behind_name = strrchr(line, ')');
    if (!behind_name || sscanf(behind_name + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
                               "%*d %*d %*d %*d %*d %*d %" SCNu64,
                               &ticks) != 1)
        return 0;
    clock_gettime(CLOCK_BOOTTIME, &up);
    age = (double)up.tv_sec + (double)up.tv_nsec / 1e9 -
          (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return (double)clock_wall_ms() / 1e3 - age;
}

void prometheus_process(struct prometheus *out)
{
    prometheus_family(out, "process_cpu_seconds_total", PROMETHEUS_COUNTER,
                      "User and system CPU time spent, in seconds.");
    prometheus_number(out, NULL, cpu_seconds());
    prometheus_gauge(out, "process_resident_memory_bytes", "Resident memory, in bytes.",
                     resident_bytes());
    prometheus_gauge(out, "process_open_fds", "Open file descriptors.",
                     open_descriptors());
    prometheus_gauge(out, "process_max_fds", "File descriptors that may be open.",
                     most_descriptors());
    prometheus_gauge(out, "process_start_time_seconds",
                     "When the process started, in seconds since 1970.", started_at());
}
