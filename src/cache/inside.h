/* SPDX-License-Identifier: MIT */
/* Private to the files of the cache: shards and the epoch.
 *
 * Owns:    see cache.h.
 * Threads: any; `shard` is constant, and the contents of a shard need its lock.
 */
#ifndef DOTSTUB_CACHE_INSIDE_H
#define DOTSTUB_CACHE_INSIDE_H

#include "cache/cut.h"
#include "cache/shard.h"
#include "dns/codes.h"

/* Enough for 16 workers: a lock is held for about 50 ns of the microseconds that a query takes. */
#define SHARDS_MAX 16
/* The shards and the tables of hints. */
#define CACHE_MIN (SHARD_MIN + ((size_t)16 << 10))

struct cache {
    unsigned count; /* a power of two */
    _Atomic uint64_t epoch;
    _Atomic bool rotate;
    _Atomic uint8_t nxdomain_cut; /* enum cache_cut */
    struct cut cut;
    size_t cut_bytes; /* of the tables of `cut` */
    struct shard *shard[SHARDS_MAX];
};

static inline struct shard *shard_of(const struct cache *cache, uint64_t hash)
{
    return cache->shard[hash >> 60 & (cache->count - 1)];
}

/* True if the response denies its query's own name, not the target of an alias. */
static inline bool is_denial(const struct answer *answer)
{
    return answer->rcode == RCODE_NXDOMAIN && read_u16(answer->wire + MESSAGE_HEADER - 6) == 0;
}

/* Records hints for a stored entry that expires at this time. */
static inline void note_entry(struct cache *cache, const struct key *key, const struct answer *answer,
                              uint64_t until_ms)
{
    if (is_denial(answer))
        cut_note_denial(&cache->cut, key, until_ms);
    else
        cut_note_below(&cache->cut, key, until_ms);
}

#endif
