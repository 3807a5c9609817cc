/* SPDX-License-Identifier: MIT */
/* providers -- the rows of object_store.c's table. */
#ifndef COMMON_OBJECT_PROVIDERS_H
#define COMMON_OBJECT_PROVIDERS_H

#include "common/object/object_store.h"

extern const struct object_store_ops object_store_s3;
extern const struct object_store_ops object_store_azure;

#endif
