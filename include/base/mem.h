/* SPDX-License-Identifier: MIT */
/* The allocator of all our own code, so that tests can make any allocation fail.
 *
 * Does:    wraps malloc, calloc, realloc, posix_memalign and free, with a hook that fails the n-th allocation.
 * Owns:    nothing; the caller owns a block and frees it with mem_free.
 * Threads: any; the hook is process-wide and meant for single-threaded tests.
 */
#ifndef DOTSTUB_BASE_MEM_H
#define DOTSTUB_BASE_MEM_H

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

/* Fails the n-th allocation from now (1 is the next), once; 0 turns the hook off. */
void mem_fail_at(unsigned long n);
/* Fails each n-th allocation from now; 0 turns it off. */
void mem_fail_every(unsigned long n);
/* Allocations since mem_fail_at or mem_fail_every was last called. */
unsigned long mem_asked(void);

#endif
