/* SPDX-License-Identifier: MIT */
/* base/mem: each allocation function can be made to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "base/mem.h"

/* The sanitizers would end the program at the overflow that is tested. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return __asan_default_options();
}

static int hook_off(void **state)
{
    (void)state;
    mem_fail_at(0);
    return 0;
}

/* True if the n-th allocation function succeeds now. */
static bool allocates(int way)
{
    void *block = NULL;
    switch (way) {
    case 0:
        block = mem_alloc(10);
        break;
    case 1:
        block = mem_alloc_aligned(64, 10);
        break;
    case 2:
        block = mem_zalloc(2, 5);
        break;
    case 3:
        block = mem_resize(NULL, 10);
        break;
    default:
        block = mem_strdup("abc");
        break;
    }
    mem_free(block);
    return block != NULL;
}

enum { WAYS = 5 };

static void the_nth_allocation_fails_once(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; ++way) {
        mem_fail_at(3);
        assert_true(allocates(way));
        assert_true(allocates(way));
        assert_false(allocates(way));
        assert_true(allocates(way));
        assert_int_equal(mem_asked(), 4);
    }
}

static void each_nth_allocation_fails(void **state)
{
    (void)state;
    mem_fail_every(2);
    for (int i = 0; i < 10; ++i) {
        assert_true(allocates(i % WAYS));
        assert_false(allocates(i % WAYS));
    }
    mem_fail_every(1);
    assert_false(allocates(0));
    assert_false(allocates(0));
}

static void zero_turns_the_hook_off_and_goes_on_counting(void **state)
{
    (void)state;
    mem_fail_every(1);
    mem_fail_at(0);
    assert_true(allocates(0));
    mem_fail_at(1);
    mem_fail_every(0);
    assert_true(allocates(0));
    assert_true(allocates(0));
    assert_int_equal(mem_asked(), 2);
}

static void zalloc_gives_zeroes_and_sees_overflow(void **state)
{
    (void)state;
    static const uint8_t zeroes[1000];
    volatile size_t huge = SIZE_MAX / 2;
    uint8_t *block = mem_zalloc(10, 100);
    assert_memory_equal(block, zeroes, sizeof(zeroes));
    mem_free(block);
    assert_null(mem_zalloc(huge, 4));
}

static void aligned_blocks_are_aligned(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
        void *block = mem_alloc_aligned(alignment, 100);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % alignment, 0);
        mem_free(block);
    }
}

static void a_failed_resize_leaves_the_block(void **state)
{
    (void)state;
    char *block = mem_strdup("abc");
    mem_fail_at(1);
    assert_null(mem_resize(block, 100));
    assert_string_equal(block, "abc");
    block = mem_resize(block, 100);
    assert_string_equal(block, "abc");
    block = mem_resize(block, 0);
    assert_non_null(block);
    mem_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_nth_allocation_fails_once, hook_off),
        cmocka_unit_test_teardown(each_nth_allocation_fails, hook_off),
        cmocka_unit_test_teardown(zero_turns_the_hook_off_and_goes_on_counting, hook_off),
        cmocka_unit_test_teardown(zalloc_gives_zeroes_and_sees_overflow, hook_off),
        cmocka_unit_test_teardown(aligned_blocks_are_aligned, hook_off),
        cmocka_unit_test_teardown(a_failed_resize_leaves_the_block, hook_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
