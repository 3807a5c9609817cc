/* SPDX-License-Identifier: MIT */
/*
 * url -- what can be said of an http or https URL without asking anybody.
 *
 * Threads: any.
 * Source:  RFC 3986; parsed by libcurl, so that we and it never disagree.
 */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>

enum { URL_ORIGIN_SIZE = 160 };

/* Where `reference`, a Location, leads from `base`: a URL to be freed with url_free,
 * and whether its scheme, host and port are base's. NULL: nowhere that is http or
 * https. */
char *url_resolve(const char *base, const char *reference, bool *same_origin);
void url_free(char *url); /* NULL is fine */

/* By name or address, on this machine. */
bool url_is_loopback(const char *url);

/* scheme://host:port, cut to fit: what a person needs, without what may be secret.
 * Takes anything for a URL. Returns out. */
const char *url_origin(char out[URL_ORIGIN_SIZE], const char *url);

#endif
