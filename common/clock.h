/* SPDX-License-Identifier: MIT */
/* clock -- the two clocks. Threads: any. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

uint64_t clock_monotonic_ns(void); /* for durations: never steps */
uint64_t clock_wall_ms(void); /* milliseconds since 1970, UTC: for people and ids */

#endif
