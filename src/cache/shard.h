/* SPDX-License-Identifier: MIT */
/* One shard of the cache: two rings of entries managed by S3-FIFO, and their memory.
 *
 * Does:    finds and stores entries, evicts to make room. New entries go to the small ring; those with hits move on
 *          to the main ring; those that leave the small ring without a hit are remembered as ghosts, and go to the
 *          main ring when they are stored again.
 * Owns:    one mapped block, including this struct.
 * Threads: the cache takes `lock`; all functions except shard_new and shard_free need it held.
 */
#ifndef DOTSTUB_CACHE_SHARD_H
#define DOTSTUB_CACHE_SHARD_H

#include <pthread.h>
#include "cache/ring.h"

#define SHARD_MIN (((size_t)4 << 20) - ((size_t)16 << 10))
#define SHARD_MAX ((size_t)1 << 30)

#define GHOST_WAYS 16

struct shard {
    pthread_mutex_t lock;
    struct ring main, small;
    uint16_t (*ghosts)[GHOST_WAYS]; /* sets of tags, the newest of a set first */
    uint32_t ghost_sets;
    bool went_round; /* the main ring has been full once */
    size_t bytes;    /* of the block */
    uint64_t evicted, replaced;
    uint32_t turn; /* for the next RRset that rotates */
};

/* Maps a shard of `bytes`, SHARD_MIN to SHARD_MAX, rounded down to whole pages. `start` is the first position of
 * its rings: 1, except in tests of the wrap of links. NULL when out of memory. */
struct shard *shard_new(size_t bytes, uint64_t start) MUST_CHECK;
void shard_free(struct shard *shard);

/* The entry with this key or NULL; valid until the next put. */
struct entry *shard_find(const struct shard *shard, const struct key *key, uint64_t hash);
/* Removes the entry of this key, if there is one. */
void shard_remove(struct shard *shard, const struct key *key, uint64_t hash);
/* As cache_put. */
void shard_put(struct shard *shard, const struct key *key, uint64_t hash, const struct answer *answer, uint64_t now_ms);
/* Removes the entry that serves this key, or this key without DO. */
void shard_remove(struct shard *shard, const struct key *key, uint64_t hash);
/* Stores an answer from another cache with the age, the hits and the ring that it had there. False: the key has an
 * answer already, which is newer. */
bool shard_restore(struct shard *shard, const struct key *key, uint64_t hash, const struct answer *answer, bool in_main,
                   unsigned hits, uint64_t born_ms);
void shard_flush(struct shard *shard);

/* The progress of a walk over both rings; zeroed at first. */
struct shard_walk {
    uint64_t small, main; /* positions */
    uint64_t removed;
};
/* As cache_flush_name, for the next entries of the walk; false: that was the last slice. The lock may be released
 * between calls. */
bool shard_flush_slice(struct shard *shard, struct shard_walk *walk, const uint8_t *name, size_t name_bytes,
                       bool below);

/* Copies the next entries of the small or the main ring contiguously, and advances *position, which is 0 at first.
 * *len: the bytes copied, at most SHARD_COPY, or one larger entry. False: that was the last slice. */
#define SHARD_COPY     ((size_t)64 << 10)
#define SHARD_COPY_MAX (ENTRY_UNITS_MAX * ENTRY_UNIT)
bool shard_copy_slice(const struct shard *shard, bool from_main, uint64_t *position, uint8_t *out, size_t *len);

#endif
