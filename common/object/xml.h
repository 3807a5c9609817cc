/* SPDX-License-Identifier: MIT */
/*
 * xml -- reads the small documents that object stores answer with.
 *
 * Every element is reported when it ends, with its path from the root and the text that
 * stood directly in it. Namespaces are ignored. A document type declaration, nesting
 * deeper than XML_DEPTH_MAX and texts beyond XML_TEXT_MAX are refused, so memory is
 * bounded whatever the peer sends.
 *
 * Owner:   create/destroy, for a document that comes in pieces.
 * Threads: a reader belongs to one thread; the other functions are pure.
 */
#ifndef COMMON_OBJECT_XML_H
#define COMMON_OBJECT_XML_H

#include "common/status.h"

#include <stddef.h>

enum { XML_DEPTH_MAX = 8, XML_PATH_MAX = 255, XML_TEXT_MAX = 8191 };

/* path: "Error/Code". text: unescaped, NUL-terminated. */
typedef void xml_visit(void *context, const char *path, const char *text);

/* ST_CORRUPT when the document is not whole and well formed; what was visited before
 * that point has been visited. Puts up with two things that stores send and XML
 * forbids: control characters, in keys, which come out as '?', and blanks before the
 * document, which keep a connection alive while the answer is worked out. */
enum status xml_read_answer(const char *document, size_t n, xml_visit *visit,
                            void *context, struct error *err) MUST_CHECK;

struct xml;

enum status xml_create(struct xml **out, xml_visit *visit, void *context,
                       struct error *err) MUST_CHECK;
void xml_destroy(struct xml **xml); /* NULL inside is fine */

/* The next piece. A failure is final. */
enum status xml_feed(struct xml *xml, const void *bytes, size_t n,
                     struct error *err) MUST_CHECK;

/* No more will come. */
enum status xml_finish(struct xml *xml, struct error *err) MUST_CHECK;

/* Copies text when it fits, for visitors; else leaves out empty. */
void xml_copy(char *out, size_t size, const char *text);

/* Of a store's answer: one that cannot be read may have been cut on its way, which says
 * nothing against the bytes that were sent. ST_CORRUPT becomes ST_AGAIN. */
enum status xml_of_answer(enum status st, struct error *err);

#endif
