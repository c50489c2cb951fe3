/* SPDX-License-Identifier: MIT */
/* A ring of entries of different sizes, first in, first out, with an index by hash.
 *
 * Does:    appends entries at the head, evicts from the tail, finds by key. The index grows with the entries.
 * Owns:    nothing; its memory is a part of the shard's block.
 * Threads: none; the shard's lock is held. The prefetches need no lock: they read only atomics, and a stale value
 * makes them useless, not wrong.
 */
#ifndef DOTSTUB_CACHE_RING_H
#define DOTSTUB_CACHE_RING_H

#include "cache/entry.h"

struct ring {
    _Atomic uint32_t *buckets;
    uint8_t *data;
    uint64_t head, tail;             /* positions in units, only growing */
    uint32_t head_place, tail_place; /* their places in `data`, in units */
    /* Low half of the position at which the current round of the head began, at the start of `data`. */
    _Atomic uint32_t round;
    uint32_t size;                              /* units */
    uint32_t position_mask, tag_mask, last_bit; /* the parts of a link; the latter two are 0 in the largest rings */
    _Atomic uint32_t bucket_count;              /* in use: the index starts small and grows to bucket_max */
    uint32_t bucket_max;
    uint32_t swept; /* the bucket that was refreshed last */
    uint64_t live;  /* entries that can be found */
};

/* The sizes of the zeroed memory for a ring of `size` units: the data and the largest index. */
#define RING_SIZE_MAX (UINT32_C(1) << 30)
size_t ring_data_bytes(uint32_t size);
size_t ring_index_bytes(uint32_t size);
/* `start`, at least 1, is the first position; `data` and `buckets` are zeroed. */
void ring_init(struct ring *ring, uint8_t *data, _Atomic uint32_t *buckets, uint32_t size, uint64_t start);

/* The entry with this key, or NULL. */
struct entry *ring_find(const struct ring *ring, const struct key *key, uint64_t hash);
/* Prefetch the bucket of this hash, then (when the bucket is in the processor's cache) its newest entry, unless
 * that has another tag and is the last one. */
void ring_prefetch_bucket(const struct ring *ring, uint64_t hash);
void ring_prefetch_entry(const struct ring *ring, uint64_t hash);

/* True if this number of units fits without evicting from the tail. An empty ring has room for any entry. */
bool ring_has_room(const struct ring *ring, uint32_t units);
/* The place of the next entry, if there is room; ring_append links the entry that was written there. */
struct entry *ring_slot(const struct ring *ring);
void ring_append(struct ring *ring);

/* The oldest entry or gap; the ring is not empty. */
struct entry *ring_oldest(const struct ring *ring);
/* Evicts the oldest entry or gap. */
void ring_drop_oldest(struct ring *ring);
/* Moves the oldest entry to the head; it always fits. */
void ring_carry_oldest(struct ring *ring);

/* Walks from the tail (*position 0) to the head, including entries that are carried on meanwhile: returns the entry
 * or gap at the position and moves the position behind it; NULL at the head. The ring may change between two steps:
 * evicted entries are skipped. */
struct entry *ring_next(const struct ring *ring, uint64_t *position);

/* Turns an entry of this ring into a gap. */
void ring_kill(struct ring *ring, struct entry *entry);
/* Removes all entries. */
void ring_clear(struct ring *ring);

static inline uint64_t ring_used(const struct ring *ring)
{
    return ring->head - ring->tail;
}

#endif
