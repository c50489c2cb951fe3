/* SPDX-License-Identifier: MIT */
/* The answer cache: whole answers in wire form, in shards of two rings each (S3-FIFO).
 *
 * Does:    stores answers, copies them out with their TTLs aged, evicts the least popular. The caller passes the
 *          time, the boot-time clock in milliseconds. The memory is mapped once and never exceeds its size; pages
 *          that were not used yet cost nothing.
 * Owns:    the stored answers; callers get copies.
 * Threads: any; one mutex per shard, held for one lookup and one copy.
 * RFC:     1035 section 7.4, 2181 section 5, 2308, 8767 (entries stay after expiry until overwritten).
 */
#ifndef DOTSTUB_CACHE_CACHE_H
#define DOTSTUB_CACHE_CACHE_H

#include "dns/key.h"
#include "dns/message.h"

struct cache;

/* A cache that maps at most `bytes` in all, and little less (but at least one shard of 4 MiB, and at most 16 GiB).
 * NULL when out of memory. */
struct cache *cache_new(size_t bytes) MUST_CHECK;
void cache_free(struct cache *cache);

enum cache_result {
    CACHE_MISS,
    CACHE_HIT,
    CACHE_EXPIRED, /* found, but its TTL has expired: only with CACHE_STALE and CACHE_PEEK */
    CACHE_TOO_BIG, /* found, but longer than `cap`: found.answer.len is its length; nothing was copied */
};

struct cache_found {
    struct answer answer;  /* wire is the caller's `out`; ttl: whole seconds left (0 for CACHE_EXPIRED); no offsets */
    uint32_t original_ttl; /* seconds, as stored */
    uint64_t expired_ms;   /* CACHE_EXPIRED: milliseconds since it expired */
    uint8_t flags;         /* of the key of the entry */
    uint8_t
        /* For rewrite_without: records that this key must not get, or that have expired before the answer and have
         * TTL 0. */
        surplus;
};

/* The purpose of a search. */
enum cache_want {
    CACHE_FRESH, /* a live entry */
    CACHE_STALE, /* or an expired one */
    CACHE_PEEK,  /* as CACHE_STALE, but not counted as a hit: for traces and the control socket */
};

/* Looks for an entry and copies it to `out` with its TTLs lowered by its age (whole seconds, rounded down); the
 * TTLs of an expired entry are `stale_ttl`. `hash` is key_hash(key). An entry of a key with DO also serves the key
 * without DO; an NXDOMAIN without alias serves all types of its name, and the type in the copy's Question section
 * is 0 then. */
enum cache_result cache_get(struct cache *cache, const struct key *key, uint64_t hash, uint64_t now_ms,
                            enum cache_want want, uint32_t stale_ttl, uint8_t *out, size_t cap,
                            struct cache_found *found);

/* Which NXDOMAIN entries deny the names below theirs (RFC 8020). */
enum cache_cut {
    CUT_NO,
    CUT_SECURE, /* entries that the server has validated (AD) */
    CUT_YES,    /* all entries */
};
/* Initially CUT_NO. */
void cache_set_cut(struct cache *cache, enum cache_cut cut);
/* Looks for a fresh entry that denies a name above the key's, and thus the key's. CACHE_HIT: a copy as of
 * cache_get, with the Question section of the entry; or CACHE_MISS. Entries with EDE 15, 16 or 17 are not used, nor
 * entries below which a response with the same group and CD shows that a name exists. The tables of hints used for
 * this may miss an entry if slots are shared. */
enum cache_result cache_get_above(struct cache *cache, const struct key *key, uint64_t now_ms, uint8_t *out, size_t cap,
                                  struct cache_found *found);

/* Enables or disables the rotation of RRsets (dns/rotate); off at first. */
void cache_set_rotation(struct cache *cache, bool on);

/* For batches: the first prefetches the index for this hash into the processor's cache; the second, called when
 * that has arrived, the entry. They need no lock and affect only the speed. */
void cache_prefetch(const struct cache *cache, uint64_t hash);
void cache_prefetch_entry(const struct cache *cache, uint64_t hash);

/* Each flush begins an epoch: an answer whose query was sent in an earlier epoch is not stored. */
uint64_t cache_epoch(const struct cache *cache);

/* Stores a copy of `answer` (its ttl must be above 0, its Question section must match the key) for answer->ttl
 * seconds from now_ms, replacing what is there. `epoch`: cache_epoch when the query was sent. 0, -ECANCELED
 * (flushed since), or -ENOSPC (too large for a shard). */
int cache_put(struct cache *cache, const struct key *key, uint64_t hash, const struct answer *answer, uint64_t now_ms,
              uint64_t epoch) MUST_CHECK;

/* Removes the entry of this key, and an NXDOMAIN for its name. */
void cache_remove(struct cache *cache, const struct key *key, uint64_t hash);
/* Removes all entries. */
void cache_flush(struct cache *cache);
/* Removes all answers that concern a name (in lower case), of any type, with `below` also those that concern a name under
 * it: see answer_concerns. Walks the whole cache in slices: no lock is held for longer than about 70 us. Returns their
 * number. */
uint64_t cache_flush_name(struct cache *cache, const uint8_t *name, size_t name_bytes, bool below);

/* Sums over all shards. */
struct cache_stats {
    size_t bytes; /* mapped, including overhead */
    size_t used;  /* bytes taken by entries */
    uint64_t entries, evicted, replaced;
};
void cache_stats(struct cache *cache, struct cache_stats *out);

#endif
