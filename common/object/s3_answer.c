/* SPDX-License-Identifier: MIT */
/* s3_answer -- from what S3 says went wrong to what is to be done about it. */
#include "common/clock.h"
#include "common/http_date.h"
#include "common/object/s3.h"
#include "common/object/xml.h"

#include <stdio.h>
#include <string.h>

struct complaint {
    char code[OBJECT_CODE_SIZE];
    char message[S3_MESSAGE_SIZE];
    char region[AWS_NAME_SIZE];
};

static bool is_one_of(const char *code, const char *const *codes)
{
    for (; *codes; codes++) {
        if (strcmp(code, *codes) == 0)
            return true;
    }
    return false;
}

/* Answered with 4xx (or 200), but worth another attempt. */
static const char *const transient_codes[] = {"InternalError",
                                              "SlowDown",
                                              "ServiceUnavailable",
                                              "RequestTimeout",
                                              "RequestTimeTooSkewed",
                                              "OperationAborted",
                                              "IncompleteBody",
                                              "ThrottlingException",
                                              "Throttling",
                                              "TooManyRequests",
                                              "ConditionalRequestConflict",
                                              NULL};

static const char *const throttle_codes[] = {"SlowDown", "ThrottlingException",
                                             "Throttling", "TooManyRequests", NULL};

/* No request of this run will fare better. That says nothing against a multipart upload
 * under way, which a later run may complete. */
static const char *const hopeless_codes[] = {
    "InvalidAccessKeyId",   "SignatureDoesNotMatch",
    "ExpiredToken",         "InvalidToken",
    "TokenRefreshRequired", "InvalidSecurity",
    "AccountProblem",       "NotSignedUp",
    "AllAccessDisabled",    "NoSuchBucket",
    "QuotaExceeded",        "UserSuspended",
    "InsufficientStorage",  NULL};

static const char *const digest_codes[] = {"XAmzContentSHA256Mismatch", "BadDigest",
                                           "InvalidDigest", NULL};

/* The store no longer has a multipart upload, or parts of it. */
static const char *const gone_codes[] = {"NoSuchUpload", "InvalidPart", NULL};

static void take_complaint(void *context, const char *path, const char *text)
{
    struct complaint *complaint = context;

    if (strcmp(path, "Error/Code") == 0)
        xml_copy(complaint->code, sizeof complaint->code, text);
    else if (strcmp(path, "Error/Message") == 0)
        snprintf(complaint->message, sizeof complaint->message, "%s", text);
    else if (strcmp(path, "Error/Region") == 0)
        xml_copy(complaint->region, sizeof complaint->region, text);
}

/* Where the bucket is: it becomes part of a host name. */
static void learn_region(struct s3_session *session, const struct complaint *complaint)
{
    static const char usual[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    char *region = session->region;

    if (!exchange_response_header(session->exchange, "x-amz-bucket-region", region,
                                  AWS_NAME_SIZE))
        strcpy(region, complaint->region);
    if (region[strspn(region, usual)])
        region[0] = '\0';
}

/* A clock that is off spoils every signature: follow theirs, once. */
static void follow_clock(struct s3_session *session)
{
    struct s3_store *store = s3_store_of(&session->base);
    long long offset_ms;
    int64_t date_s;
    char date[64];

    if (!exchange_response_header(session->exchange, "Date", date, sizeof date) ||
        !http_date_parse(date, &date_s) || atomic_exchange(&store->clock_set, true))
        return;
    offset_ms = (long long)date_s * 1000 - (long long)clock_wall_ms();
    atomic_store(&store->clock_offset_ms, offset_ms);
    session->base.answer.clock_ms = offset_ms;
}

/* A 404 that gives no reason may be that of a proxy which sees no store just now. HEAD
 * never gives one, and a stranger need not be told. */
static bool is_silent_404(const struct s3_call *call,
                          const struct object_answer *answer)
{
    return answer->http_status == 404 && !*answer->code && !call->as_stranger &&
           strcmp(call->method, "HEAD") != 0;
}

static enum status classify(const struct s3_call *call,
                            const struct object_answer *answer)
{
    if (is_one_of(answer->code, digest_codes))
        return ST_CORRUPT;
    if (is_one_of(answer->code, gone_codes))
        return ST_END;
    if (answer->hopeless || is_one_of(answer->code, transient_codes) ||
        is_silent_404(call, answer))
        return ST_AGAIN;
    if (answer->http_status < 300 || answer->http_status == 501)
        return ST_REFUSED;
    return exchange_verdict(answer->http_status);
}

enum status s3_read(const struct exchange_response *response, xml_visit *visit,
                    void *context, struct error *err)
{
    enum status st = xml_read_answer(response->body, response->body_length, visit,
                                     context, err);

    return xml_of_answer(st, err);
}

enum status s3_explain(struct s3_session *session, const struct s3_call *call,
                       const struct exchange_response *response, struct error *err)
{
    struct object_answer *answer = &session->base.answer;
    struct complaint complaint = {.code = ""};
    struct error ignored;

    /* Not every answer is S3's own: a proxy in between has other words. */
    if (response->body_length > 0 &&
        xml_read_answer(response->body, response->body_length, take_complaint,
                        &complaint, &ignored) != ST_OK)
        complaint = (struct complaint){.code = ""};
    strcpy(answer->code, complaint.code);
    answer->throttled = response->status == 503 || response->status == 429 ||
                        is_one_of(complaint.code, throttle_codes);
    answer->hopeless = !call->as_stranger && is_one_of(complaint.code, hopeless_codes);
    if (strcmp(complaint.code, "RequestTimeTooSkewed") == 0)
        follow_clock(session);
    learn_region(session, &complaint);
    return error_set(err, classify(call, answer), "%s answered %d%s%s%s%s%s%s",
                     call->method, response->status, *complaint.code ? " " : "",
                     complaint.code, *session->region ? ", region " : "",
                     session->region, *complaint.message ? ": " : "",
                     complaint.message);
}
