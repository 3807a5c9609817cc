/* SPDX-License-Identifier: MIT */
/*
 * bench -- what the load generators share: a body, a crew of threads that start
 * together, a share of the work for each, and one JSON line at the end.
 *
 * A run ends when `count` operations are done or `duration_ms` has passed, whichever
 * comes first. Generating costs nothing while the clock runs: one body is made, and
 * hashed, before it starts, and is sent again and again.
 *
 * Errors:  a generator that cannot work is of no use: bench_fail ends the process.
 * Threads: bench_next and bench_done from the workers; the rest from main.
 */
#ifndef SCRIPTS_BENCH_BENCH_H
#define SCRIPTS_BENCH_BENCH_H

#include "common/digest_field.h"
#include "common/histogram.h"
#include "common/options.h"
#include "common/status.h"
#include "common/uuid.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows of an options table that every generator has; the config begins with this. */
struct bench_config {
    uint64_t threads, size, count, duration_ms;
};

#define BENCH_OPTIONS                                                                  \
    {"threads",                                                                        \
     'c',                                                                              \
     OPTION_COUNT,                                                                     \
     offsetof(struct bench_config, threads),                                           \
     "N",                                                                              \
     "16",                                                                             \
     .min = 1,                                                                         \
     .max = 1024,                                                                      \
     .help = "threads, each with one connection or file"},                             \
        {"size",                                                                       \
         's',                                                                          \
         OPTION_SIZE,                                                                  \
         offsetof(struct bench_config, size),                                          \
         "SIZE",                                                                       \
         "16KiB",                                                                      \
         .min = 1,                                                                     \
         .max = 1ULL << 40,                                                            \
         .help = "bytes of each body"},                                                \
        {"count",                                                                      \
         'n',                                                                          \
         OPTION_COUNT,                                                                 \
         offsetof(struct bench_config, count),                                         \
         "N",                                                                          \
         "0",                                                                          \
         .help = "stop after this many; 0: by time alone"},                            \
    {                                                                                  \
        "duration", 't', OPTION_DURATION, offsetof(struct bench_config, duration_ms),  \
            "TIME", "5s", .min = 1, .max = 3600000, .help = "stop after this long"     \
    }

struct bench {
    const struct bench_config *config;
    void (*work)(struct bench *bench, unsigned index);
    const void *body; /* body_size bytes; a larger blob repeats them */
    size_t body_size;
    char digest[DIGEST_FIELD_TEXT_SIZE]; /* of the whole blob, as Repr-Digest has it */
    pthread_barrier_t start;
    uint64_t start_ns, end_ns; /* set by the barrier's last thread; end_ns: deadline */
    atomic_uint_fast64_t taken, done, failed;
    struct histogram latency_us;
};

/* Parses options with this table and fills config, which begins with bench_config.
 * Ends the process for --help and for anything wrong. */
void bench_options(const struct option_set *set, int argc, char **argv, void *config);

/* Runs work(bench, index) in every thread and prints the line. Returns the exit status:
 * failure when any operation failed or none was done. */
int bench_run(const struct bench_config *config,
              void (*work)(struct bench *bench, unsigned index));

/* Call when prepared (connected): returns when all are. */
void bench_ready(struct bench *bench);

/* Whether there is another operation to do; began_ns becomes now. */
bool bench_next(struct bench *bench, uint64_t *began_ns);
void bench_done(struct bench *bench, uint64_t began_ns, bool ok);

/* The n body bytes from offset: sets *bytes, returns how many of them are in one piece.
 */
size_t bench_body(const struct bench *bench, uint64_t offset, const void **bytes);

/* Makes *id, zeros at first, the next of one thread's ids: a random version 7 counted
 * up, because a system call for each id would be noticed. */
void bench_next_id(struct uuid *id);

_Noreturn void bench_fail(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
