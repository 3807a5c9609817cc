/* SPDX-License-Identifier: MIT */
#include "sender/reach.h"

#include "common/log.h"

/* A receiver says that it lives to anybody; whoever does not is something else. */
static enum status judge(const struct reach_config *config,
                         const struct exchange_response *response, struct error *err)
{
    enum status verdict = exchange_verdict(response->status);

    if (verdict == ST_OK)
        return ST_OK;
    return error_set(err, verdict, "%s answers %d: is this a blob-receiver?",
                     config->url, response->status);
}

enum status reach_wait(const struct reach_config *config, struct error *err)
{
    struct exchange_config connection = config->connection;
    const struct exchange_request request = {
        .method = "GET",
        .url = config->url,
        .timeout_ms = config->timeout_ms,
    };
    struct exchange_response response;
    struct exchange *exchange = NULL;
    enum status st;

    connection.connect_timeout_ms = config->timeout_ms;
    connection.cancel = config->stop;
    st = exchange_create(&exchange, &connection, err);
    if (st != ST_OK)
        return st;
    for (unsigned attempt = 1;; attempt++) {
        uint64_t delay_ms = retry_delay_ms(&config->retry, attempt, 0);

        st = exchange_perform(exchange, &request, &response, err);
        if (st == ST_OK)
            st = judge(config, &response, err);
        if (st != ST_AGAIN || attempt >= config->retry.max_attempts)
            break;
        log_event(LOG_WARN, "unreachable",
                  LOG_FIELDS(log_number("attempt", attempt),
                             log_text("reason", err->text),
                             log_number("retry_ms", delay_ms)),
                  "%s, again in %llu ms", err->text, (unsigned long long)delay_ms);
        if (latch_wait(config->stop, delay_ms)) {
            st = error_set(err, ST_CLOSED, "stopped");
            break;
        }
    }
    exchange_destroy(&exchange);
    return st;
}
