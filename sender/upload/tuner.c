/* SPDX-License-Identifier: MIT */
#include "sender/upload/tuner.h"

enum {
    WINDOW_MIN_MS = 200,   /* shorter ones measure noise */
    WINDOW_MAX_MS = 5000,  /* longer ones measure yesterday */
    STEPS_PER_JOB = 4,     /* in a window that counts */
    PROBE_EVERY_MS = 8000, /* when settled */
    COOL_MS = 2000,        /* after being told to slow down */
};

static const double worth_doubling = 1.10; /* twice the load for this much more */
static const double worth_probing = 1.05;
static const double lossless = 0.98; /* fewer jobs for this much is as good */

static void begin_window(struct tuner *tuner, const struct tuner_sample *sample)
{
    tuner->window_start_ms = sample->now_ms;
    tuner->window_work = sample->work;
    tuner->window_steps = sample->steps;
    tuner->throttled = sample->throttled;
    tuner->idle = false;
}

void tuner_init(struct tuner *tuner, unsigned start, unsigned max, uint64_t now_ms)
{
    *tuner = (struct tuner){
        .jobs = start < max ? start : max,
        .max = max,
        .phase = TUNER_GROWING,
        .reason = "still growing at the end",
        .window_start_ms = now_ms,
    };
}

static void enter(struct tuner *tuner, enum tuner_phase phase, unsigned jobs,
                  uint64_t now_ms)
{
    tuner->phase = phase;
    tuner->jobs = jobs < 1 ? 1 : jobs > tuner->max ? tuner->max : jobs;
    tuner->settled_ms = now_ms;
}

static void settle(struct tuner *tuner, unsigned jobs, const char *reason,
                   uint64_t now_ms)
{
    enter(tuner, TUNER_SETTLED, jobs, now_ms);
    tuner->reason = reason;
}

static void grow(struct tuner *tuner, double rate, uint64_t now_ms)
{
    if (tuner->base_jobs > 0 && rate < tuner->base_rate * worth_doubling) {
        settle(tuner, tuner->base_jobs, "more brought nothing", now_ms);
        return;
    }
    tuner->base_jobs = tuner->jobs;
    tuner->base_rate = rate;
    if (tuner->jobs == tuner->max)
        settle(tuner, tuner->max, "as many as allowed", now_ms);
    else
        enter(tuner, TUNER_GROWING, tuner->jobs * 2, now_ms);
}

/* A quarter more and a quarter less, in turn. */
static void probe(struct tuner *tuner, double rate, uint64_t now_ms)
{
    unsigned step = tuner->jobs / 4 + 1;

    if (now_ms - tuner->settled_ms < PROBE_EVERY_MS)
        return;
    tuner->base_jobs = tuner->jobs;
    tuner->base_rate = rate;
    tuner->probe_up = !tuner->probe_up;
    if (tuner->probe_up)
        enter(tuner, TUNER_PROBING, tuner->jobs + step, now_ms);
    else
        enter(tuner, TUNER_PROBING, tuner->jobs > step ? tuner->jobs - step : 1,
              now_ms);
}

static void judge(struct tuner *tuner, double rate, uint64_t now_ms)
{
    double worth = tuner->probe_up ? worth_probing : lossless;
    bool paid = tuner->jobs != tuner->base_jobs && rate >= tuner->base_rate * worth;

    settle(tuner, paid ? tuner->jobs : tuner->base_jobs,
           !paid             ? tuner->reason
           : tuner->probe_up ? "more still helped"
                             : "fewer did as well",
           now_ms);
}

static void cool(struct tuner *tuner, uint64_t now_ms)
{
    if (now_ms - tuner->settled_ms < COOL_MS)
        return;
    if (tuner->jobs + 1 >= tuner->base_jobs)
        settle(tuner, tuner->jobs, tuner->reason, now_ms);
    else
        tuner->jobs++;
}

static void slow_down(struct tuner *tuner, const struct tuner_sample *sample)
{
    if (tuner->phase != TUNER_COOLING ||
        sample->now_ms - tuner->settled_ms >= COOL_MS) {
        tuner->base_jobs = tuner->jobs;
        enter(tuner, TUNER_COOLING, tuner->jobs / 2, sample->now_ms);
        tuner->reason = "the store asked for less";
    }
    begin_window(tuner, sample);
}

static bool is_window_full(const struct tuner *tuner, const struct tuner_sample *sample)
{
    uint64_t age_ms = sample->now_ms - tuner->window_start_ms;

    if (age_ms < WINDOW_MIN_MS || sample->steps <= tuner->window_steps)
        return false;
    return sample->steps - tuner->window_steps >=
               (uint64_t)tuner->jobs * STEPS_PER_JOB ||
           age_ms >= WINDOW_MAX_MS;
}

unsigned tuner_update(struct tuner *tuner, const struct tuner_sample *sample)
{
    double rate;

    if (sample->throttled > tuner->throttled) {
        slow_down(tuner, sample);
        return tuner->jobs;
    }
    if (sample->steps < tuner->window_steps) /* what failed is taken back */
        begin_window(tuner, sample);
    tuner->idle = tuner->idle || sample->idle;
    if (!is_window_full(tuner, sample))
        return tuner->jobs;
    rate = (sample->work - tuner->window_work) /
           (double)(sample->now_ms - tuner->window_start_ms);
    if (!tuner->idle) {
        switch (tuner->phase) {
        case TUNER_GROWING:
            grow(tuner, rate, sample->now_ms);
            break;
        case TUNER_SETTLED:
            probe(tuner, rate, sample->now_ms);
            break;
        case TUNER_PROBING:
            judge(tuner, rate, sample->now_ms);
            break;
        case TUNER_COOLING:
            cool(tuner, sample->now_ms);
            break;
        }
    }
    begin_window(tuner, sample);
    return tuner->jobs;
}
