/* SPDX-License-Identifier: MIT */
/* base/reserve: with the address space at its limit, the allocations of libraries come from the reserve, and ours fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <config.h>
#include "base/mem.h"
#include "base/reserve.h"

#ifdef WITH_SANITIZER
int main(void)
{
    return 77;
}
#else

enum { BLOCK = 1000, BLOCKS = 4096 };

static void *taken[BLOCKS];
static struct rlimit limit_before;

/* The compiler must not remove a pair of malloc and free. */
static void *volatile kept;

static void *library_malloc(size_t size)
{
    kept = malloc(size);
    return kept;
}

/* From now on the C library gets no memory from the system; what it has is used up, in blocks that are linked. */
static void *exhaust(void)
{
    struct rlimit none;
    void *chain = NULL;
    int status = getrlimit(RLIMIT_AS, &limit_before);
    assert_int_equal(status, 0);
    none = (struct rlimit){.rlim_cur = 1, .rlim_max = limit_before.rlim_max};
    status = setrlimit(RLIMIT_AS, &none);
    /* In small steps at the end: the C library keeps freed blocks for requests of their own size. */
    for (size_t size = 1 << 20; size >= 16; size = size > 8192 ? size / 2 : size - 16)
        for (void **block; (block = mem_alloc(size)); chain = block)
            *block = chain;
    return chain;
}

static void end_exhaustion(void *chain)
{
    void *next;
    setrlimit(RLIMIT_AS, &limit_before);
    for (; chain; chain = next) {
        next = *(void **)chain;
        mem_free(chain);
    }
}

/* Returns the number of blocks; they hold their own number. */
static unsigned take_all(void)
{
    unsigned count = 0;
    while (count < BLOCKS && (taken[count] = library_malloc(BLOCK))) {
        memset(taken[count], (int)count, BLOCK);
        count++;
    }
    return count;
}

static int setup(void **state)
{
    (void)state;
    reserve_begin();
    return reserve_used() == 0 && !mem_is_short() ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mem_take_from(NULL);
    return reserve_used() == 0 && !mem_is_short() ? 0 : -1;
}

static void libraries_get_the_reserve_and_we_do_not(void **state)
{
    (void)state;
    void *chain = exhaust(), *ours = mem_alloc(BLOCK), *ours_zeroed = mem_zalloc(1, BLOCK),
         *ours_aligned = mem_alloc_aligned(64, BLOCK);
    void *theirs = library_malloc(BLOCK);
    size_t used = reserve_used();
    free(theirs);
    end_exhaustion(chain);
    assert_null(ours);
    assert_null(ours_zeroed);
    assert_null(ours_aligned);
    assert_non_null(theirs);
    assert_in_range(used, BLOCK, BLOCK + 64);
}

static void blocks_do_not_overlap_and_the_whole_reserve_is_usable(void **state)
{
    (void)state;
    void *chain = exhaust();
    bool whole = true;
    unsigned count = take_all(), again;
    for (unsigned i = 0; i < count; i++)
        for (unsigned at = 0; at < BLOCK; at++)
            whole &= ((uint8_t *)taken[i])[at] == (uint8_t)i;
    for (unsigned i = 0; i < count; i += 2) /* frees with gaps between, then the rest */
        free(taken[i]);
    for (unsigned i = 1; i < count; i += 2)
        free(taken[i]);
    again = take_all();
    for (unsigned i = 0; i < again; i++)
        free(taken[i]);
    end_exhaustion(chain);
    assert_true(whole);
    assert_int_equal(count, again);
    assert_in_range(count, RESERVE_SIZE / 1024 - 1, RESERVE_SIZE / 1024);
}

static void nothing_is_left_when_it_is_used_up(void **state)
{
    (void)state;
    void *chain = exhaust();
    unsigned count = take_all();
    errno = 0;
    void *theirs = library_malloc(BLOCK), *huge = library_malloc(RESERVE_SIZE), *moved = realloc(taken[0], 2 * BLOCK);
    int error = errno;
    for (unsigned i = 0; i < count; i++)
        free(taken[i]);
    end_exhaustion(chain);
    assert_null(theirs);
    assert_null(huge);
    assert_null(moved);
    assert_int_equal(error, ENOMEM);
}

static void memory_is_short_from_one_half_down_to_one_quarter(void **state)
{
    (void)state;
    void *chain = exhaust();
    unsigned at, below, count = 0;
    while (!mem_is_short() && count < BLOCKS)
        taken[count++] = library_malloc(BLOCK);
    at = (unsigned)reserve_used();
    while (mem_is_short() && count > 0)
        free(taken[--count]);
    below = (unsigned)reserve_used();
    while (count > 0)
        free(taken[--count]);
    end_exhaustion(chain);
    assert_in_range(at, RESERVE_SIZE / 2, RESERVE_SIZE / 2 + 1024);
    assert_in_range(below, RESERVE_SIZE / 4 - 1024, RESERVE_SIZE / 4);
}

static void every_allocation_function_uses_it(void **state)
{
    (void)state;
    static const uint8_t zeroes[BLOCK];
    void *before = library_malloc(BLOCK), *posix = NULL;
    memset(before, 7, BLOCK);
    void *dirty = exhaust(), *chain = dirty;
    void *first = library_malloc(BLOCK);
    memset(first, 1, BLOCK);
    free(first);
    uint8_t *zeroed = calloc(10, BLOCK / 10), *grown = realloc(before, 3 * BLOCK);
    int status = posix_memalign(&posix, 4096, BLOCK);
    void *aligned = aligned_alloc(256, 512);
    char *text = strdup("abc"); /* the C library's own */
    bool is_zero = zeroed && memcmp(zeroed, zeroes, BLOCK) == 0;
    bool is_copy = grown && grown[0] == 7 && grown[BLOCK - 1] == 7;
    uint8_t *again = realloc(grown, 5 * BLOCK);
    is_copy &= again && again[0] == 7 && again[BLOCK - 1] == 7;
    uintptr_t odd = (uintptr_t)posix % 4096 + (uintptr_t)aligned % 256;
    size_t used = reserve_used();
    volatile size_t huge = SIZE_MAX / 2;
    kept = calloc(huge, 4);
    void *overflow = kept;
    bool is_text = text && strcmp(text, "abc") == 0;
    free(zeroed), free(again), free(posix), free(aligned), free(text);
    end_exhaustion(chain);
    assert_true(is_zero && is_copy && is_text);
    assert_int_equal(status, 0);
    assert_non_null(posix);
    assert_non_null(aligned);
    assert_int_equal(odd, 0);
    assert_null(overflow);
    assert_in_range(used, 7 * BLOCK, 12 * BLOCK);
}

static void a_block_leaves_the_reserve_when_it_grows_afterwards(void **state)
{
    (void)state;
    void *chain = exhaust();
    uint8_t *block = library_malloc(BLOCK);
    bool was_reserved = block && reserve_used() > 0;
    if (block)
        memset(block, 9, BLOCK);
    end_exhaustion(chain);
    assert_true(was_reserved);
    block = realloc(block, 100 * BLOCK);
    assert_int_equal(block[BLOCK - 1], 9);
    assert_int_equal(reserve_used(), 0);
    block = realloc(block, 0);
    assert_null(block);
}

static void our_own_code_uses_it_until_the_start_is_done(void **state)
{
    (void)state;
    void *chain = exhaust();
    mem_take_from(NULL);
    void *ours = mem_alloc(BLOCK);
    size_t used = reserve_used();
    mem_free(ours);
    end_exhaustion(chain);
    assert_non_null(ours);
    assert_in_range(used, BLOCK, BLOCK + 64);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(libraries_get_the_reserve_and_we_do_not),
        TEST(blocks_do_not_overlap_and_the_whole_reserve_is_usable),
        TEST(nothing_is_left_when_it_is_used_up),
        TEST(memory_is_short_from_one_half_down_to_one_quarter),
        TEST(every_allocation_function_uses_it),
        TEST(a_block_leaves_the_reserve_when_it_grows_afterwards),
        TEST(our_own_code_uses_it_until_the_start_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
