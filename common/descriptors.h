/* SPDX-License-Identifier: MIT */
/* descriptors -- as many as the kernel lets us have. Threads: main, at start. */
#ifndef COMMON_DESCRIPTORS_H
#define COMMON_DESCRIPTORS_H

#include <stdint.h>

/* Raises the soft limit to the hard one. Returns what it is then. */
uint64_t descriptors_raise(void);

#endif
