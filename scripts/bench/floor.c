/* SPDX-License-Identifier: MIT */
/*
 * floor -- what storing durably costs when nothing else is done: each thread writes a
 * body to an unnamed file, fsyncs it, links it to a name and fsyncs the directory.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct floor_config {
    struct bench_config common; /* first */
    const char *dir;
};

static struct floor_config config;

static const struct option_spec specs[] = {
    BENCH_OPTIONS,
    {"dir", 'd', OPTION_TEXT, offsetof(struct floor_config, dir), "DIR", "floor",
     .help = "where the files go; made if missing"},
};

static const struct option_set options = {
    .program = "floor",
    .env_prefix = "BENCH_FLOOR",
    .about = "Writes, fsyncs, links and fsyncs the directory: the floor under any "
             "durable store.",
    .specs = specs,
    .count = sizeof(specs) / sizeof(specs[0]),
};

static bool write_body(const struct bench *bench, int fd)
{
    uint64_t offset = 0;

    while (offset < config.common.size) {
        const void *piece;
        size_t n = bench_body(bench, offset, &piece);
        ssize_t written = write(fd, piece, n);

        if (written < 0)
            return false;
        offset += (uint64_t)written;
    }
    return true;
}

static bool publish(int fd, const char *name)
{
    char unnamed[32];
    int dir_fd;
    bool ok;

    snprintf(unnamed, sizeof(unnamed), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, unnamed, AT_FDCWD, name, AT_SYMLINK_FOLLOW) != 0)
        return false;
    dir_fd = open(config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return false;
    ok = fsync(dir_fd) == 0;
    close(dir_fd);
    return ok;
}

static bool store(const struct bench *bench, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE], name[4096];
    int fd = open(config.dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0640);
    bool ok;

    if (fd < 0)
        return false;
    snprintf(name, sizeof(name), "%s/%s.bin", config.dir, uuid_format(text, id));
    ok = write_body(bench, fd) && fsync(fd) == 0 && publish(fd, name);
    close(fd);
    return ok;
}

static void work(struct bench *bench, unsigned index)
{
    struct uuid id = {{0}};
    uint64_t began;

    bench_ready(bench);
    while (bench_next(bench, &began)) {
        bool ok;

        bench_next_id(&id);
        ok = store(bench, &id);
        if (!ok)
            fprintf(stderr, "floor: thread %u: %s\n", index, strerror(errno));
        bench_done(bench, began, ok);
        if (!ok)
            return;
    }
}

int main(int argc, char **argv)
{
    bench_options(&options, argc, argv, &config);
    if (mkdir(config.dir, 0750) != 0 && errno != EEXIST)
        bench_fail("floor: '%s': %s", config.dir, strerror(errno));
    return bench_run(&config.common, work);
}
