/* SPDX-License-Identifier: MIT */
/* Private to the files of the cache: shards and the epoch.
 *
 * Owns:    see cache.h.
 * Threads: any; `shard` is constant, and the contents of a shard need its lock.
 */
#ifndef DOTSTUB_CACHE_INSIDE_H
#define DOTSTUB_CACHE_INSIDE_H

#include "cache/shard.h"

/* Enough for 16 workers: a lock is held for about 50 ns of the microseconds that a query takes. */
#define SHARDS_MAX 16

struct cache {
    unsigned count; /* a power of two */
    _Atomic uint64_t epoch;
    _Atomic bool rotate;
    struct shard *shard[SHARDS_MAX];
};

static inline struct shard *shard_of(const struct cache *cache, uint64_t hash)
{
    return cache->shard[hash >> 60 & (cache->count - 1)];
}

#endif
