/* SPDX-License-Identifier: MIT */
/*
 * tokens -- who may do what, by bearer token.
 *
 * One token a line: NAME SCOPES TOKEN, separated by blanks. Empty lines and lines that
 * begin with '#' are skipped.
 *   NAME    1 to 63 visible ASCII characters, shown in the log; not twice
 *   SCOPES  read, write, or read,write
 *   TOKEN   at least 16 characters of A-Z a-z 0-9 - . _ ~ + / and = at the end, or
 *           sha256: and the 64 hex digits of the token's SHA-256, so that the file
 *           itself lets nobody in
 * The file must not be readable by others (credential.h).
 *
 * Only hashes are kept in memory. A token is compared with all of them, each in
 * constant time, so that time tells nothing about any.
 *
 * Errors:  ST_CORRUPT, naming the line, never quoting it; those of credential.h.
 * Threads: immutable once loaded.
 * Source:  RFC 6750
 */
#ifndef RECEIVER_TOKENS_H
#define RECEIVER_TOKENS_H

#include "common/status.h"

#include <stddef.h>

enum { TOKENS_NAME_SIZE = 64 };

enum token_scope { TOKEN_READ = 1, TOKEN_WRITE = 2 };

struct tokens;

enum status tokens_load(struct tokens **out, const char *file,
                        struct error *err) MUST_CHECK;
void tokens_destroy(struct tokens **tokens); /* NULL inside is fine */

size_t tokens_count(const struct tokens *tokens);

/* The scopes of a token, as a set, and its name. 0: nobody's. */
unsigned tokens_find(const struct tokens *tokens, const char *token, size_t n,
                     char name[TOKENS_NAME_SIZE]);

#endif
