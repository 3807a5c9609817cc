/* SPDX-License-Identifier: MIT */
/*
 * progress -- the one-line bar: [=====>    ] 52/100 blobs  26.1 MiB  1.2 MiB/s  ETA 41s
 *
 * progress_show paints it below the log (log_footer), so it shows on a terminal only.
 * Units:   counts are the caller's things (blobs, files, bytes).
 * Threads: one thread.
 */
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *noun; /* "blobs"; NULL: done and total are bytes */
    const char *note; /* shown at the end of the line, e.g. "3 retried"; NULL: none */
    uint64_t done, total; /* total 0: unknown, no bar and no ETA */
    uint64_t bytes;       /* moved so far; ignored when noun is NULL */
    uint64_t elapsed_ms;
};

/* The line for a terminal `width` columns wide; never longer. Returns out. */
const char *progress_format(char *out, size_t size, unsigned width,
                            const struct progress *progress);

void progress_show(const struct progress *progress);
void progress_hide(void);

#endif
