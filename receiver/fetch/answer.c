/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/answer.h"

#include "common/digest_field.h"
#include "common/units.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* A value that does not fit is no value: half an ETag would compare equal too often. */
static bool read_whole(answer_header *header, void *context, const char *name,
                       char *out, size_t size)
{
    if (header(context, name, out, size) && strlen(out) < size - 1)
        return true;
    out[0] = '\0';
    return false;
}

static void read_validators(struct validators *out, answer_header *header,
                            void *context)
{
    char date[HTTP_DATE_SIZE], text[ANSWER_HEADER_SIZE];
    int64_t modified_s, date_s;
    struct digest_field field;

    read_whole(header, context, "ETag", out->etag, sizeof out->etag);
    read_whole(header, context, "Last-Modified", out->modified, sizeof out->modified);
    out->modified_strong = read_whole(header, context, "Date", date, sizeof date) &&
                           http_date_parse(date, &date_s) &&
                           http_date_parse(out->modified, &modified_s) &&
                           modified_s < date_s;
    if (read_whole(header, context, "Repr-Digest", text, sizeof text) &&
        digest_field_parse(text, strlen(text), &field) == DIGEST_FIELD_OK) {
        out->has_digest = true;
        out->digest = field.digest;
    }
}

void answer_read(struct answer *out, int status, uint64_t retry_after_ms,
                 answer_header *header, void *context)
{
    char text[ANSWER_HEADER_SIZE];

    *out = (struct answer){.status = status, .retry_after_ms = retry_after_ms};
    out->has_length = read_whole(header, context, "Content-Length", text,
                                 sizeof text) &&
                      units_parse_count(text, &out->length);
    out->has_range = read_whole(header, context, "Content-Range", text, sizeof text) &&
                     http_content_range_parse(text, strlen(text), &out->range);
    out->chunked = read_whole(header, context, "Transfer-Encoding", text, sizeof text);
    if (header(context, "Content-Encoding", out->coding, sizeof out->coding) &&
        strcasecmp(out->coding, "identity") == 0)
        out->coding[0] = '\0';
    read_validators(&out->validators, header, context);
}

static bool etag_is_strong(const char *etag)
{
    return etag[0] == '"';
}

const char *validators_if_range(const struct validators *v)
{
    if (etag_is_strong(v->etag))
        return v->etag;
    if (v->etag[0] == '\0' && v->modified_strong)
        return v->modified;
    return NULL;
}

bool validators_are_strong(const struct validators *v)
{
    return validators_if_range(v) != NULL || v->modified_strong || v->has_digest;
}

/* Whether an answer is about the known version: all that both name must agree, and one
 * that lacks what would prove it counts as another version. Beside a strong ETag, a
 * part may leave the rest out. */
static bool is_same_version(const struct validators *known,
                            const struct validators *now)
{
    if (known->has_digest && now->has_digest &&
        !sha256_equal(&known->digest, &now->digest))
        return false;
    if (known->etag[0] != '\0' && strcmp(known->etag, now->etag) != 0)
        return false;
    if (known->modified[0] != '\0' && strcmp(known->modified, now->modified) != 0)
        return etag_is_strong(known->etag) && now->modified[0] == '\0';
    return known->etag[0] != '\0' || known->modified[0] != '\0' || !known->has_digest ||
           now->has_digest;
}

static enum answer_kind changed(const struct answer *answer,
                                const struct question *question, struct error *err)
{
    const struct validators *known = question->known, *now = &answer->validators;

    if (known->etag[0] != '\0' && strcmp(known->etag, now->etag) != 0)
        error_set(err, ST_CORRUPT,
                  "the file changed on the server: ETag %.40s, was %.40s",
                  now->etag[0] != '\0' ? now->etag : "missing", known->etag);
    else if (known->modified[0] != '\0' && strcmp(known->modified, now->modified) != 0)
        error_set(err, ST_CORRUPT,
                  "the file changed on the server: Last-Modified %.40s, was %.40s",
                  now->modified[0] != '\0' ? now->modified : "missing",
                  known->modified);
    else
        error_set(err, ST_CORRUPT, "the file changed on the server");
    return ANSWER_CHANGED;
}

static enum answer_kind judge_part(const struct answer *answer,
                                   const struct question *question, struct error *err)
{
    const struct http_range *got = &answer->range.range, *asked = &question->range;

    if (!question->ranged || !answer->has_range || !answer->range.satisfied) {
        error_set(err, ST_AGAIN, "the server answered 206 %s",
                  question->ranged ? "without a usable Content-Range"
                                   : "to a request for everything");
        return ANSWER_AGAIN;
    }
    if (!answer->range.total_known && question->known == NULL)
        return ANSWER_UNRANGED;
    if (question->known != NULL &&
        (!is_same_version(question->known, &answer->validators) ||
         (answer->range.total_known && answer->range.total != question->total)))
        return changed(answer, question, err);
    if (!answer->range.total_known || got->first != asked->first ||
        got->last > asked->last) {
        error_set(err, ST_AGAIN,
                  "the server sent bytes %" PRIu64 "-%" PRIu64
                  " when asked for %" PRIu64 "-%" PRIu64,
                  got->first, got->last, asked->first, asked->last);
        return ANSWER_AGAIN;
    }
    if (answer->has_length && answer->length != got->last - got->first + 1) {
        error_set(err, ST_AGAIN,
                  "the server's Content-Length %" PRIu64
                  " contradicts its Content-Range %" PRIu64 "-%" PRIu64,
                  answer->length, got->first, got->last);
        return ANSWER_AGAIN;
    }
    return ANSWER_PART;
}

static enum answer_kind judge_whole(const struct answer *answer,
                                    const struct question *question, struct error *err)
{
    if (question->known == NULL)
        return answer->has_length && answer->length == 0 ? ANSWER_EMPTY : ANSWER_WHOLE;
    if (!is_same_version(question->known, &answer->validators) ||
        (answer->has_length && answer->length != question->total))
        return changed(answer, question, err);
    error_set(err, ST_AGAIN, "the server answered a range with the whole file");
    return ANSWER_UNCHANGED;
}

static enum answer_kind judge_unsatisfiable(const struct answer *answer,
                                            const struct question *question,
                                            struct error *err)
{
    bool told = answer->has_range && !answer->range.satisfied;

    if (question->known == NULL) /* empty, perhaps: a 200 will say so, and its digest */
        return ANSWER_UNRANGED;
    if (told && answer->range.total != question->total)
        return changed(answer, question, err);
    error_set(err, ST_AGAIN, "the server refused a range of the file (416)");
    return ANSWER_AGAIN;
}

static enum answer_kind judge_failure(const struct answer *answer, struct error *err)
{
    if (answer->status >= 300 && answer->status < 400) {
        error_set(err, ST_REFUSED,
                  "too many redirects, or one to no http or https URL (%d)",
                  answer->status);
        return ANSWER_REFUSED;
    }
    if (answer->status == 429 || answer->status == 503) {
        error_set(err, ST_AGAIN, "the server is busy (%d)", answer->status);
        return ANSWER_BUSY;
    }
    if (answer->status == 408 || answer->status == 425 || answer->status >= 500) {
        error_set(err, ST_AGAIN, "the server failed (%d)", answer->status);
        return ANSWER_AGAIN;
    }
    error_set(err, ST_REFUSED, "the server refused (%d)", answer->status);
    return ANSWER_REFUSED;
}

static bool is_past_any_file(const struct answer *answer, uint64_t *total)
{
    bool whole = answer->status == 200 && answer->has_length;

    *total = whole ? answer->length : answer->range.total;
    return (whole || answer->has_range) && *total > INT64_MAX;
}

enum answer_kind answer_judge(const struct answer *answer,
                              const struct question *question, struct error *err)
{
    uint64_t total;

    if ((answer->status == 200 || answer->status == 206) && answer->coding[0] != '\0') {
        error_set(
            err, ST_REFUSED,
            "the server insists on Content-Encoding '%s', which was not asked for",
            answer->coding);
        return ANSWER_REFUSED;
    }
    if (is_past_any_file(answer, &total)) {
        error_set(err, ST_REFUSED,
                  "the server claims %" PRIu64 " bytes, more than a file can have",
                  total);
        return ANSWER_REFUSED;
    }
    if (answer->status == 206)
        return judge_part(answer, question, err);
    if (answer->status == 200)
        return judge_whole(answer, question, err);
    if (answer->status == 416 && question->ranged)
        return judge_unsatisfiable(answer, question, err);
    return judge_failure(answer, err);
}
