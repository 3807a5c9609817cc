/* SPDX-License-Identifier: MIT */
/*
 * credential -- files that hold secrets: where they are and who else may read them.
 *
 * A name without a slash is looked for in $CREDENTIALS_DIRECTORY first, where systemd
 * puts what a unit's LoadCredential= names, then in the working directory.
 * Errors:  name the file and never say what is in it. ST_REFUSED: others may read it,
 *          or anyone but its owner may change it; ST_CORRUPT: too large, or text with a
 *          NUL in it; ST_SYSTEM.
 * Owner:   text that was read is wiped when it is freed.
 * Threads: any.
 * Source:  https://systemd.io/CREDENTIALS
 */
#ifndef COMMON_CREDENTIAL_H
#define COMMON_CREDENTIAL_H

#include "common/status.h"

#include <limits.h>
#include <stddef.h>

enum credential_kind {
    CREDENTIAL_SECRET, /* must not be readable by others */
    CREDENTIAL_PUBLIC, /* a certificate: everybody may read it */
};

enum { CREDENTIAL_PATH_SIZE = PATH_MAX };

/* Where the file of that name is. Returns out. */
const char *credential_path(char out[CREDENTIAL_PATH_SIZE], const char *name);

/* The whole file, NUL-terminated; at most 1 MiB. */
enum status credential_read(char **text, size_t *n, const char *name,
                            enum credential_kind kind, struct error *err) MUST_CHECK;
void credential_free(char **text, size_t n); /* NULL inside is fine */

#endif
