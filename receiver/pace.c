/* SPDX-License-Identifier: MIT */
#include "receiver/pace.h"

#include "common/clock.h"
#include "common/crew.h"
#include "common/log.h"
#include "receiver/log_limit.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

/* A walk over many connections lets go of the lock between batches, so that no event
 * loop waits long to open or close one. */
enum { LOOKS_PER_WINDOW = 5, BATCH = 64, PEER_SIZE = 64 };

/* The kernel's TCP_CLOSE_WAIT, which its headers keep to themselves. */
enum { CLOSE_WAIT = 8 };

TAILQ_HEAD(runners, pace_runner);

struct pace {
    struct pace_config config; /* set once: read freely */
    struct crew *crew;         /* one thread; NULL when nobody is too slow */
    atomic_uint_fast64_t cuts;
    struct log_limit lines;
    struct {
        pthread_mutex_t lock; /* guards everything in here, and runners' `seen` */
        pthread_cond_t changed;
        struct runners runners; /* the next one to look at comes first */
        size_t count;
        bool stopping;
    } shared;
};

/* For the log, which is written without the lock. */
struct cut {
    char peer[PEER_SIZE];
    const char *what;
};

/* What one look at a connection shows. */
struct sight {
    uint64_t at;
    enum pace_phase phase;
    bool known;     /* how far the peer has come */
    uint64_t moved; /* that */
    bool left;      /* the peer will send nothing more */
};

/* Not on a local socket. */
static void ask_kernel(int fd, struct sight *sight)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);

    sight->known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0;
    sight->moved = sight->phase == PACE_ANSWER ? info.tcpi_bytes_acked
                                               : info.tcpi_bytes_received;
    sight->left = sight->known && info.tcpi_state == CLOSE_WAIT;
}

/* Between two requests nobody counts but the kernel, and what came along with the last
 * one goes unnoticed: who sends no more than that waits for its idle timeout, as if it
 * had sent nothing. A head has to be complete whatever its size. */
static struct sight look_at(const struct pace_runner *runner)
{
    struct sight sight = {
        .at = atomic_load_explicit(&runner->at, memory_order_relaxed)};

    sight.phase = pace_phase_of(sight.at);
    sight.known = sight.phase != PACE_WORK && sight.phase != PACE_CUT;
    if (sight.phase == PACE_IDLE || sight.phase == PACE_ANSWER)
        ask_kernel(runner->fd, &sight);
    else if (sight.phase == PACE_BODY)
        sight.moved = atomic_load_explicit(&runner->moved, memory_order_relaxed);
    return sight;
}

/* Whether it is our turn: bytes of the peer lie unread, or all of ours were taken. */
static bool waits_for_us(int fd, enum pace_phase phase)
{
    int bytes = 0;

    if (phase == PACE_ANSWER)
        return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes == 0;
    return ioctl(fd, SIOCINQ, &bytes) == 0 && bytes > 0;
}

static bool too_slow_locked(const struct pace *pace, struct pace_runner *runner,
                            const struct sight *sight, uint64_t now_ns)
{
    uint64_t window_ns = pace->config.window_ms * UINT64_C(1000000);
    uint64_t enough = pace->config.min_rate * pace->config.window_ms / 1000;
    enum pace_phase phase = sight->phase;
    bool begun = phase != PACE_IDLE || sight->moved != runner->seen.moved;

    if (sight->at != runner->seen.at || !sight->known || !begun) {
        runner->seen.at = sight->at;
        runner->seen.since_ns = now_ns;
        runner->seen.moved = sight->moved;
        return false;
    }
    if (now_ns - runner->seen.since_ns < window_ns)
        return false;
    if ((phase == PACE_BODY || phase == PACE_ANSWER) &&
        sight->moved - runner->seen.moved >= enough)
        runner->seen.moved = sight->moved;
    else if (!waits_for_us(runner->fd, phase))
        return true;
    runner->seen.since_ns = now_ns;
    return false;
}

/* A peer that left between two requests. libmicrohttpd 0.9.75 misses that when it comes
 * together with a request's last bytes, and would hold the connection until it times
 * out. Seen twice, so that what was read a moment ago has become a request. */
static bool has_left_locked(struct pace_runner *runner, const struct sight *sight)
{
    bool leaves = sight->phase == PACE_IDLE && sight->left &&
                  !waits_for_us(runner->fd, PACE_IDLE);
    bool twice = leaves && runner->seen.leaves && runner->seen.at == sight->at;

    runner->seen.leaves = leaves;
    return twice;
}

/* What lies in the kernel for a peer that does not read is thrown away with the
 * connection; a word to one that does not write is not. */
static void cut_locked(struct pace *pace, struct pace_runner *runner,
                       enum pace_phase phase, struct cut *cut)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    snprintf(cut->peer, sizeof(cut->peer), "%s", runner->peer);
    cut->what = phase == PACE_ANSWER ? "answer" : phase == PACE_BODY ? "body" : "head";
    if (phase == PACE_ANSWER)
        (void)setsockopt(runner->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    else if (runner->plain)
        (void)!send(runner->fd, pace->config.farewell, pace->config.farewell_length,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* True when it was cut off. Its loop may be a step further than what we saw: then it is
 * left alone. */
static bool look_closer_locked(struct pace *pace, struct pace_runner *runner,
                               uint64_t now_ns, struct cut *cut)
{
    struct sight sight = look_at(runner);
    bool left = has_left_locked(runner, &sight);
    bool slow = !left && too_slow_locked(pace, runner, &sight, now_ns);
    uint64_t at = sight.at;

    if ((!left && !slow) || !atomic_compare_exchange_strong(
                                &runner->at, &at, (sight.at & ~UINT64_C(7)) | PACE_CUT))
        return false;
    if (slow)
        cut_locked(pace, runner, sight.phase, cut);
    shutdown(runner->fd, SHUT_RDWR); /* its loop sees that, and closes it */
    return slow;
}

/* Looks at up to BATCH runners of *left. Returns how many were cut. */
static size_t look_locked(struct pace *pace, size_t *left, struct cut cuts[BATCH])
{
    uint64_t now_ns = clock_monotonic_ns();
    size_t n = 0;

    for (size_t i = 0; i<BATCH && * left> 0; i++, --*left) {
        struct pace_runner *runner = TAILQ_FIRST(&pace->shared.runners);

        if (!runner)
            break;
        TAILQ_REMOVE(&pace->shared.runners, runner, seen.link);
        TAILQ_INSERT_TAIL(&pace->shared.runners, runner, seen.link);
        if (look_closer_locked(pace, runner, now_ns, &cuts[n]))
            n++;
    }
    return n;
}

static void report(struct pace *pace, const struct cut *cuts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (log_limit_allows(&pace->lines))
            log_event(LOG_WARN, "too_slow",
                      LOG_FIELDS(log_text("peer", cuts[i].peer),
                                 log_text("phase", cuts[i].what)),
                      "cut off %s: too slow with its %s", cuts[i].peer, cuts[i].what);
    atomic_fetch_add(&pace->cuts, n);
}

static void look_at_all(struct pace *pace)
{
    struct cut cuts[BATCH];
    size_t left, n;

    pthread_mutex_lock(&pace->shared.lock);
    left = pace->shared.count;
    while (left > 0 && !pace->shared.stopping) {
        n = look_locked(pace, &left, cuts);
        pthread_mutex_unlock(&pace->shared.lock);
        report(pace, cuts, n);
        pthread_mutex_lock(&pace->shared.lock);
        if (TAILQ_EMPTY(&pace->shared.runners))
            break;
    }
    pthread_mutex_unlock(&pace->shared.lock);
}

/* False when it is time to stop. */
static bool rest(struct pace *pace)
{
    uint64_t pause_ns = pace->config.window_ms * UINT64_C(1000000) / LOOKS_PER_WINDOW;
    uint64_t until_ns = clock_monotonic_ns() + pause_ns;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                   .tv_nsec = (long)(until_ns % 1000000000)};
    bool stopping;

    pthread_mutex_lock(&pace->shared.lock);
    while (!pace->shared.stopping &&
           pthread_cond_timedwait(&pace->shared.changed, &pace->shared.lock, &until) !=
               ETIMEDOUT)
        ;
    stopping = pace->shared.stopping;
    pthread_mutex_unlock(&pace->shared.lock);
    return !stopping;
}

static void work(void *context, unsigned index)
{
    struct pace *pace = context;

    (void)index;
    while (rest(pace))
        look_at_all(pace);
}

enum status pace_start(struct pace **out, const struct pace_config *config,
                       struct error *err)
{
    struct pace *pace = calloc(1, sizeof(*pace));
    pthread_condattr_t monotonic;
    enum status st = ST_OK;

    if (!pace)
        return error_sys(err, ENOMEM, "start the pace thread");
    pace->config = *config;
    pace->lines = (struct log_limit){.event = "too_slow", .per_s = LOG_LIMIT_PER_S};
    TAILQ_INIT(&pace->shared.runners);
    pthread_mutex_init(&pace->shared.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pace->shared.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (config->min_rate > 0)
        st = crew_start(&pace->crew, "pace", 1, work, pace, err);
    if (st != ST_OK) {
        pace_stop(&pace);
        return st;
    }
    *out = pace;
    return ST_OK;
}

void pace_stop(struct pace **pace)
{
    if (!*pace)
        return;
    pthread_mutex_lock(&(*pace)->shared.lock);
    (*pace)->shared.stopping = true;
    pthread_cond_signal(&(*pace)->shared.changed);
    pthread_mutex_unlock(&(*pace)->shared.lock);
    crew_join(&(*pace)->crew);
    pthread_cond_destroy(&(*pace)->shared.changed);
    pthread_mutex_destroy(&(*pace)->shared.lock);
    free(*pace);
    *pace = NULL;
}

void pace_enter(struct pace *pace, struct pace_runner *runner)
{
    atomic_init(&runner->at, PACE_IDLE);
    atomic_init(&runner->moved, 0);
    runner->seen.at = PACE_IDLE;
    runner->seen.moved = 0;
    runner->seen.leaves = false;
    runner->seen.since_ns = clock_monotonic_ns();
    pthread_mutex_lock(&pace->shared.lock);
    TAILQ_INSERT_TAIL(&pace->shared.runners, runner, seen.link);
    pace->shared.count++;
    pthread_mutex_unlock(&pace->shared.lock);
}

void pace_leave(struct pace *pace, struct pace_runner *runner)
{
    pthread_mutex_lock(&pace->shared.lock);
    TAILQ_REMOVE(&pace->shared.runners, runner, seen.link);
    pace->shared.count--;
    pthread_mutex_unlock(&pace->shared.lock);
}

uint64_t pace_cuts(const struct pace *pace)
{
    return atomic_load(&pace->cuts);
}
