/* SPDX-License-Identifier: MIT */
/* Invariants: every allocation calls allowed() once, so the n-th one is the same in each run of a test. `source` points
 * to a constant. */
#include "base/mem.h"
#include <config.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_MAPPED_AT_START = 32 << 10,
    LEAST_MAPPED = 128 << 10, /* as the C library begins with */
};

static const struct mem_source c_library = {malloc, calloc, realloc, posix_memalign};
static _Atomic(const struct mem_source *) source = &c_library;
static atomic_bool is_short;
static _Atomic unsigned long asked;
static _Atomic unsigned long fail_at, fail_every;

static const struct mem_source *from(void)
{
    return atomic_load_explicit(&source, memory_order_relaxed);
}

static bool allowed(void)
{
    const unsigned long n = atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) + 1;
    const unsigned long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    const unsigned long every = atomic_load_explicit(&fail_every, memory_order_relaxed);
    return n != at && (every == 0 || n % every != 0);
}

void *mem_alloc(size_t size)
{
    return allowed() ? from()->alloc(size) : NULL;
}

void *mem_alloc_aligned(size_t alignment, size_t size)
{
    void *block = NULL;
    if (!allowed() || from()->alloc_aligned(&block, alignment, size) != 0)
        return NULL;
    return block;
}

void *mem_zalloc(size_t count, size_t size)
{
    return allowed() ? from()->zalloc(count, size) : NULL;
}

void *mem_resize(void *old, size_t size)
{
    /* realloc to 0 bytes would free `old` and return NULL. */
    return allowed() ? from()->resize(old, size > 0 ? size : 1) : NULL;
}

char *mem_strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void mem_free(void *block)
{
    free(block);
}

#ifdef M_MMAP_THRESHOLD
static void set_least_mapped(int size)
{
    (void)mallopt(M_MMAP_THRESHOLD, size);
}
#else
static void set_least_mapped(int size)
{
    (void)size;
}
#endif

void mem_begin_start(void)
{
    set_least_mapped(LEAST_MAPPED_AT_START);
}

void mem_end_start(void)
{
    set_least_mapped(LEAST_MAPPED);
#ifdef HAVE_MALLOC_TRIM
    (void)malloc_trim(0);
#endif
}

void mem_take_from(const struct mem_source *next)
{
    atomic_store_explicit(&source, next ? next : &c_library, memory_order_relaxed);
}

bool mem_is_short(void)
{
    return atomic_load_explicit(&is_short, memory_order_relaxed);
}

void mem_set_short(bool now)
{
    atomic_store_explicit(&is_short, now, memory_order_relaxed);
}

static void set_hook(unsigned long at, unsigned long every)
{
    atomic_store_explicit(&asked, 0, memory_order_relaxed);
    atomic_store_explicit(&fail_at, at, memory_order_relaxed);
    atomic_store_explicit(&fail_every, every, memory_order_relaxed);
}

void mem_fail_at(unsigned long n)
{
    set_hook(n, 0);
}

void mem_fail_every(unsigned long n)
{
    set_hook(0, n);
}

unsigned long mem_asked(void)
{
    return atomic_load_explicit(&asked, memory_order_relaxed);
}
