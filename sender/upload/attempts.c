/* SPDX-License-Identifier: MIT */
#include "sender/upload/attempts.h"

#include "common/log.h"

#include <inttypes.h>

/* So many in a row without one success: it is not the files. */
enum { FAILURES_IN_A_ROW_MAX = 30 };

static void note_final(const struct attempts *attempts, struct upload_run *run,
                       const struct object_session *session, enum status st,
                       const struct error *err)
{
    atomic_uint *failures = &run->failures_in_a_row[attempts->kind];

    if (st == ST_OK || st == ST_END) {
        atomic_store(failures, 0);
        return;
    }
    if (st != ST_AGAIN && st != ST_REFUSED)
        return;
    if (session->answer.hopeless ||
        atomic_fetch_add(failures, 1) + 1 == FAILURES_IN_A_ROW_MAX)
        upload_give_up(run, err->text);
}

static void note_clock(int64_t behind_ms)
{
    if (behind_ms == 0)
        return;
    log_event(LOG_WARN, "clock", LOG_FIELDS(log_number("behind_ms", behind_ms)),
              "This machine's clock is %" PRId64 " seconds %s the store's, which is "
              "followed from now on",
              (behind_ms < 0 ? -behind_ms : behind_ms) / 1000,
              behind_ms < 0 ? "ahead of" : "behind");
}

bool attempts_again(struct attempts *attempts, struct upload_run *run,
                    const struct object_session *session, enum status st,
                    const struct error *err)
{
    const struct object_answer *answer = &session->answer;
    uint64_t delay_ms;

    attempts->made++;
    atomic_fetch_add(&run->tally.requests, 1);
    note_clock(answer->clock_ms);
    if (answer->throttled)
        atomic_fetch_add(&run->tally.throttled, 1);
    if (st == ST_OK)
        retry_budget_earn(&run->budget);
    if (st != ST_AGAIN || attempts->made >= run->retry.max_attempts ||
        answer->hopeless || latch_is_set(&run->stop) ||
        !retry_budget_spend(&run->budget)) {
        if (!attempts->alone)
            note_final(attempts, run, session, st, err);
        return false;
    }
    delay_ms = retry_delay_ms(&run->retry, attempts->made, answer->retry_after_ms);
    if (latch_wait(&run->stop, delay_ms))
        return false;
    atomic_fetch_add(&run->tally.retries, 1);
    return true;
}
