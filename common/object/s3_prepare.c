/* SPDX-License-Identifier: MIT */
/* s3_prepare -- the bucket: is it there, is it ours, does it talk to strangers? */
#include "common/object/s3.h"
#include "common/object/text.h"
#include "common/object/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Amazon names the bucket's true region in any refusal of the wrong one. */
static bool learn_region(struct s3_session *session)
{
    struct aws_settings *settings = &s3_store_of(&session->base)->settings;
    char region[AWS_NAME_SIZE];

    if (!exchange_response_header(session->exchange, "x-amz-bucket-region", region,
                                  sizeof region) ||
        strcmp(region, settings->region) == 0)
        return false;
    strcpy(settings->region, region);
    return true;
}

static enum status ask_for_bucket(struct s3_session *session, struct error *err)
{
    const struct s3_call call = {.method = "HEAD"};
    struct exchange_response response;
    enum status st = s3_call(session, &call, &response, err);

    if (st == ST_OK || !learn_region(session))
        return st;
    st = s3_aim(session, err);
    return st == ST_OK ? s3_call(session, &call, &response, err) : st;
}

/* HEAD has no body, hence no reason: ask again in a way that is answered with one. */
static enum status ask_for_reason(struct s3_session *session, struct error *err)
{
    const struct s3_call call = {.method = "GET", .query = "list-type=2&max-keys=1"};
    struct exchange_response response;

    return s3_call(session, &call, &response, err);
}

/* Private is S3's default. us-east-1 must not be named, every other region must. */
static enum status create_bucket(struct s3_session *session, struct error *err)
{
    struct s3_store *store = s3_store_of(&session->base);
    char constraint[256] = "";
    struct exchange_body body;
    struct exchange_response response;
    struct sha256_digest digest;
    struct s3_call call = {.method = "PUT", .body = &body, .digest = &digest};
    enum status st;

    if (strcmp(store->settings.region, "us-east-1") != 0)
        snprintf(constraint, sizeof constraint,
                 "<CreateBucketConfiguration "
                 "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                 "<LocationConstraint>%s</LocationConstraint>"
                 "</CreateBucketConfiguration>",
                 store->settings.region);
    st = s3_text_body(constraint, &body, &digest, err);
    if (st == ST_OK)
        st = s3_call(session, &call, &response, err);
    if (st != ST_OK &&
        strcmp(session->base.answer.code, "BucketAlreadyOwnedByYou") == 0)
        return ST_OK;
    if (st != ST_OK && strcmp(session->base.answer.code, "BucketAlreadyExists") == 0)
        return error_set(err, ST_REFUSED, "it belongs to someone else");
    return st;
}

struct policy {
    bool answered, is_public;
    bool overlooked; /* the query: so this is the bucket's list, perhaps cut short */
};

static void take_policy(void *context, const char *path, const char *text)
{
    struct policy *policy = context;

    if (strcmp(path, "PolicyStatus/IsPublic") == 0) {
        policy->answered = true;
        policy->is_public = strcasecmp(text, "true") == 0;
    } else if (strncmp(path, "ListBucketResult", strlen("ListBucketResult")) == 0) {
        policy->overlooked = true;
    }
}

/* Not every store knows the question, and a bucket without a policy has no status. */
static bool has_no_policy(const struct object_answer *answer, enum status st)
{
    if (answer->http_status == 501)
        return true;
    if (st != ST_REFUSED || answer->hopeless)
        return false;
    return answer->http_status == 400 || answer->http_status == 405 ||
           (answer->http_status == 404 &&
            strcmp(answer->code, "NoSuchBucketPolicy") == 0);
}

static enum status ask_for_policy(struct s3_session *session, bool *is_public,
                                  struct error *err)
{
    struct policy policy = {.answered = false};
    const struct s3_call call = {.method = "GET", .query = "policyStatus="};
    struct exchange_response response;
    enum status st = s3_call(session, &call, &response, err);

    if (st == ST_OK)
        st = s3_read(&response, take_policy, &policy, err);
    else if (has_no_policy(&session->base.answer, st))
        return ST_OK;
    if (policy.overlooked)
        return ST_OK;
    if (st == ST_OK && !policy.answered)
        st = error_set(err, ST_AGAIN, "unclear answer");
    if (st != ST_OK)
        return error_prefix(err, "cannot tell whether it is open to the public");
    *is_public = policy.is_public;
    return ST_OK;
}

/* A stranger who may list, or, as far as the store tells, one who may read. */
static enum status is_open_to_strangers(struct s3_session *session, bool *open,
                                        struct error *err)
{
    const struct s3_call list = {
        .method = "GET", .query = "list-type=2&max-keys=1", .as_stranger = true};
    struct exchange_response response;
    enum status st = s3_call(session, &list, &response, err);

    if (st == ST_REFUSED)
        return ask_for_policy(session, open, err);
    if (st == ST_OK)
        *open = true;
    return st;
}

enum status s3_prepare(struct object_session *base, bool create, bool allow_public,
                       struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    bool open = false;
    enum status st = ask_for_bucket(session, err);

    if (st != ST_OK && base->answer.http_status == 404) {
        if (!create)
            return ST_END;
        st = create_bucket(session, err);
    } else if (st == ST_REFUSED && base->answer.http_status != 0) {
        st = ask_for_reason(session, err);
    }
    if (st != ST_OK || allow_public)
        return st;
    st = is_open_to_strangers(session, &open, err);
    if (st == ST_OK && open)
        return error_set(err, ST_REFUSED, "it is open to the public");
    return st;
}
