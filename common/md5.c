/* SPDX-License-Identifier: MIT */
#include "common/md5.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <stdlib.h>

struct md5 {
    gnutls_hash_hd_t hash;
};

enum status md5_create(struct md5 **out, struct error *err)
{
    struct md5 *md5 = calloc(1, sizeof *md5);
    int code;

    if (md5 == NULL)
        return error_sys(err, ENOMEM, "start MD5");
    code = gnutls_hash_init(&md5->hash, GNUTLS_DIG_MD5);
    if (code != 0) {
        free(md5);
        return error_set(err, ST_SYSTEM, "start MD5: %s", gnutls_strerror(code));
    }
    *out = md5;
    return ST_OK;
}

void md5_destroy(struct md5 **md5)
{
    if (*md5 == NULL)
        return;
    gnutls_hash_deinit((*md5)->hash, NULL);
    free(*md5);
    *md5 = NULL;
}

void md5_start(struct md5 *md5)
{
    uint8_t ignored[MD5_BYTES];

    gnutls_hash_output(md5->hash, ignored); /* begins anew */
}

void md5_update(struct md5 *md5, const void *bytes, size_t n)
{
    (void)gnutls_hash(md5->hash, bytes, n); /* fails without a handle only */
}

void md5_finish(struct md5 *md5, uint8_t out[MD5_BYTES])
{
    gnutls_hash_output(md5->hash, out);
}

const char *md5_to_base64(char out[MD5_BASE64_SIZE], const uint8_t md5[MD5_BYTES])
{
    return sodium_bin2base64(out, MD5_BASE64_SIZE, md5, MD5_BYTES,
                             sodium_base64_VARIANT_ORIGINAL);
}
