/* SPDX-License-Identifier: MIT */
/* Declarations for all fuzz targets.
 *
 * Does:    the entry point, and a check that holds in every build.
 */
#ifndef DOTSTUB_TESTS_FUZZ_H
#define DOTSTUB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Defined by targets for which `make check` also makes random inputs: for how many milliseconds. */
extern const unsigned fuzz_random_ms __attribute__((weak));

/* Prints the failed expectation and aborts: a finding of the fuzzer. */
#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: expected: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A copy in a block of exactly its size, so that a sanitizer detects a read behind the end. */
static inline uint8_t *exact_copy(const void *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    MUST(copy);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

#endif
