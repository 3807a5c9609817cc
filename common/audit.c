/* SPDX-License-Identifier: MIT */
#include "common/audit.h"

#include "common/bandwidth.h"
#include "common/clock.h"
#include "common/latch.h"
#include "common/progress.h"
#include "common/sha256.h"
#include "common/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, READ_BYTES_MIN = 512, PROGRESS_MS = 250 };

struct audit {
    struct sha256 *sha;
    struct bandwidth bandwidth;
    struct latch stop;
    int signals;
    size_t step; /* bytes at a time */
    uint64_t started_ns, painted_ns;
    uint64_t verified, corrupt, unreadable, without_digest, bytes;
    char buffer[READ_BYTES];
};

/* A quarter of a second's worth: between two steps we notice signals. */
static size_t step_of(uint64_t max_rate)
{
    if (max_rate == 0 || max_rate / 4 > READ_BYTES)
        return READ_BYTES;
    return max_rate / 4 > READ_BYTES_MIN ? (size_t)max_rate / 4 : READ_BYTES_MIN;
}

enum status audit_create(struct audit **out, uint64_t max_rate, struct error *err)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    enum status st;

    if (!audit)
        return error_sys(err, ENOMEM, "verify");
    audit->signals = -1;
    audit->step = step_of(max_rate);
    audit->started_ns = clock_monotonic_ns();
    latch_init(&audit->stop);
    bandwidth_init(&audit->bandwidth, max_rate, &audit->stop);
    st = signals_open(&audit->signals, err);
    if (st == ST_OK)
        st = sha256_create(&audit->sha, err);
    if (st != ST_OK) {
        audit_destroy(&audit);
        return st;
    }
    *out = audit;
    return ST_OK;
}

void audit_destroy(struct audit **audit)
{
    if (!*audit)
        return;
    sha256_destroy(&(*audit)->sha);
    if ((*audit)->signals >= 0)
        close((*audit)->signals);
    bandwidth_release(&(*audit)->bandwidth);
    latch_release(&(*audit)->stop);
    free(*audit);
    *audit = NULL;
}

/* Between two reads: has somebody asked to stop? */
static bool stopped(struct audit *audit)
{
    int number;

    while ((number = signals_take(audit->signals)) != 0)
        if (number != SIGHUP)
            latch_set(&audit->stop);
    return latch_is_set(&audit->stop);
}

static void paint(struct audit *audit)
{
    uint64_t now_ns = clock_monotonic_ns();

    if (now_ns - audit->painted_ns < UINT64_C(1000000) * PROGRESS_MS)
        return;
    audit->painted_ns = now_ns;
    progress_show(&(struct progress){
        .noun = "blobs",
        .done = audit->verified + audit->corrupt + audit->unreadable +
                audit->without_digest,
        .bytes = audit->bytes,
        .elapsed_ms = (now_ns - audit->started_ns) / 1000000,
    });
}

static enum status hash_file(struct audit *audit, int fd, struct sha256_digest *out,
                             struct error *err)
{
    off_t offset = 0;
    ssize_t n;

    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    sha256_start(audit->sha);
    while ((n = pread(fd, audit->buffer, audit->step, offset)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, errno, "read");
        sha256_update(audit->sha, audit->buffer, (size_t)n);
        (void)posix_fadvise(fd, offset, n, POSIX_FADV_DONTNEED);
        offset += n;
        audit->bytes += (uint64_t)n;
        bandwidth_take(&audit->bandwidth, (size_t)n);
        paint(audit);
        if (stopped(audit))
            return ST_CLOSED;
    }
    return sha256_finish(audit->sha, out, err);
}

enum status audit_check(struct audit *audit, int fd, const struct blob_info *info,
                        struct sha256_digest *found, struct error *err)
{
    struct sha256_digest digest;
    enum status st;

    if (!info->has_digest) {
        audit->without_digest++;
        return ST_END;
    }
    st = hash_file(audit, fd, &digest, err);
    if (st == ST_CLOSED)
        return error_set(err, st, "stopped");
    if (st != ST_OK) {
        audit->unreadable++;
        return st;
    }
    if (!sha256_equal(&digest, &info->digest)) {
        audit->corrupt++;
        *found = digest;
        return error_set(err, ST_CORRUPT, "its digest is another");
    }
    audit->verified++;
    return ST_OK;
}

void audit_unreadable(struct audit *audit)
{
    audit->unreadable++;
}

bool audit_is_clean(const struct audit *audit)
{
    return audit->corrupt + audit->unreadable + audit->without_digest == 0;
}

enum status audit_summarize(const struct audit *audit, bool json, bool complete,
                            struct error *err)
{
    double seconds = (double)(clock_monotonic_ns() - audit->started_ns) / 1e9;

    progress_hide();
    if (json)
        printf("{\"event\":\"summary\",\"verified\":%" PRIu64 ",\"corrupt\":%" PRIu64
               ",\"unreadable\":%" PRIu64 ",\"without_digest\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"seconds\":%.3f,\"complete\":%s}\n",
               audit->verified, audit->corrupt, audit->unreadable,
               audit->without_digest, audit->bytes, seconds,
               complete ? "true" : "false");
    else
        printf("verified:       %" PRIu64 "\ncorrupt:        %" PRIu64
               "\nunreadable:     %" PRIu64 "\nwithout digest: %" PRIu64
               "\nbytes:          %" PRIu64 "\nseconds:        %.3f\n%s",
               audit->verified, audit->corrupt, audit->unreadable,
               audit->without_digest, audit->bytes, seconds,
               complete ? "" : "stopped before the end\n");
    if (fflush(stdout) != 0)
        return error_sys(err, errno, "write the summary");
    return ST_OK;
}
