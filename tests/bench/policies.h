/* SPDX-License-Identifier: MIT */
/* Eviction policies to compare the cache with, each run over traces of numbered names.
 *
 * Does:    LRU, SIEVE (Zhang et al., NSDI 2024), S3-FIFO (Yang et al., SOSP 2023) as published, and
 *          Belady's optimum, which evicts the name that is needed last and knows when names expire.
 * Owns:    nothing after its return.
 */
#ifndef DOTSTUB_BENCH_POLICIES_H
#define DOTSTUB_BENCH_POLICIES_H

#include <stddef.h>
#include <stdint.h>

/* Request i comes at time i. */
struct trace {
    uint32_t *requests; /* numbers of names, below `names` */
    uint32_t len, names;
    uint32_t *ttl; /* by name, in requests */
};

/* Share of hits in the second half of the trace, with room for `capacity` names. An expired name is a miss, and is renewed. */
struct policy {
    const char *name;
    double (*run)(const struct trace *trace, uint32_t capacity);
};

/* Terminated by a NULL name; Belady's is the last. */
extern const struct policy policies[];

/* Allocates memory, or exits. */
void *policy_memory(size_t count, size_t size);

#endif
