/* SPDX-License-Identifier: MIT */
/*
 * split_head -- makes a request of a head's bytes the way libmicrohttpd 0.9.75 does.
 *
 * In place and forgivingly: an end of line becomes NUL bytes (CR LF two, a bare CR or
 * LF one), runs of blanks are skipped, and a folded line is moved away from where it
 * stood. The moved text lives in the split_head.
 */
#ifndef TESTS_UNIT_SPLIT_HEAD_H
#define TESTS_UNIT_SPLIT_HEAD_H

#include "receiver/gate.h"

#include <stdio.h>
#include <string.h>

enum { SPLIT_HEAD_MOVED = 8192 };

struct split_head {
    struct request request;
    struct gate_head head;
    char moved[SPLIT_HEAD_MOVED];
    size_t moved_length;
};

/* Cuts the next line off; its length, or -1 when it has no end yet. */
static inline long split_head_line(char *bytes, size_t n, size_t *at)
{
    size_t start = *at, end = start;

    while (end < n && bytes[end] != '\r' && bytes[end] != '\n')
        end++;
    if (end == n)
        return -1;
    *at = end + 1;
    if (bytes[end] == '\r' && *at < n && bytes[*at] == '\n')
        bytes[(*at)++] = '\0';
    bytes[end] = '\0';
    return (long)(end - start);
}

static inline bool split_head_first(struct split_head *split, char *line, size_t length)
{
    struct request *request = &split->request;
    char *uri = memchr(line, ' ', length), *end = line + length, *version;

    if (uri == NULL)
        return false;
    while (*uri == ' ')
        *uri++ = '\0';
    while (end > uri && end[-1] == ' ')
        end--;
    version = end;
    while (version > uri && version[-1] != ' ')
        version--;
    if (version == uri)
        return false;
    version[-1] = '\0';
    request->method = line;
    request->version = version;
    split->head.start = line;
    split->head.uri = uri;
    split->head.uri_length = strlen(uri);
    snprintf(request->target, sizeof request->target, "%s", uri);
    return split->head.uri_length < sizeof request->target;
}

static inline bool split_head_field(struct split_head *split, char *line)
{
    struct request *request = &split->request;
    char *colon = strchr(line, ':');

    if (colon == NULL || request->headers == REQUEST_HEADERS_MAX)
        return false;
    *colon++ = '\0';
    while (*colon == ' ' || *colon == '\t')
        colon++;
    request->header[request->headers++] = (struct request_header){
        .name = line,
        .value = colon,
        .name_length = strlen(line),
        .value_length = strlen(colon),
    };
    return true;
}

static inline bool split_head_fold(struct split_head *split, const char *line)
{
    struct request *request = &split->request;
    char *to = split->moved + split->moved_length;
    size_t room = sizeof split->moved - split->moved_length;
    struct request_header *header;
    int n;

    if (request->headers == 0)
        return false;
    header = &request->header[request->headers - 1];
    n = snprintf(to, room, "%s%c%s%s", header->name, '\0', header->value, line);
    if (n < 0 || (size_t)n >= room)
        return false;
    split->moved_length += (size_t)n + 1;
    header->name = to;
    header->value = to + header->name_length + 1;
    header->value_length = strlen(header->value);
    return true;
}

/* Changes bytes. False when the head is cut short, or one that libmicrohttpd itself
 * would refuse. */
static inline bool split_head(struct split_head *split, char *bytes, size_t n)
{
    size_t at = 0, start = 0;
    long length;

    memset(split, 0, sizeof *split);
    reply_init(&split->request.reply);
    length = split_head_line(bytes, n, &at);
    if (length < 0 || !split_head_first(split, bytes, (size_t)length))
        return false;
    for (;;) {
        start = at;
        length = split_head_line(bytes, n, &at);
        if (length < 0)
            return false;
        if (length == 0)
            break;
        if (bytes[start] == ' ' || bytes[start] == '\t') {
            if (!split_head_fold(split, bytes + start))
                return false;
        } else if (!split_head_field(split, bytes + start)) {
            return false;
        }
    }
    split->head.size = at;
    return true;
}

#endif
