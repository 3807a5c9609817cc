/* SPDX-License-Identifier: MIT */
/*
 * crew -- a fixed number of named threads doing the same work.
 *
 * Each thread calls work(context, index) once; the work ends by itself, usually when
 * its queue closes. crew_join waits for all of them and frees the crew.
 * Threads: start and join from one thread.
 */
#ifndef COMMON_CREW_H
#define COMMON_CREW_H

#include "common/status.h"

struct crew;

typedef void crew_work(void *context, unsigned index);

/* name: up to 11 characters, shown with the index by top -H ("commit/3"). If a thread
 * cannot be started, none is left running and ST_SYSTEM is returned; `work` must end
 * on its own in that case (the caller closes its queue after the failure, so crew_start
 * only starts running work once every thread exists). */
enum status crew_start(struct crew **out, const char *name, unsigned count,
                       crew_work *work, void *context, struct error *err) MUST_CHECK;
void crew_join(struct crew **crew); /* NULL inside is fine */

#endif
