/* SPDX-License-Identifier: MIT */
#include "common/object/xml.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct level {
    size_t path_length; /* of the parent's path */
    size_t text_start;  /* in text, which all open elements share */
};

struct xml {
    XML_Parser parser;
    xml_visit *visit;
    void *context;
    const char *complaint; /* ours, as opposed to expat's */
    unsigned depth;
    struct level level[XML_DEPTH_MAX];
    char path[XML_PATH_MAX + 1];
    size_t path_length;
    char text[XML_TEXT_MAX + 1];
    size_t text_length;
};

static void refuse(struct xml *xml, const char *complaint)
{
    xml->complaint = complaint;
    XML_StopParser(xml->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon && colon[1] ? colon + 1 : name;
}

static void XMLCALL on_start(void *context, const XML_Char *name,
                             const XML_Char **attributes)
{
    struct xml *xml = context;
    const char *local = local_name(name);
    size_t n = strlen(local);

    (void)attributes;
    if (xml->depth == XML_DEPTH_MAX || xml->path_length + n + 1 > XML_PATH_MAX) {
        refuse(xml, "nested too deeply");
        return;
    }
    xml->level[xml->depth++] = (struct level){.path_length = xml->path_length,
                                              .text_start = xml->text_length};
    if (xml->path_length > 0)
        xml->path[xml->path_length++] = '/';
    memcpy(xml->path + xml->path_length, local, n + 1);
    xml->path_length += n;
}

static void XMLCALL on_text(void *context, const XML_Char *text, int length)
{
    struct xml *xml = context;
    size_t n = (size_t)length;

    if (n > XML_TEXT_MAX - xml->text_length) {
        refuse(xml, "text too long");
        return;
    }
    memcpy(xml->text + xml->text_length, text, n);
    xml->text_length += n;
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    struct xml *xml = context;
    const struct level *level = &xml->level[--xml->depth];

    (void)name;
    xml->text[xml->text_length] = '\0';
    xml->visit(xml->context, xml->path, xml->text + level->text_start);
    xml->text_length = level->text_start;
    xml->path_length = level->path_length;
    xml->path[xml->path_length] = '\0';
}

static void XMLCALL on_doctype(void *context, const XML_Char *name,
                               const XML_Char *system_id, const XML_Char *public_id,
                               int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    refuse(context, "document type declaration");
}

enum status xml_create(struct xml **out, xml_visit *visit, void *context,
                       struct error *err)
{
    struct xml *xml = calloc(1, sizeof *xml);

    if (!xml)
        return error_sys(err, ENOMEM, "XML");
    xml->parser = XML_ParserCreate(NULL);
    if (!xml->parser) {
        free(xml);
        return error_sys(err, ENOMEM, "XML");
    }
    xml->visit = visit;
    xml->context = context;
    XML_SetUserData(xml->parser, xml);
    XML_SetElementHandler(xml->parser, on_start, on_end);
    XML_SetCharacterDataHandler(xml->parser, on_text);
    XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
    *out = xml;
    return ST_OK;
}

void xml_destroy(struct xml **xml)
{
    if (!*xml)
        return;
    XML_ParserFree((*xml)->parser);
    free(*xml);
    *xml = NULL;
}

static enum status parse(struct xml *xml, const void *bytes, size_t n, bool last,
                         struct error *err)
{
    if (n <= INT_MAX && XML_Parse(xml->parser, bytes, (int)n, last) == XML_STATUS_OK)
        return ST_OK;
    return error_set(err, ST_CORRUPT, "XML: %s",
                     xml->complaint ? xml->complaint
                                    : XML_ErrorString(XML_GetErrorCode(xml->parser)));
}

enum status xml_feed(struct xml *xml, const void *bytes, size_t n, struct error *err)
{
    return parse(xml, bytes, n, false, err);
}

enum status xml_finish(struct xml *xml, struct error *err)
{
    return parse(xml, NULL, 0, true, err);
}

static bool is_control(unsigned value)
{
    return value > 0 && value < ' ' && value != '\t' && value != '\n' && value != '\r';
}

/* "&#1;", "&#x1F;": the length of one that stands for a control character, else 0. */
static size_t control_reference(const char *at, size_t n)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    bool hex = n > 2 && at[2] == 'x';
    unsigned value = 0;

    if (n < 2 || at[0] != '&' || at[1] != '#')
        return 0;
    for (size_t i = hex ? 3 : 2; i < n; i++) {
        const char *digit = strchr(digits, at[i]);

        if (at[i] == ';')
            return is_control(value) ? i + 1 : 0;
        if (!digit || !*digit || value >= ' ')
            return 0;
        value = value * (hex ? 16 : 10) + (unsigned)(digit - digits) % 16;
    }
    return 0;
}

enum status xml_read_answer(const char *document, size_t n, xml_visit *visit,
                            void *context, struct error *err)
{
    const char *end = document + n;
    struct xml *xml = NULL;
    enum status st = xml_create(&xml, visit, context, err);

    if (st != ST_OK)
        return st;
    while (document < end && *document && strchr(" \t\r\n", *document))
        document++;
    for (const char *p = document; st == ST_OK && p < end;) {
        size_t skip = is_control((unsigned char)*p)
                          ? 1
                          : control_reference(p, (size_t)(end - p));

        if (skip > 0) {
            st = parse(xml, document, (size_t)(p - document), false, err);
            if (st == ST_OK)
                st = parse(xml, "?", 1, false, err);
            document = p + skip;
        }
        p += skip > 0 ? skip : 1;
    }
    if (st == ST_OK)
        st = parse(xml, document, (size_t)(end - document), true, err);
    xml_destroy(&xml);
    return st;
}

enum status xml_of_answer(enum status st, struct error *err)
{
    if (st != ST_CORRUPT)
        return st;
    err->status = ST_AGAIN;
    return error_prefix(err, "unreadable answer");
}

void xml_copy(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n < size)
        memcpy(out, text, n + 1);
    else
        out[0] = '\0';
}
