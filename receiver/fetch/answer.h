/* SPDX-License-Identifier: MIT */
/*
 * answer -- what a server said about a file, and whether to believe it.
 *
 * The headers of an answer are read into plain values first and judged then, against
 * what was asked and what is known of the file, before one byte of it is written.
 * Threads: pure functions.
 * Source:  RFC 9110, sections 8.8 (validators), 14.4 and 15.3.7 (ranges).
 */
#ifndef RECEIVER_FETCH_ANSWER_H
#define RECEIVER_FETCH_ANSWER_H

#include "common/http_date.h"
#include "common/http_range.h"
#include "common/sha256.h"

enum { ETAG_SIZE = 256, ANSWER_HEADER_SIZE = 1024 };

/* Copies header `name` into out, cut to fit; false when it is not there. */
typedef bool answer_header(void *context, const char *name, char *out, size_t size);

/* What tells one version of the file from another. */
struct validators {
    char etag[ETAG_SIZE];          /* as sent, "" when there is none */
    char modified[HTTP_DATE_SIZE]; /* Last-Modified as sent, "" when there is none */
    bool modified_strong;          /* at least a second older than the answer */
    bool has_digest;
    struct sha256_digest digest; /* Repr-Digest */
};

struct answer {
    int status;
    uint64_t retry_after_ms;
    bool has_length, has_range, chunked;
    uint64_t length;                 /* Content-Length */
    struct http_content_range range; /* Content-Range */
    char coding[32];                 /* Content-Encoding; "" for identity */
    struct validators validators;
};

struct question {
    bool ranged;
    struct http_range range;
    const struct validators *known; /* NULL: this is the first answer */
    uint64_t total;                 /* when something is known */
};

enum answer_kind {
    ANSWER_PART,      /* 206, the right one; range and total are known */
    ANSWER_WHOLE,     /* 200: all of it, of known length or not */
    ANSWER_EMPTY,     /* 200: the file has no bytes */
    ANSWER_UNRANGED,  /* ranges do not work here: ask for all of it */
    ANSWER_UNCHANGED, /* 200 to a range, of the version that is known */
    ANSWER_CHANGED,   /* another version of the file */
    ANSWER_BUSY,      /* 429, 503: fewer requests, later */
    ANSWER_AGAIN,     /* nonsense, or a passing failure */
    ANSWER_REFUSED,   /* the server said no */
};

void answer_read(struct answer *out, int status, uint64_t retry_after_ms,
                 answer_header *header, void *context);

/* err: filled for CHANGED, BUSY, AGAIN and REFUSED. */
enum answer_kind answer_judge(const struct answer *answer,
                              const struct question *question,
                              struct error *err) MUST_CHECK;

/* What If-Range may carry; NULL when there is no strong validator. */
const char *validators_if_range(const struct validators *validators);

/* Whether parts may be put together at all: an ETag or date that is strong, or a
 * digest. */
bool validators_are_strong(const struct validators *validators);

#endif
