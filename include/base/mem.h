/* SPDX-License-Identifier: MIT */
/* The allocator of all our own code, so that tests can make any allocation fail.
 *
 * Does:    wraps malloc, calloc, realloc, posix_memalign and free, with a hook that fails the n-th allocation.
 * Owns:    nothing; the caller owns a block and frees it with mem_free.
 * Threads: any; the source and the hook are process-wide, and the hook is meant for single-threaded tests.
 */
#ifndef DOTSTUB_BASE_MEM_H
#define DOTSTUB_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include "base/check.h"

void *mem_alloc(size_t size) MUST_CHECK;
/* `alignment` is a power of two. */
void *mem_alloc_aligned(size_t alignment, size_t size) MUST_CHECK;
/* Zeroed memory; NULL if count * size overflows. */
void *mem_zalloc(size_t count, size_t size) MUST_CHECK;
/* As realloc; if it returns NULL `old` is unchanged. */
void *mem_resize(void *old, size_t size) MUST_CHECK;
char *mem_strdup(const char *text) MUST_CHECK;
void mem_free(void *block);
/* The start of a process allocates large buffers that are used later or never, after much smaller blocks for the
 * configuration were freed. From mem_begin_start on, a block of 32 KiB or more has fresh pages of its own, which take no
 * memory before they are used, unless there is room for it between blocks of the heap. mem_end_start sets this size to 128 KiB
 * for good, where the C library would raise it later on, and gives pages of freed blocks back to the system, which takes up
 * to a millisecond. */
void mem_begin_start(void);
void mem_end_start(void);

/* Where the memory comes from; each function does what its namesake in the C library does (posix_memalign for
 * alloc_aligned). mem_free calls `free` for every source. */
struct mem_source {
    void *(*alloc)(size_t size);
    void *(*zalloc)(size_t count, size_t size);
    void *(*resize)(void *old, size_t size);
    int (*alloc_aligned)(void **out, size_t alignment, size_t size);
};
/* `source` is a constant; NULL: the C library. */
void mem_take_from(const struct mem_source *source);

/* True if memory is exhausted, so that nothing should be begun whose libraries need much of it (base/reserve.h). */
bool mem_is_short(void);
void mem_set_short(bool now);

/* Fails the n-th allocation from now (1 is the next), once; 0 turns the hook off. */
void mem_fail_at(unsigned long n);
/* Fails each n-th allocation from now; 0 turns it off. */
void mem_fail_every(unsigned long n);
/* Allocations since mem_fail_at or mem_fail_every was last called. */
unsigned long mem_asked(void);

#endif
