/* SPDX-License-Identifier: MIT */
/* One shard of the cache: two rings of entries under S3-FIFO and the memory they lie in.
 *
 * Does:    finds, stores, makes room. New entries go to the small ring; what is asked for there again is
 *          carried into the main ring; what leaves the small ring unasked is remembered as a ghost and goes
 *          to main if it returns.
 * Owns:    one mapped block, this structure included.
 * Threads: `lock` is the cache's to take; every function but new and free wants it held.
 */
#ifndef DOTSTUB_CACHE_SHARD_H
#define DOTSTUB_CACHE_SHARD_H

#include <pthread.h>
#include "cache/ring.h"

#define SHARD_MIN ((size_t)4 << 20)
#define SHARD_MAX ((size_t)1 << 30)

#define GHOST_WAYS 16

struct shard {
    pthread_mutex_t lock;
    struct ring main, small;
    uint16_t (*ghosts)[GHOST_WAYS]; /* sets of tags, the newest of a set first */
    uint32_t ghost_sets;
    bool went_round; /* the main ring has been full */
    size_t bytes;    /* of the block */
    uint64_t evicted, replaced;
    uint32_t turn; /* of the RRset that is rotated next */
};

/* Maps a shard of `bytes`, SHARD_MIN to SHARD_MAX, rounded down to whole pages. `start` is the first position
 * of its rings: 1, but for tests of the wrap of links. NULL when memory is gone. */
struct shard *shard_new(size_t bytes, uint64_t start) MUST_CHECK;
void shard_free(struct shard *shard);

/* The entry with this key or NULL; valid until the next put. */
struct entry *shard_find(const struct shard *shard, const struct key *key, uint64_t hash);
/* Does nothing without an entry of this key. */
void shard_remove(struct shard *shard, const struct key *key, uint64_t hash);
/* As cache_put. */
void shard_put(struct shard *shard, const struct key *key, uint64_t hash, const struct answer *answer, uint64_t now_ms);
/* Makes the entry that serves this key, or this key without DO, unfindable. */
void shard_remove(struct shard *shard, const struct key *key, uint64_t hash);
/* Stores what was taken from another cache, as old and as popular as it was there, in the ring it was in. False: the key has an
 * answer already, which is newer. */
bool shard_restore(struct shard *shard, const struct key *key, uint64_t hash, const struct answer *answer, bool in_main,
                   unsigned hits, uint64_t born_ms);
void shard_flush(struct shard *shard);

/* How far a walk over both rings has come; begins zeroed. */
struct shard_walk {
    uint64_t small, main; /* positions */
    uint64_t removed;
};
/* As cache_flush_name, for the next entries of the walk; false: that was the last slice. The lock may be given back in between. */
bool shard_flush_slice(struct shard *shard, struct shard_walk *walk, const uint8_t *name, size_t name_bytes,
                       bool below);

/* Copies the next entries of the small or the main ring, whole and one behind the other, and moves *position, which begins at 0.
 * *len: the bytes copied, at most SHARD_COPY, or one entry that is larger. False: that was all. */
#define SHARD_COPY     ((size_t)64 << 10)
#define SHARD_COPY_MAX (ENTRY_UNITS_MAX * ENTRY_UNIT)
bool shard_copy_slice(const struct shard *shard, bool from_main, uint64_t *position, uint8_t *out, size_t *len);

#endif
