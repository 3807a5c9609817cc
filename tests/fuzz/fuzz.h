/* SPDX-License-Identifier: MIT */
/* fuzz -- what every libFuzzer target needs. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FUZZ_INPUT_MAX = 4096 }; /* longer inputs are ignored */

/* A property that holds for every input. */
#define REQUIRE(property)                                                              \
    do {                                                                               \
        if (!(property)) {                                                             \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #property);     \
            abort();                                                                   \
        }                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
