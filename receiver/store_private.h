/* SPDX-License-Identifier: MIT */
/* store_private -- what store.c shows to store_list.c and to nobody else. */
#ifndef RECEIVER_STORE_PRIVATE_H
#define RECEIVER_STORE_PRIVATE_H

struct store;

int store_root(const struct store *store); /* the store keeps the descriptor */

#endif
