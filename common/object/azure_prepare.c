/* SPDX-License-Identifier: MIT */
/* azure_prepare -- the container: is it there, does it talk to strangers? */
#include "common/object/azure.h"

#include <string.h>

/* A name is free again half a minute after its container was deleted. */
enum { DELETED_WAIT_MS = 5000 };

static const struct sharedkey_param container_params[] = {{"restype", "container"}};

/* *open: its blobs are public ("blob"), or their list, too ("container"). */
static enum status ask_for_container(struct azure_session *session, bool *open,
                                     struct error *err)
{
    const struct azure_call call = {
        .method = "HEAD", .params = container_params, .param_count = 1};
    struct exchange_response response;
    char access[32];
    enum status st = azure_call(session, &call, &response, err);

    if (st == ST_OK)
        *open = exchange_response_header(session->exchange, "x-ms-blob-public-access",
                                         access, sizeof access);
    return st;
}

/* Private is Azure's default. */
static enum status create_container(struct azure_session *session, struct error *err)
{
    const struct azure_call call = {
        .method = "PUT", .params = container_params, .param_count = 1};
    struct object_answer *answer = &session->base.answer;
    struct exchange_response response;
    enum status st = azure_call(session, &call, &response, err);

    if (st == ST_OK || strcmp(answer->code, "ContainerAlreadyExists") == 0)
        return ST_OK; /* by someone else, or by us when the answer was lost */
    if (strcmp(answer->code, "ContainerBeingDeleted") != 0)
        return st;
    answer->hopeless = false;
    if (answer->retry_after_ms == 0)
        answer->retry_after_ms = DELETED_WAIT_MS;
    return error_set(err, ST_AGAIN, "it is being deleted");
}

/* A token good for blobs only: the first upload will tell. */
static bool is_above_the_token(struct azure_session *session)
{
    const struct azure_store *store = (struct azure_store *)session->base.store;

    return store->settings.key_length == 0 &&
           strncmp(session->base.answer.code, "Authorization", 13) == 0;
}

/* Azure shows a stranger neither a private container nor what is in it, and of a public
 * one at least which blobs are missing. */
static bool is_shut(const struct object_answer *answer)
{
    switch (answer->http_status) {
    case 401:
    case 403:
    case 409: /* PublicAccessNotPermitted: for the whole account */
        return true;
    case 404:
        return strcmp(answer->code, "ResourceNotFound") == 0 ||
               strcmp(answer->code, "ContainerNotFound") == 0;
    default:
        return false;
    }
}

static enum status is_open_to_strangers(struct azure_session *session, bool *open,
                                        struct error *err)
{
    static const struct sharedkey_param list_params[] = {
        {"comp", "list"}, {"maxresults", "1"}, {"restype", "container"}};
    static const struct azure_call calls[] = {
        {.method = "GET", .params = list_params, .param_count = 3, .as_stranger = true},
        {.method = "HEAD", .key = "is-this-public", .as_stranger = true},
    };
    const struct object_answer *answer = &session->base.answer;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct exchange_response response;
        enum status st = azure_call(session, &calls[i], &response, err);

        if (st == ST_OK || strcmp(answer->code, "BlobNotFound") == 0) {
            *open = true;
            return ST_OK;
        }
        if (st != ST_REFUSED || !is_shut(answer))
            return error_prefix(err, "cannot tell whether it is open to the public");
    }
    return ST_OK;
}

enum status azure_prepare(struct object_session *base, bool create, bool allow_public,
                          struct error *err)
{
    struct azure_session *session = (struct azure_session *)base;
    bool open = false;
    enum status st = ask_for_container(session, &open, err);

    if (st != ST_OK && base->answer.http_status == 404) {
        if (!create)
            return ST_END;
        st = create_container(session, err);
        if (st == ST_OK)
            st = ask_for_container(session, &open, err);
    } else if (st == ST_REFUSED && is_above_the_token(session)) {
        st = ST_OK;
    }
    if (st != ST_OK || allow_public)
        return st;
    if (!open)
        st = is_open_to_strangers(session, &open, err);
    if (st == ST_OK && open)
        return error_set(err, ST_REFUSED, "it is open to the public");
    return st;
}
