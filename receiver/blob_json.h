/* SPDX-License-Identifier: MIT */
/*
 * blob_json -- a stored blob as JSON, the same over HTTP and on the command line.
 *
 * {"id","size","sha256","type","modified"}; without sha256 while it is not known.
 * Threads: values.
 */
#ifndef RECEIVER_BLOB_JSON_H
#define RECEIVER_BLOB_JSON_H

#include "common/blob_file.h"
#include "common/json.h"
#include "common/uuid.h"

enum {
    BLOB_JSON_SIZE = 256 + 6 * BLOB_TYPE_SIZE
}; /* a byte may need six when escaped */

void blob_json(struct json *json, const struct uuid *id, const struct blob_info *info);

#endif
