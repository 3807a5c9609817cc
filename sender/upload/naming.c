/* SPDX-License-Identifier: MIT */
#include "sender/upload/naming.h"

#include "common/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define QUOTE "\xE2\x80\x9B" /* U+201B */

struct key {
    char *out;
    size_t length; /* wanted, even where it exceeds the room */
};

static void add(struct key *key, const char *bytes, size_t n)
{
    if (key->length + n < OBJECT_KEY_SIZE)
        memcpy(key->out + key->length, bytes, n);
    key->length += n;
}

static void add_path(struct key *key, const char *path)
{
    size_t rest = strlen(path);

    while (rest > 0) {
        size_t n = utf8_length(path, rest);
        char quoted[sizeof QUOTE + 2];

        if (n == 0) {
            n = 1;
            snprintf(quoted, sizeof quoted, QUOTE "%02X", (unsigned char)*path);
            add(key, quoted, strlen(quoted));
        } else {
            if (n == strlen(QUOTE) && memcmp(path, QUOTE, n) == 0)
                add(key, QUOTE, n);
            add(key, path, n);
        }
        path += n;
        rest -= n;
    }
}

void naming_root(char out[NAMING_ROOT_SIZE], const char *prefix)
{
    size_t n = strlen(prefix);

    assert(n < OBJECT_KEY_SIZE);
    snprintf(out, NAMING_ROOT_SIZE, "%s%s", prefix,
             n > 0 && prefix[n - 1] != '/' ? "/" : "");
}

enum status naming_key(char out[OBJECT_KEY_SIZE], size_t key_bytes_max,
                       const char *prefix, const char *path, struct error *err)
{
    char own[OBJECT_KEY_SIZE] = "", root[NAMING_ROOT_SIZE];
    struct key key = {.out = own};

    assert(key_bytes_max < OBJECT_KEY_SIZE);
    naming_root(root, prefix);
    add(&key, root, strlen(root));
    add_path(&key, path);
    if (key.length > key_bytes_max)
        return error_set(err, ST_INVALID,
                         "its key would have %zu bytes, the store takes %zu",
                         key.length, key_bytes_max);
    memcpy(out, own, key.length);
    out[key.length] = '\0';
    return ST_OK;
}
