/* SPDX-License-Identifier: MIT */
#include "common/object/xml.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <string.h>

struct level {
    size_t path_length; /* of the parent's path */
    size_t text_start;  /* in text, which all open elements share */
};

struct reader {
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

static void refuse(struct reader *reader, const char *complaint)
{
    reader->complaint = complaint;
    XML_StopParser(reader->parser, XML_FALSE);
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon ? colon + 1 : name;
}

static void XMLCALL on_start(void *context, const XML_Char *name,
                             const XML_Char **attributes)
{
    struct reader *reader = context;
    const char *local = local_name(name);
    size_t n = strlen(local);

    (void)attributes;
    if (reader->depth == XML_DEPTH_MAX || reader->path_length + n + 1 > XML_PATH_MAX) {
        refuse(reader, "nested too deeply");
        return;
    }
    reader->level[reader->depth++] = (struct level){
        .path_length = reader->path_length, .text_start = reader->text_length};
    if (reader->path_length > 0)
        reader->path[reader->path_length++] = '/';
    memcpy(reader->path + reader->path_length, local, n + 1);
    reader->path_length += n;
}

static void XMLCALL on_text(void *context, const XML_Char *text, int length)
{
    struct reader *reader = context;
    size_t n = (size_t)length;

    if (n > XML_TEXT_MAX - reader->text_length) {
        refuse(reader, "text too long");
        return;
    }
    memcpy(reader->text + reader->text_length, text, n);
    reader->text_length += n;
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    struct reader *reader = context;
    const struct level *level = &reader->level[--reader->depth];

    (void)name;
    reader->text[reader->text_length] = '\0';
    reader->visit(reader->context, reader->path, reader->text + level->text_start);
    reader->text_length = level->text_start;
    reader->path_length = level->path_length;
    reader->path[reader->path_length] = '\0';
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

enum status xml_read(const char *document, size_t n, xml_visit *visit, void *context,
                     struct error *err)
{
    struct reader reader = {.visit = visit, .context = context};
    enum status st = ST_OK;

    if (n > INT_MAX)
        return error_set(err, ST_CORRUPT, "XML: too long");
    reader.parser = XML_ParserCreate(NULL);
    if (!reader.parser)
        return error_sys(err, ENOMEM, "XML");
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader.parser, on_doctype);
    if (XML_Parse(reader.parser, document, (int)n, XML_TRUE) != XML_STATUS_OK)
        st = error_set(err, ST_CORRUPT, "XML: %s",
                       reader.complaint
                           ? reader.complaint
                           : XML_ErrorString(XML_GetErrorCode(reader.parser)));
    XML_ParserFree(reader.parser);
    return st;
}

void xml_copy(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n < size)
        memcpy(out, text, n + 1);
    else
        out[0] = '\0';
}
