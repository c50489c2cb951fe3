/* SPDX-License-Identifier: MIT */
/* Random tests: each run covers other cases. Uses SEEDS seeds, from SEED on; a failure prints how to repeat it. */
#ifndef DOTSTUB_TESTS_SEEDS_H
#define DOTSTUB_TESTS_SEEDS_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/hash.h"

static unsigned seed;
static uint64_t random_state;

static inline unsigned below(unsigned bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % bound;
}

static inline void tell_seed(int sig)
{
    char text[64];
    int len = snprintf(text, sizeof text, "repeat with SEED=%u SEEDS=1\n", seed);
    if (write(STDERR_FILENO, text, (size_t)len) < 0)
        _exit(1);
    signal(sig, SIG_DFL);
    raise(sig);
}

static inline unsigned number_of(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text && *text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* Calls `each` for every seed, `otherwise` of them unless SEEDS is set. It checks by assert. */
static inline void for_each_seed(unsigned otherwise, void (*each)(void **state), void **state)
{
    unsigned seeds = number_of("SEEDS", otherwise), first = number_of("SEED", random_below(1000000000));
    printf("SEED=%u SEEDS=%u\n", first, seeds);
    signal(SIGABRT, tell_seed);
    for (seed = first; seed != first + seeds; seed++) {
        random_state = seed;
        each(state);
    }
    signal(SIGABRT, SIG_DFL);
}

#endif
