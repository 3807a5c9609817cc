/* SPDX-License-Identifier: MIT */
/* s3_aim -- where the bucket is. */
#include "common/object/s3.h"
#include "common/object/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A bucket whose name can stand in a host name under one wildcard certificate. */
static bool is_host_label(const char *bucket)
{
    size_t n = strlen(bucket);

    return n >= 3 && n <= 63 && bucket[0] != '-' && bucket[n - 1] != '-' &&
           strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static enum status parse_endpoint(struct s3_store *store, struct error *err)
{
    const char *region = store->settings.region;
    const char *suffix = strncmp(region, "cn-", 3) == 0 ? ".cn" : "";
    char url[AWS_URL_SIZE];

    if (*store->settings.endpoint_url)
        return endpoint_parse(&store->endpoint, store->settings.endpoint_url, err);
    snprintf(url, sizeof url, "https://s3.%s.amazonaws.com%s", region, suffix);
    return endpoint_parse(&store->endpoint, url, err);
}

static enum status put_into_host(struct s3_store *store, struct error *err)
{
    char host[ENDPOINT_HOST_SIZE];

    if (!is_host_label(store->bucket))
        return error_set(err, ST_INVALID,
                         "bucket '%.100s' cannot be part of a host's name",
                         store->bucket);
    if ((size_t)snprintf(host, sizeof host, "%s.%s", store->bucket,
                         store->endpoint.host) >= sizeof host)
        return error_set(err, ST_INVALID, "the endpoint's name is too long");
    strcpy(store->endpoint.host, host);
    return ST_OK;
}

enum status s3_aim(struct s3_store *store, struct error *err)
{
    bool is_amazon = !*store->settings.endpoint_url;
    bool in_host = store->options.addressing == OBJECT_ADDRESSING_VIRTUAL ||
                   (store->options.addressing == OBJECT_ADDRESSING_AUTO && is_amazon &&
                    is_host_label(store->bucket));
    struct text path;
    enum status st = parse_endpoint(store, err);

    if (st == ST_OK && in_host)
        st = put_into_host(store, err);
    if (st != ST_OK)
        return st;
    text_init(&path, store->base_path, sizeof store->base_path);
    text_add(&path, store->endpoint.path);
    if (!in_host) {
        text_add(&path, "/");
        text_percent(&path, store->bucket, TEXT_WORD);
    }
    assert(!path.overflow);
    snprintf(store->base.place, sizeof store->base.place, "%s://%s%s",
             endpoint_scheme(&store->endpoint), store->endpoint.host, store->base_path);
    return ST_OK;
}
