/* SPDX-License-Identifier: MIT */
/* Eviction policies to hold the cache against, each over traces of numbered names.
 *
 * Does:    LRU, SIEVE (Zhang et al., NSDI 2024), S3-FIFO (Yang et al., SOSP 2023) as published, and what cannot be beaten:
 *          Belady's choice of what is needed last, knowing the future and what will have expired by then.
 * Owns:    nothing after its return.
 */
#ifndef DOTSTUB_BENCH_POLICIES_H
#define DOTSTUB_BENCH_POLICIES_H

#include <stddef.h>
#include <stdint.h>

/* One request after the other; the i-th comes at time i. */
struct trace {
    uint32_t *requests; /* numbers of names, below `names` */
    uint32_t len, names;
    uint32_t *ttl; /* by name, in requests */
};

/* Share of hits in the second half of the trace, with room for `capacity` names. What has expired is a miss, and renewed. */
struct policy {
    const char *name;
    double (*run)(const struct trace *trace, uint32_t capacity);
};

/* Ends with a NULL name; Belady's is the last. */
extern const struct policy policies[];

/* Memory or the end of the program. */
void *policy_memory(size_t count, size_t size);

#endif
