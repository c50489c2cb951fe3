/* SPDX-License-Identifier: MIT */
/* The answer cache: whole answers in wire form, in shards of two rings each (S3-FIFO).
 *
 * Does:    stores answers, copies them out aged, forgets the unpopular ones. Time is the boot-time clock in
 *          milliseconds, passed in. The memory bound is exact and mapped once; pages not yet used cost nothing.
 * Owns:    everything stored; callers get copies.
 * Threads: any; one mutex per shard, held for one lookup and one copy.
 * RFC:     1035 section 7.4, 2181 section 5, 2308, 8767 (entries stay after expiry until overwritten).
 */
#ifndef DOTSTUB_CACHE_CACHE_H
#define DOTSTUB_CACHE_CACHE_H

#include "dns/key.h"
#include "dns/message.h"

struct cache;

/* A cache that maps at most `bytes` in all, and little less (but at least one shard of 4 MiB, and at most 16 GiB). NULL
 * when memory is gone. */
struct cache *cache_new(size_t bytes) MUST_CHECK;
void cache_free(struct cache *cache);

enum cache_result {
    CACHE_MISS,
    CACHE_HIT,
    CACHE_EXPIRED, /* found, but its TTL is over: only if that is wanted */
    CACHE_TOO_BIG, /* found, but longer than `cap`: found.answer.len says how long; nothing was copied */
};

struct cache_found {
    struct answer answer;  /* wire is the caller's `out`; ttl: whole seconds left (0 for CACHE_EXPIRED); no offsets */
    uint32_t original_ttl; /* seconds, as stored */
    uint64_t expired_ms;   /* CACHE_EXPIRED: milliseconds since it expired */
    uint8_t flags;         /* of the key that it was put with */
    uint8_t
        surplus; /* for rewrite_without: what is not for this key, or has expired beside the answer and shows TTL 0 */
};

/* The purpose of a search. */
enum cache_want {
    CACHE_FRESH, /* a live entry */
    CACHE_STALE, /* or an expired one */
    CACHE_PEEK,  /* as CACHE_STALE, but not counted as a hit: for traces and the control socket */
};

/* Looks for an entry and copies it to `out` with its TTLs lowered by its age (whole seconds, rounded down); those of an expired one are
 * `stale_ttl`. `hash` is key_hash(key). An entry that was put for a key with DO serves the key without DO as well; an NXDOMAIN without
 * alias serves all types of its name, the type in the copy's question is 0 then. */
enum cache_result cache_get(struct cache *cache, const struct key *key, uint64_t hash, uint64_t now_ms,
                            enum cache_want want, uint32_t stale_ttl, uint8_t *out, size_t cap,
                            struct cache_found *found);

/* Whether records of an RRset change places from copy to copy (dns/rotate); off at first. */
void cache_set_rotation(struct cache *cache, bool on);

/* For batches: the first brings what leads to the entry with this hash into the processor's cache, the second, called when
 * that has come, the entry. Without a lock, and nothing but time depends on them. */
void cache_prefetch(const struct cache *cache, uint64_t hash);
void cache_prefetch_entry(const struct cache *cache, uint64_t hash);

/* Each flush begins an epoch: an answer that was asked for in an earlier one is not stored any more. */
uint64_t cache_epoch(const struct cache *cache);

/* Stores a copy of `answer` (its ttl must be above 0, its question must fit the key) for answer->ttl seconds from
 * now_ms, replacing what is there. `epoch`: when the question was asked. 0, -ECANCELED: there was a flush since, or
 * -ENOSPC: larger than a shard takes. */
int cache_put(struct cache *cache, const struct key *key, uint64_t hash, const struct answer *answer, uint64_t now_ms,
              uint64_t epoch) MUST_CHECK;

/* Makes the entry of this key unfindable, and an NXDOMAIN for its name. */
void cache_remove(struct cache *cache, const struct key *key, uint64_t hash);
/* Makes everything unfindable at once. */
void cache_flush(struct cache *cache);
/* Makes all answers for a name (in lower case) unfindable, whatever their type, and with `below` those for all names under
 * it. Walks through the whole cache, in slices: no lock is held for longer than some 70 us. Gives their number. */
uint64_t cache_flush_name(struct cache *cache, const uint8_t *name, size_t name_bytes, bool below);

/* Counted over all shards. */
struct cache_stats {
    size_t bytes; /* mapped, bookkeeping included */
    size_t used;  /* bytes taken by entries */
    uint64_t entries, evicted, replaced;
};
void cache_stats(struct cache *cache, struct cache_stats *out);

#endif
