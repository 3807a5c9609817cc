/* SPDX-License-Identifier: MIT */
#include "receiver/gate.h"

#include "common/units.h"

#include <string.h>
#include <strings.h>

static bool refuse(struct request *request, const char *detail)
{
    reply_problem(&request->reply, 400, "Malformed request", "%s", detail);
    request->reply.close = true;
    return false;
}

/* RFC 9110, section 5.6.2 */
static bool is_token(const char *text, size_t n)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z');

        if (!alphanumeric && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

/* Field values hold no control characters but the tab (section 5.5). */
static bool is_value(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Visible ASCII: what is outside must arrive percent-encoded (RFC 3986). */
static bool is_target(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text; text++)
        if (*text <= 0x20 || *text >= 0x7f) /* char may be signed or not */
            return false;
    return true;
}

static unsigned count(const struct request *request, const char *name)
{
    unsigned n = 0;

    for (size_t i = 0; i < request->headers; i++)
        if (strcasecmp(request->header[i].name, name) == 0)
            n++;
    return n;
}

/* Fields that must not come twice: a proxy may have believed the other one. */
static bool check_unique(struct request *request)
{
    static const char *const unique[] = {
        "Content-Length",  "Transfer-Encoding", "Host",
        "Authorization",   "Content-Type",      "Range",
        "Idempotency-Key", "X-SHA256",          "Expect"};
    char detail[64];

    for (size_t i = 0; i < sizeof(unique) / sizeof(unique[0]); i++) {
        if (count(request, unique[i]) <= 1)
            continue;
        strcpy(detail, "more than one ");
        return refuse(request, strcat(detail, unique[i]));
    }
    return true;
}

static bool check_framing(struct request *request)
{
    const char *encoding = request_header(request, "Transfer-Encoding");
    const char *length = request_header(request, "Content-Length");
    const char *expect = request_header(request, "Expect");

    if (encoding && length)
        return refuse(request, "both Content-Length and Transfer-Encoding");
    if (encoding && strcasecmp(encoding, "chunked") != 0)
        return refuse(request, "Transfer-Encoding is not exactly 'chunked'");
    if (encoding && strcmp(request->version, "HTTP/1.1") != 0)
        return refuse(request, "Transfer-Encoding needs HTTP/1.1");
    if (length && !units_parse_count(length, &request->length))
        return refuse(request, "Content-Length is not a number");
    if (length && request->length > INT64_MAX)
        return refuse(request, "Content-Length is beyond all measure");
    if (expect && strcasecmp(expect, "100-continue") != 0) {
        reply_problem(&request->reply, 417, "Expectation failed",
                      "Expect is not '100-continue'");
        request->reply.close = true;
        return false;
    }
    request->chunked = encoding != NULL;
    request->has_length = length != NULL;
    request->expects_continue = expect != NULL;
    return true;
}

static bool check_fields(struct request *request, const struct request_header *header,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_token(header[i].name, header[i].name_length))
            return refuse(request, "a header name is not a token");
        if (!is_value(header[i].value, header[i].value_length))
            return refuse(request, "a header value holds control characters");
    }
    return true;
}

bool gate_check_trailers(struct request *request)
{
    if (request->too_many_trailers)
        return refuse(request, "too many trailers");
    return check_fields(request, request->trailer, request->trailers);
}

bool gate_check(struct request *request)
{
    bool http_1_1 = strcmp(request->version, "HTTP/1.1") == 0;

    if (!http_1_1 && strcmp(request->version, "HTTP/1.0") != 0)
        return refuse(request, "the version is neither HTTP/1.1 nor HTTP/1.0");
    if (!is_token(request->method, strlen(request->method)))
        return refuse(request, "the method is not a token");
    if (!is_target(request->target))
        return refuse(request, "the target holds blanks or control characters");
    if (!check_fields(request, request->header, request->headers))
        return false;
    if (!check_unique(request))
        return false;
    if (http_1_1 && !request_header(request, "Host"))
        return refuse(request, "no Host");
    return check_framing(request);
}

/* Whether `b` begins `gap` bytes behind the end of text `a`. Addresses are compared as
 * numbers, since a folded line has been copied elsewhere. */
static bool follows(const char *a, size_t length, size_t gap, const char *b)
{
    return (uintptr_t)a + length + gap == (uintptr_t)b;
}

bool gate_check_layout(struct request *request, const struct gate_head *head)
{
    const char *line = request->version; /* what must be followed by CR LF */
    size_t length = strlen(line);

    if (!follows(head->start, strlen(head->start), 1, head->uri) ||
        !follows(head->uri, head->uri_length, 1, request->version))
        return refuse(request, "the request line has stray blanks");
    for (size_t i = 0; i < request->headers; i++) {
        const struct request_header *header = &request->header[i];
        size_t name_end = (uintptr_t)header->name + header->name_length;

        if (!follows(line, length, 2, header->name))
            return refuse(request, "a line of the head does not end in CR LF, "
                                   "is folded or holds a NUL");
        if ((uintptr_t)header->value <= name_end)
            return refuse(request, "a header line is folded");
        line = header->value;
        length = header->value_length;
    }
    if (!follows(line, length, 4, head->start + head->size))
        return refuse(request, "the head does not end in CR LF CR LF");
    return true;
}
