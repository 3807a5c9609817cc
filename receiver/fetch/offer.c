/* SPDX-License-Identifier: MIT */
#include "receiver/fetch/offer.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

static bool decode_base64(const char *text, size_t n, uint8_t *out, size_t size)
{
    size_t length;

    return sodium_base642bin(out, size, text, n, NULL, &length, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           length == size;
}

static bool sha256_from_base64(const char *text, size_t n, struct offer *out)
{
    return decode_base64(text, n, out->sha256.bytes, SHA256_BYTES);
}

/* Digest: a list of name=value, names in either case. */
static bool sha256_from_digest_list(const char *text, struct offer *out)
{
    static const char name[] = "sha-256=";

    while (*text != '\0') {
        size_t n;

        text += strspn(text, " \t,");
        n = strcspn(text, " \t,");
        if (n >= sizeof name - 1 && strncasecmp(text, name, sizeof name - 1) == 0)
            return sha256_from_base64(text + sizeof name - 1, n - (sizeof name - 1),
                                      out);
        text += n;
    }
    return false;
}

void offer_from_headers(struct offer *out, bool whole, answer_header *header,
                        void *context)
{
    char text[ANSWER_HEADER_SIZE];
    struct answer answer;

    *out = (struct offer){.kind = OFFER_SHA256};
    answer_read(&answer, 0, 0, header, context);
    if (answer.validators.has_digest) {
        out->source = "Repr-Digest";
        out->sha256 = answer.validators.digest;
    } else if (header(context, "Digest", text, sizeof text) &&
               sha256_from_digest_list(text, out)) {
        out->source = "Digest";
    } else if (header(context, "x-amz-checksum-sha256", text, sizeof text) &&
               sha256_from_base64(text, strlen(text), out)) {
        out->source = "x-amz-checksum-sha256";
    } else if (header(context, "x-amz-meta-sha256", text, sizeof text) &&
               sha256_from_hex(text, strlen(text), &out->sha256)) {
        out->source = "x-amz-meta-sha256";
    } else if (whole && header(context, "Content-MD5", text, sizeof text) &&
               decode_base64(text, strlen(text), out->md5, MD5_BYTES)) {
        out->kind = OFFER_MD5;
        out->source = "Content-MD5";
    } else {
        *out = (struct offer){.kind = OFFER_NONE};
    }
}

enum status offer_from_option(struct offer *out, const char *text, struct error *err)
{
    static const char prefix[] = "sha-256=";
    struct offer offer = {.kind = OFFER_SHA256, .source = "--checksum"};

    if (strncasecmp(text, prefix, sizeof prefix - 1) != 0 ||
        !sha256_from_hex(text + sizeof prefix - 1, strlen(text) - (sizeof prefix - 1),
                         &offer.sha256))
        return error_set(err, ST_INVALID,
                         "--checksum: '%.80s' is not sha-256= and 64 hex digits", text);
    *out = offer;
    return ST_OK;
}

struct line {
    const char *text;
    size_t length;
};

static bool next_line(const char **at, const char *end, struct line *out)
{
    while (*at < end) {
        const char *stop = memchr(*at, '\n', (size_t)(end - *at));
        size_t n = (size_t)((stop != NULL ? stop : end) - *at);

        *out = (struct line){*at, n};
        *at += n + (stop != NULL ? 1 : 0);
        if (n > 0 && out->text[n - 1] == '\r')
            out->length--;
        if (out->length > 0 && out->text[0] != '#')
            return true;
    }
    return false;
}

/* "<hex>", "<hex>  name", "<hex> *name", where name may have directories. */
static bool parse_line(const struct line *line, struct sha256_digest *digest,
                       struct line *name)
{
    const size_t hex = SHA256_HEX_SIZE - 1;
    const char *slash;

    if (line->length < hex || !sha256_from_hex(line->text, hex, digest))
        return false;
    *name = (struct line){line->text + line->length, 0};
    if (line->length == hex)
        return true;
    if (line->length < hex + 3 || line->text[hex] != ' ' ||
        (line->text[hex + 1] != ' ' && line->text[hex + 1] != '*'))
        return false;
    *name = (struct line){line->text + hex + 2, line->length - hex - 2};
    slash = memrchr(name->text, '/', name->length);
    if (slash != NULL) {
        name->length -= (size_t)(slash + 1 - name->text);
        name->text = slash + 1;
    }
    return true;
}

bool offer_from_sidecar(struct offer *out, const char *text, size_t n, const char *name)
{
    const char *at = text, *end = text + n;
    struct offer offer = {.kind = OFFER_SHA256, .source = "the .sha256 sidecar"};
    struct sha256_digest digest;
    struct line line, file;
    unsigned lines = 0;

    while (next_line(&at, end, &line)) {
        if (!parse_line(&line, &digest, &file))
            return false;
        lines++;
        offer.sha256 = digest;
        if (file.length == strlen(name) && memcmp(file.text, name, file.length) == 0) {
            lines = 1;
            break;
        }
    }
    if (lines != 1)
        return false;
    *out = offer;
    return true;
}
