/* SPDX-License-Identifier: MIT */
/* s3_prepare -- the bucket: is it there, is it ours, does it talk to strangers? */
#include "common/object/s3.h"
#include "common/object/text.h"
#include "common/object/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static enum status ask_for_bucket(struct s3_session *session, struct error *err)
{
    const struct s3_call head = {.method = "HEAD"};
    const struct s3_call list = {.method = "GET", .query = "list-type=2&max-keys=1"};
    struct exchange_response response;
    enum status st = s3_call(session, &head, &response, err);

    if (st != ST_REFUSED || session->base.answer.http_status == 404)
        return st;
    /* HEAD has no body, hence no reason: ask again in a way that is answered with one.
     */
    return s3_call(session, &list, &response, err);
}

/* A refusal of the wrong region names the right one. */
static enum status find_bucket(struct s3_session *session, struct error *err)
{
    struct s3_store *store = s3_store_of(&session->base);
    enum status st = ask_for_bucket(session, err);

    if (st == ST_OK || !*session->region ||
        strcmp(session->region, store->settings.region) == 0)
        return st;
    strcpy(store->settings.region, session->region);
    st = s3_aim(store, err);
    if (st == ST_OK)
        st = s3_renew_signer(session, err);
    return st == ST_OK ? ask_for_bucket(session, err) : st;
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

/* ---- is it open to the public? ---- */

struct openness {
    bool answered, is_public;
    bool overlooked; /* the query: so this is the bucket's list, perhaps cut short */
};

static void take_openness(void *context, const char *path, const char *text)
{
    static const char grants[] = "AccessControlPolicy/AccessControlList/Grant";
    static const char everyone[] = "http://acs.amazonaws.com/groups/global/";
    struct openness *openness = context;

    if (strcmp(path, "PolicyStatus/IsPublic") == 0) {
        openness->answered = true;
        openness->is_public = strcasecmp(text, "true") == 0;
    } else if (strncmp(path, grants, sizeof grants - 1) == 0) {
        openness->answered = true;
        if (strcmp(path + sizeof grants - 1, "/Grantee/URI") == 0 &&
            strncmp(text, everyone, sizeof everyone - 1) == 0)
            openness->is_public = true; /* AllUsers, AuthenticatedUsers */
    } else if (strncmp(path, "ListBucketResult", strlen("ListBucketResult")) == 0) {
        openness->overlooked = true;
    }
}

/* Not every store knows these questions, and a bucket without a policy has no status.
 */
static bool has_no_answer(const struct object_answer *answer)
{
    return answer->http_status == 400 || answer->http_status == 501 ||
           (answer->http_status == 404 &&
            strcmp(answer->code, "NoSuchBucketPolicy") == 0);
}

/* must_tell: neither a refusal of a store that has an answer nor an answer that says
 * nothing of it will do. A list of the bucket will: such a store does not know the
 * question. */
static enum status ask(struct s3_session *session, const char *query, bool must_tell,
                       bool *is_public, struct error *err)
{
    const struct object_answer *answer = &session->base.answer;
    const struct s3_call call = {.method = "GET", .query = query};
    struct openness openness = {.answered = false};
    struct exchange_response response;
    enum status st = s3_call(session, &call, &response, err);

    if (st == ST_REFUSED && (!must_tell || has_no_answer(answer)))
        return ST_OK;
    if (st != ST_OK)
        return st;
    st = s3_read(&response, take_openness, &openness, err);
    if (openness.overlooked || (!openness.answered && !must_tell))
        return ST_OK;
    if (st == ST_OK && !openness.answered)
        st = error_set(err, ST_AGAIN, "unclear answer");
    if (st == ST_OK)
        *is_public = openness.is_public;
    return st;
}

/* What a stranger is told. A refusal without an answer is our own, and tells nothing.
 */
static enum status ask_as_stranger(struct s3_session *session,
                                   const struct s3_call *call, bool *is_public,
                                   struct error *err)
{
    struct exchange_response response;
    enum status st = s3_call(session, call, &response, err);

    *is_public = st == ST_OK;
    return st == ST_REFUSED && session->base.answer.http_status != 0 ? ST_OK : st;
}

/* A list of grants need not be told: keys that may ask for the policy often may not ask
 * for that, and objects have their own. */
static enum status check_privacy(struct s3_session *session, struct error *err)
{
    const struct s3_call list = {
        .method = "GET", .query = "list-type=2&max-keys=1", .as_stranger = true};
    const char *how = "strangers can list it";
    bool is_public = false;
    enum status st = ask_as_stranger(session, &list, &is_public, err);

    if (st == ST_OK && !is_public) {
        how = "the store says so of its policy";
        st = ask(session, "policyStatus=", true, &is_public, err);
    }
    if (st == ST_REFUSED && strcmp(session->base.answer.code, "AccessDenied") == 0)
        return error_prefix(err, "cannot tell whether it is open to the public without "
                                 "s3:GetBucketPolicyStatus");
    if (st == ST_OK && !is_public) {
        how = "it grants something to everyone";
        st = ask(session, "acl=", false, &is_public, err);
    }
    if (st != ST_OK)
        return error_prefix(err, "cannot tell whether it is open to the public");
    return is_public ? error_set(err, ST_REFUSED, "it is open to the public: %s", how)
                     : ST_OK;
}

enum status s3_is_public(struct object_session *base, const char *key, bool *is_public,
                         struct error *err)
{
    const struct s3_call call = {.method = "HEAD", .key = key, .as_stranger = true};

    return ask_as_stranger((struct s3_session *)base, &call, is_public, err);
}

enum status s3_prepare(struct object_session *base, bool create, bool allow_public,
                       struct error *err)
{
    struct s3_session *session = (struct s3_session *)base;
    enum status st = find_bucket(session, err);

    if (st != ST_OK && base->answer.http_status == 404) {
        if (!create)
            return ST_END;
        st = create_bucket(session, err);
    } else if (strcmp(base->answer.code, "AccessDenied") == 0) {
        st = ST_OK; /* keys that may only write are enough to write */
    }
    if (st != ST_OK || allow_public)
        return st;
    return check_privacy(session, err);
}
