/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - a block of the reserve is a run of grains: `run` at its first one is their number, `busy` is set for each of them;
 *   `run` is 0 at all others;
 * - `busy`, `run` and `busy_count` are accessed under `lock`;
 * - `system` is complete before the first other thread starts, because the C library allocates before main. While the
 *   functions are being looked up, allocations come from the reserve.
 */
#include "base/reserve.h"

#include <config.h>

#ifdef WITH_SANITIZER

void reserve_begin(void)
{
}

size_t reserve_used(void)
{
    return 0;
}

#else

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { GRAIN = 64, PAGE = 4096, GRAINS = RESERVE_SIZE / GRAIN };

static _Alignas(PAGE) uint8_t area[RESERVE_SIZE];
static bool busy[GRAINS];
static uint16_t run[GRAINS];
static size_t busy_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The next definitions in the process: the C library's, or those of a preloaded allocator. */
static struct {
    struct mem_source source;
    void (*free)(void *block);
} system_malloc;

/* --- the reserve --- */

static bool is_reserved(const void *block)
{
    return (uintptr_t)block - (uintptr_t)area < RESERVE_SIZE;
}

/* The first free run whose start is a multiple of `step`; GRAINS: none. */
static size_t find_free(size_t grains, size_t step)
{
    size_t at = 0;
    while (at + grains <= GRAINS) {
        const bool *obstacle = memchr(&busy[at], true, grains);
        if (!obstacle)
            return at;
        at = ((size_t)(obstacle - busy) + step) / step * step;
    }
    return GRAINS;
}

/* Call it under the lock. The gap between the two bounds prevents that single blocks change the state. */
static void note_use(void)
{
    if (busy_count > GRAINS / 2)
        mem_set_short(true);
    else if (busy_count < GRAINS / 4)
        mem_set_short(false);
}

/* NULL: not enough is left. `alignment` is a power of two. */
static void *reserve_take(size_t size, size_t alignment)
{
    if (size >= RESERVE_SIZE || alignment > PAGE)
        return NULL;
    const size_t grains = size / GRAIN + 1;
    pthread_mutex_lock(&lock);
    const size_t at = find_free(grains, alignment > GRAIN ? alignment / GRAIN : 1);
    if (at < GRAINS) {
        memset(&busy[at], true, grains);
        run[at] = (uint16_t)grains;
        busy_count += grains;
        note_use();
    }
    pthread_mutex_unlock(&lock);
    return at < GRAINS ? area + at * GRAIN : NULL;
}

/* The number of bytes that a block may hold. */
static size_t reserved_size(const void *block)
{
    const size_t at = (size_t)((const uint8_t *)block - area) / GRAIN;
    return run[at] * (size_t)GRAIN;
}

static void reserve_give(void *block)
{
    const size_t at = (size_t)((uint8_t *)block - area) / GRAIN;
    pthread_mutex_lock(&lock);
    memset(&busy[at], false, run[at]);
    busy_count -= run[at];
    run[at] = 0;
    note_use();
    pthread_mutex_unlock(&lock);
}

size_t reserve_used(void)
{
    pthread_mutex_lock(&lock);
    const size_t used = busy_count * GRAIN;
    pthread_mutex_unlock(&lock);
    return used;
}

/* --- the C library --- */

static void look_up(void *function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

/* False while the functions are being looked up. */
static bool has_system(void)
{
    static bool looking;
    if (system_malloc.free)
        return true;
    if (looking)
        return false;
    looking = true;
    look_up(&system_malloc.source.alloc, "malloc");
    look_up(&system_malloc.source.zalloc, "calloc");
    look_up(&system_malloc.source.resize, "realloc");
    look_up(&system_malloc.source.alloc_aligned, "posix_memalign");
    look_up(&system_malloc.free, "free");
    return true;
}

void reserve_begin(void)
{
    if (has_system())
        mem_take_from(&system_malloc.source);
}

/* --- the definitions for the process --- */

/* The result of an allocation that failed before: a block of the reserve, or NULL with errno set. */
static void *otherwise(size_t size)
{
    void *block = reserve_take(size, GRAIN);
    if (!block)
        errno = ENOMEM;
    return block;
}

void *malloc(size_t size)
{
    void *block = has_system() ? system_malloc.source.alloc(size) : NULL;
    return block ? block : otherwise(size);
}

void *calloc(size_t count, size_t size)
{
    size_t all;
    void *block = has_system() ? system_malloc.source.zalloc(count, size) : NULL;
    if (block)
        return block;
    if (__builtin_mul_overflow(count, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    block = otherwise(all);
    return block ? memset(block, 0, all) : NULL;
}

void free(void *block)
{
    if (is_reserved(block))
        reserve_give(block);
    else if (block && has_system())
        system_malloc.free(block);
}

/* Moves a block of at least `old_size` bytes; NULL: it is unchanged. */
static void *move(void *old, size_t old_size, void *block, size_t size)
{
    if (!block)
        return NULL;
    memcpy(block, old, old_size < size ? old_size : size);
    free(old);
    return block;
}

void *realloc(void *old, size_t size)
{
    if (!old)
        return malloc(size);
    if (size == 0) { /* as the C library does it */
        free(old);
        return NULL;
    }
    if (is_reserved(old))
        return move(old, reserved_size(old), malloc(size), size);
    void *block = system_malloc.source.resize(old, size);
    return block ? block : move(old, malloc_usable_size(old), otherwise(size), size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *block = NULL;
    int status = has_system() ? system_malloc.source.alloc_aligned(&block, alignment, size) : ENOMEM;
    if (status == ENOMEM && (block = reserve_take(size, alignment)))
        status = 0;
    if (status == 0)
        *out = block;
    return status;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    void *block = NULL;
    const int status = posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size);
    if (status != 0)
        errno = status;
    return block;
}

#endif
