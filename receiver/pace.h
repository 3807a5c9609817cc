/* SPDX-License-Identifier: MIT */
/*
 * pace -- cuts off peers that are too slow.
 *
 * An idle timeout does not stop a peer that sends one byte now and then. So a thread
 * looks at every connection a few times in each window, and cuts the one that
 *     has begun a request and not finished its head within a window, or
 *     moved less than min_rate times the window of a body, or of an answer to it.
 * Waiting is not being slow: between two requests, while we work, or while what the
 * peer has sent lies unread with us.
 *
 * It also ends what a peer has left between two requests.
 *
 * Shape:   the loop that serves a connection tells its phase and counts its body's
 *          bytes in atomics of the connection's own; no lock is taken for a request.
 *          A connection is cut in the phase it was seen in, or not at all.
 * Owner:   a runner lives in the caller's storage from pace_enter to pace_leave, which
 *          must come before its descriptor is closed.
 * Threads: enter, leave, phase and moved from the loop of the connection.
 * Source:  slowloris (2009); mod_reqtimeout of Apache httpd for the rates.
 */
#ifndef RECEIVER_PACE_H
#define RECEIVER_PACE_H

#include "common/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct pace;

struct pace_config {
    uint64_t min_rate; /* bytes per second; 0: nobody is too slow */
    uint64_t window_ms;
    const char *farewell; /* sent before a request is cut, where plain bytes can be */
    size_t farewell_length;
};

enum pace_phase {
    PACE_IDLE, /* between two requests */
    PACE_HEAD, /* the request line has been read */
    PACE_BODY,
    PACE_WORK,   /* the peer waits for us */
    PACE_ANSWER, /* on its way */
    PACE_CUT,    /* pace's own: the connection was ended */
};

struct pace_runner {
    const char *peer; /* for the log */
    int fd;
    bool plain;                 /* no TLS */
    atomic_uint_fast64_t at;    /* the phase, and how often it changed */
    atomic_uint_fast64_t moved; /* bytes of bodies */
    struct {                    /* pace's own, under its lock */
        TAILQ_ENTRY(pace_runner) link;
        uint64_t at, since_ns, moved;
        bool leaves;
    } seen;
};

enum status pace_start(struct pace **out, const struct pace_config *config,
                       struct error *err) MUST_CHECK;
void pace_stop(struct pace **pace); /* NULL inside is fine */

/* peer, fd and plain are set. */
void pace_enter(struct pace *pace, struct pace_runner *runner);
void pace_leave(struct pace *pace, struct pace_runner *runner);

/* Connections cut so far. */
uint64_t pace_cuts(const struct pace *pace);

static inline enum pace_phase pace_phase_of(uint64_t at)
{
    return (enum pace_phase)(at & 7);
}

/* False once the connection was cut: its peer has been told so, and must be told
 * nothing after it. */
static inline bool pace_phase(struct pace_runner *runner, enum pace_phase phase)
{
    uint64_t at = atomic_load_explicit(&runner->at, memory_order_relaxed);

    return pace_phase_of(at) != PACE_CUT &&
           atomic_compare_exchange_strong(&runner->at, &at,
                                          ((at >> 3) + 1) << 3 | phase);
}

/* It has one writer, so it needs no locked instruction. */
static inline void pace_moved(struct pace_runner *runner, size_t n)
{
    uint64_t moved = atomic_load_explicit(&runner->moved, memory_order_relaxed);

    atomic_store_explicit(&runner->moved, moved + n, memory_order_relaxed);
}

#endif
