/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - a chunk starts at a multiple of CHUNK_SPAN and is not longer, so masking an object's address finds its chunk;
 * - a chunk with used == per_chunk is in `full`, any other in `with_room`, where the empty chunks are last, so
 *   that they are used last;
 * - an object below `carved` is either in use or in its chunk's free list, which links the objects themselves;
 * - in_use is the sum of all chunks' `used`.
 */
#include "base/slab.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"

/* AddressSanitizer catches an access to a freed object. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONED 1
#endif
#endif
#if defined(POISONED) || defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)0)
#endif

/* Less than the span, so that with the header of malloc the next chunk follows without a gap. */
enum { ALIGNMENT = 16, CHUNK_SPAN = 64 * 1024, CHUNK_SIZE = CHUNK_SPAN - 64 };

struct free_object {
    struct free_object *next;
};

struct chunk {
    struct list_link link;
    struct slab *slab;
    struct free_object *free;
    size_t used, carved;
    _Alignas(ALIGNMENT) uint8_t objects[];
};

void slab_init(struct slab *slab, size_t object_size, size_t zeroed, size_t limit)
{
    assert(zeroed <= object_size);
    assert(object_size > 0 && object_size <= CHUNK_SIZE - sizeof(struct chunk) - ALIGNMENT);
    const size_t size = (object_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *slab = (struct slab){
        .object_size = size, .zeroed = zeroed, .per_chunk = (CHUNK_SIZE - sizeof(struct chunk)) / size, .limit = limit};
    list_init(&slab->with_room);
    list_init(&slab->full);
}

static struct chunk *chunk_new(struct slab *slab)
{
    struct chunk *chunk = mem_alloc_aligned(CHUNK_SPAN, CHUNK_SIZE);
    if (!chunk)
        return NULL;
    *chunk = (struct chunk){.slab = slab};
    ASAN_POISON_MEMORY_REGION(chunk->objects, slab->per_chunk * slab->object_size);
    list_push_back(&slab->with_room, &chunk->link);
    ++slab->empty_chunks;
    return chunk;
}

static void chunk_free(struct chunk *chunk)
{
    list_remove(&chunk->link);
    ASAN_UNPOISON_MEMORY_REGION(chunk->objects, CHUNK_SIZE - sizeof(struct chunk));
    /* free() may keep the block; its whole pages are returned to the system now. */
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    madvise(chunk, CHUNK_SIZE / page * page, MADV_DONTNEED);
    mem_free(chunk);
}

void *slab_take(struct slab *slab)
{
    if (slab->in_use >= slab->limit)
        return NULL;
    struct list_link *first = list_first(&slab->with_room);
    struct chunk *chunk = first ? container_of(first, struct chunk, link) : chunk_new(slab);
    if (!chunk)
        return NULL;
    void *object = chunk->free;
    if (!object)
        object = chunk->objects + chunk->carved++ * slab->object_size;
    ASAN_UNPOISON_MEMORY_REGION(object, slab->object_size);
    if (object == chunk->free)
        chunk->free = chunk->free->next;
    ++slab->in_use;
    if (chunk->used++ == 0)
        --slab->empty_chunks;
    if (chunk->used == slab->per_chunk) {
        list_remove(&chunk->link);
        list_push_back(&slab->full, &chunk->link);
    }
    return memset(object, 0, slab->zeroed);
}

void slab_give(struct slab *slab, void *object)
{
    struct chunk *chunk = (struct chunk *)((uintptr_t)object & ~(uintptr_t)(CHUNK_SPAN - 1));
    assert(chunk->slab == slab && chunk->used > 0);
    struct free_object *freed = object;
    freed->next = chunk->free;
    chunk->free = freed;
    ASAN_POISON_MEMORY_REGION(object, slab->object_size);
    --slab->in_use;
    if (chunk->used-- == slab->per_chunk) {
        list_remove(&chunk->link);
        list_push_front(&slab->with_room, &chunk->link);
    }
    if (chunk->used > 0)
        return;
    /* Keeps some chunks, because a turn of the loop may free all objects that the next turn needs again. */
    if (slab->empty_chunks == SLAB_SPARE_CHUNKS) {
        chunk_free(chunk);
        return;
    }
    ++slab->empty_chunks;
    list_remove(&chunk->link);
    list_push_back(&slab->with_room, &chunk->link);
}

static void free_all(struct list *chunks)
{
    struct list_link *link;
    while ((link = list_first(chunks)))
        chunk_free(container_of(link, struct chunk, link));
}

void slab_fini(struct slab *slab)
{
    free_all(&slab->with_room);
    free_all(&slab->full);
    slab->in_use = slab->empty_chunks = 0;
}
