/* SPDX-License-Identifier: MIT */
/*
 * name -- the file name in a URL.
 *
 * The path is percent-decoded first and cut to its last segment then, so no escape can
 * smuggle a separator past the cut. A name that is hidden, empty, "." or "..", too long
 * or has control characters in it is refused.
 * Errors:  ST_INVALID.
 * Threads: pure functions.
 */
#ifndef RECEIVER_FETCH_NAME_H
#define RECEIVER_FETCH_NAME_H

#include "common/status.h"

#include <stddef.h>

enum { NAME_SIZE = 256 - sizeof ".part.state.new" + 1 };

enum status name_from_url(char out[NAME_SIZE], const char *url,
                          struct error *err) MUST_CHECK;

/* The same rules for a name a person chose, which may begin with a dot. */
enum status name_check(const char *name, struct error *err) MUST_CHECK;

/* The URL without user, password, query and fragment: for logs and files. Returns out,
 * cut to fit. */
const char *name_redact_url(char *out, size_t size, const char *url);

#endif
