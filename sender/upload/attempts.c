/* SPDX-License-Identifier: MIT */
#include "sender/upload/attempts.h"

/* This many files in a row without one success: it is not the files. */
enum { FAILURES_IN_A_ROW_MAX = 30 };

static void note_final(struct upload_run *run, const struct object_session *session,
                       enum status st, const struct error *err)
{
    if (st == ST_OK || st == ST_END) {
        atomic_store(&run->failures_in_a_row, 0);
        return;
    }
    if (st != ST_AGAIN && st != ST_REFUSED)
        return;
    if (session->answer.hopeless ||
        atomic_fetch_add(&run->failures_in_a_row, 1) + 1 == FAILURES_IN_A_ROW_MAX)
        upload_give_up(run, err->text);
}

bool attempts_again(struct attempts *attempts, struct upload_run *run,
                    const struct object_session *session, enum status st,
                    const struct error *err)
{
    const struct object_answer *answer = &session->answer;
    uint64_t delay_ms;

    attempts->made++;
    atomic_fetch_add(&run->tally.requests, 1);
    if (answer->throttled)
        atomic_fetch_add(&run->tally.throttled, 1);
    if (st == ST_OK)
        retry_budget_earn(&run->budget);
    if (st != ST_AGAIN || attempts->made >= run->retry.max_attempts ||
        answer->hopeless || latch_is_set(&run->stop) ||
        !retry_budget_spend(&run->budget)) {
        if (!attempts->alone)
            note_final(run, session, st, err);
        return false;
    }
    atomic_fetch_add(&run->tally.retries, 1);
    delay_ms = retry_delay_ms(&run->retry, attempts->made, answer->retry_after_ms);
    return !latch_wait(&run->stop, delay_ms);
}
