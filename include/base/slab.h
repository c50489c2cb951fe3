/* SPDX-License-Identifier: MIT */
/* Objects of one size in chunks: taking and giving back are a few instructions, and a limit is a limit.
 *
 * Does:    hands out objects of one size, their beginning zeroed, at most `limit` at once; frees chunks that have become
 *          empty, but keeps some, so that a flood gives its memory back and a steady load does not allocate.
 * Owns:    all objects' memory; slab_fini frees it whether or not objects are out.
 * Threads: none.
 */
#ifndef DOTSTUB_BASE_SLAB_H
#define DOTSTUB_BASE_SLAB_H

#include <stddef.h>
#include "base/check.h"
#include "base/list.h"

#define SLAB_SPARE_CHUNKS 8 /* of 64 KiB */

struct slab {
    size_t object_size, zeroed, per_chunk, in_use, limit;
    struct list with_room; /* chunks that have a free object, the fullest last used first */
    struct list full;      /* chunks that have none */
    size_t empty_chunks;   /* of those with room, how many have no object out */
};

/* Objects are aligned to 16 bytes; `object_size` is at most 60 KiB. The first `zeroed` bytes of one that is taken are 0, the others
 * may hold what another one left. */
void slab_init(struct slab *slab, size_t object_size, size_t zeroed, size_t limit);
/* An object, or NULL when the limit is reached or memory is gone. */
void *slab_take(struct slab *slab) MUST_CHECK;
void slab_give(struct slab *slab, void *object);
void slab_fini(struct slab *slab);

#endif
