/* SPDX-License-Identifier: MIT */
/* A slab allocator: objects of one size in chunks of 64 KiB, with a hard limit.
 *
 * Does:    allocates objects of one size, their first bytes zeroed, at most `limit` at a time. Frees empty chunks
 *          but keeps SLAB_SPARE_CHUNKS: memory is released after a burst, and a steady load does not allocate.
 * Owns:    the memory of all objects; slab_fini frees it whether or not objects are in use.
 * Threads: none.
 */
#ifndef DOTSTUB_BASE_SLAB_H
#define DOTSTUB_BASE_SLAB_H

#include <stddef.h>
#include "base/check.h"
#include "base/list.h"

#define SLAB_SPARE_CHUNKS 8 /* of 64 KiB each */

struct slab {
    size_t object_size, zeroed, per_chunk, in_use, limit;
    struct list with_room; /* chunks with a free object, the most recently used first */
    struct list full;      /* chunks without a free object */
    size_t empty_chunks;   /* chunks of with_room that have no object in use */
};

/* Objects are aligned to 16 bytes; `object_size` is at most 60 KiB. slab_take zeroes the first `zeroed` bytes; the
 * others may hold data of a previous object. */
void slab_init(struct slab *slab, size_t object_size, size_t zeroed, size_t limit);
/* An object, or NULL at the limit or when out of memory. */
void *slab_take(struct slab *slab) MUST_CHECK;
void slab_give(struct slab *slab, void *object);
void slab_fini(struct slab *slab);

#endif
