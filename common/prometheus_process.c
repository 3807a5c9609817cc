/* SPDX-License-Identifier: MIT */
#include "common/clock.h"
#include "common/prometheus.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

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

/* The one line of a file in /proc; "" when there is none. */
static const char *read_line(const char *path, char line[LINE_SIZE])
{
    FILE *file = fopen(path, "re");

    line[0] = '\0';
    if (!file)
        return line;
    if (!fgets(line, LINE_SIZE, file))
        line[0] = '\0';
    fclose(file);
    return line;
}

/* The number that follows so many blanks; 0 when the text has fewer. */
static double number_after(const char *text, unsigned blanks)
{
    for (; text && blanks > 0; blanks--) {
        text = strchr(text, ' ');
        if (text)
            text++;
    }
    return text ? (double)strtoull(text, NULL, 10) : 0;
}

static double resident_bytes(void)
{
    char line[LINE_SIZE];

    return number_after(read_line("/proc/self/statm", line), 1) *
           (double)sysconf(_SC_PAGESIZE);
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
    char line[LINE_SIZE];
    /* The name, the second of the fields, may have blanks in it. */
    const char *behind_name = strrchr(read_line("/proc/self/stat", line), ')');
    double ticks = number_after(behind_name, 22 - 2);
    struct timespec up;
    double age;

    clock_gettime(CLOCK_BOOTTIME, &up);
    age = (double)up.tv_sec + (double)up.tv_nsec / 1e9 -
          ticks / (double)sysconf(_SC_CLK_TCK);
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
