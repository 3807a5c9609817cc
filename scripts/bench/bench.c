/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include "common/clock.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 16 << 20 };

struct worker {
    pthread_t thread;
    struct bench *bench;
    unsigned index;
};

void bench_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

void bench_options(const struct option_set *set, int argc, char **argv, void *config)
{
    struct error err;
    int operand;

    switch (options_parse(set, argc, argv, config, &operand, &err)) {
    case ST_OK:
        break;
    case ST_END:
        exit(EXIT_SUCCESS);
    case ST_AGAIN:
    case ST_REFUSED:
    case ST_CORRUPT:
    case ST_INVALID:
    case ST_CLOSED:
    case ST_SYSTEM:
        fprintf(stderr, "%s: %s\n", set->program, err.text);
        exit(EXIT_USAGE);
    }
}

static void make_body(struct bench *bench, uint64_t size)
{
    struct sha256 *sha = NULL;
    struct sha256_digest digest;
    struct error err;
    uint64_t offset;
    void *bytes;

    bench->body_size = size < BODY_MAX ? (size_t)size : BODY_MAX;
    bytes = malloc(bench->body_size);
    if (bytes == NULL || sodium_init() < 0)
        bench_fail("no memory for a body of %zu bytes", bench->body_size);
    randombytes_buf(bytes, bench->body_size);
    bench->body = bytes;

    if (sha256_create(&sha, &err) != ST_OK)
        bench_fail("%s", err.text);
    for (offset = 0; offset < size;) {
        const void *piece;
        size_t n = bench_body(bench, offset, &piece);

        sha256_update(sha, piece, n);
        offset += n;
    }
    if (sha256_finish(sha, &digest, &err) != ST_OK)
        bench_fail("%s", err.text);
    sha256_destroy(&sha);
    digest_field_format(bench->digest, &digest);
}

size_t bench_body(const struct bench *bench, uint64_t offset, const void **bytes)
{
    size_t at = (size_t)(offset % bench->body_size);
    uint64_t left = bench->config->size - offset;

    *bytes = (const char *)bench->body + at;
    return left < bench->body_size - at ? (size_t)left : bench->body_size - at;
}

void bench_ready(struct bench *bench)
{
    int place = pthread_barrier_wait(&bench->start);

    if (place == PTHREAD_BARRIER_SERIAL_THREAD) {
        bench->start_ns = clock_monotonic_ns();
        bench->end_ns = bench->start_ns + bench->config->duration_ms * 1000000;
    }
    pthread_barrier_wait(&bench->start);
}

bool bench_next(struct bench *bench, uint64_t *began_ns)
{
    *began_ns = clock_monotonic_ns();
    if (*began_ns >= bench->end_ns)
        return false;
    return bench->config->count == 0 ||
           atomic_fetch_add(&bench->taken, 1) < bench->config->count;
}

void bench_done(struct bench *bench, uint64_t began_ns, bool ok)
{
    atomic_fetch_add(ok ? &bench->done : &bench->failed, 1);
    histogram_record(&bench->latency_us, (clock_monotonic_ns() - began_ns) / 1000);
}

void bench_next_id(struct uuid *id)
{
    int i;

    if (uuid_version(id) != 7)
        *id = uuid_generate(clock_wall_ms());
    for (i = UUID_BYTES - 1; i >= UUID_BYTES - 4 && ++id->bytes[i] == 0; i--)
        ;
}

static void report(const struct bench *bench)
{
    double seconds = (double)(clock_monotonic_ns() - bench->start_ns) / 1e9;
    uint64_t done = atomic_load(&bench->done);
    double bytes = (double)done * (double)bench->config->size;

    printf("{\"requests\":%ju,\"failed\":%ju,\"bytes\":%.0f,\"seconds\":%.3f,"
           "\"requests_per_s\":%.1f,\"mb_per_s\":%.2f,\"p50_us\":%ju,\"p99_us\":%ju}\n",
           (uintmax_t)done, (uintmax_t)atomic_load(&bench->failed), bytes, seconds,
           (double)done / seconds, bytes / seconds / 1e6,
           (uintmax_t)histogram_quantile(&bench->latency_us, 0.5),
           (uintmax_t)histogram_quantile(&bench->latency_us, 0.99));
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;

    worker->bench->work(worker->bench, worker->index);
    return NULL;
}

int bench_run(const struct bench_config *config,
              void (*work)(struct bench *bench, unsigned index))
{
    static struct bench bench;
    unsigned i, count = (unsigned)config->threads;
    struct worker *workers = calloc(count, sizeof(*workers));

    signal(SIGPIPE, SIG_IGN);
    bench.config = config;
    bench.work = work;
    make_body(&bench, config->size);
    errno = pthread_barrier_init(&bench.start, NULL, count);
    if (workers == NULL || errno != 0)
        bench_fail("%u threads: %s", count, strerror(errno));
    for (i = 0; i < count; i++) {
        workers[i].bench = &bench;
        workers[i].index = i;
        errno = pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]);
        if (errno != 0)
            bench_fail("thread %u: %s", i, strerror(errno));
    }
    for (i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    report(&bench);
    free(workers);
    return bench.done > 0 && bench.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
