/* SPDX-License-Identifier: MIT */
/* A ring of entries of different sizes with an index: first in, first out, found by hash.
 *
 * Does:    appends at the head, gives up from the tail, finds by key. The index grows with the entries.
 * Owns:    nothing; its memory is a part of the shard's block.
 * Threads: none; the shard's lock is held. The prefetches need no lock: they read atomics only, and a stale one
 *          makes them useless, not wrong.
 */
#ifndef DOTSTUB_CACHE_RING_H
#define DOTSTUB_CACHE_RING_H

#include "cache/entry.h"

struct ring {
    _Atomic uint32_t *buckets;
    uint8_t *data;
    uint64_t head, tail;             /* positions: units, only growing */
    uint32_t head_place, tail_place; /* where they lie in `data`, in units */
    _Atomic uint32_t round; /* low half of the position where the head began its round, at the start of `data` */
    uint32_t size;          /* units */
    uint32_t position_mask, tag_mask, last_bit; /* the parts of a link; the latter two are 0 in the largest rings */
    _Atomic uint32_t bucket_count;              /* in use: the index starts small and grows to bucket_max */
    uint32_t bucket_max;
    uint32_t swept; /* the bucket that was refreshed last */
    uint64_t live;  /* entries that can be found */
};

/* Memory for a ring of `size` units, to be zeroed: the data and the largest index it may need. */
#define RING_SIZE_MAX (UINT32_C(1) << 30)
size_t ring_data_bytes(uint32_t size);
size_t ring_index_bytes(uint32_t size);
/* `start`, at least 1, is the first position. */
void ring_init(struct ring *ring, uint8_t *data, _Atomic uint32_t *buckets, uint32_t size, uint64_t start);

/* The entry with this key, or NULL. */
struct entry *ring_find(const struct ring *ring, const struct key *key, uint64_t hash);
/* Brings the bucket of this hash nearer; when it is there, the newest entry in it, unless that is another's and the last. */
void ring_prefetch_bucket(const struct ring *ring, uint64_t hash);
void ring_prefetch_entry(const struct ring *ring, uint64_t hash);

/* True if this many units fit before anything at the tail must go. An empty ring has room for any entry. */
bool ring_has_room(const struct ring *ring, uint32_t units);
/* The place of the next entry, if there is room; ring_append links the entry that was written there. */
struct entry *ring_slot(const struct ring *ring);
void ring_append(struct ring *ring);

/* The oldest entry or gap; the ring is not empty. */
struct entry *ring_oldest(const struct ring *ring);
/* Gives its place up. */
void ring_drop_oldest(struct ring *ring);
/* Gives its place up and appends it again; it always fits. */
void ring_carry_oldest(struct ring *ring);

/* Walks from the tail (*position 0) to the head, which what is carried on is appended to: gives the entry or gap at the position
 * and moves that behind it; NULL at the head. Between two steps the ring may change: places that were given up are passed over. */
struct entry *ring_next(const struct ring *ring, uint64_t *position);

/* Makes an entry of this ring a gap that nothing finds. */
void ring_kill(struct ring *ring, struct entry *entry);
/* Makes everything unfindable. */
void ring_clear(struct ring *ring);

static inline uint64_t ring_used(const struct ring *ring)
{
    return ring->head - ring->tail;
}

#endif
