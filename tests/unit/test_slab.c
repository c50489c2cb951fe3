/* SPDX-License-Identifier: MIT */
/* base/slab: zeroed objects, a hard limit, and memory that is returned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/slab.h"

enum { OBJECT_SIZE = 1000, MANY = 1000 };
static void *objects[MANY];
static struct slab slab;

static int fresh_slab(void **state)
{
    (void)state;
    slab_init(&slab, OBJECT_SIZE, OBJECT_SIZE, MANY);
    mem_fail_at(0);
    return 0;
}

static int end_slab(void **state)
{
    (void)state;
    mem_fail_at(0);
    slab_fini(&slab);
    return 0;
}

static void take_many(size_t from, size_t to)
{
    for (size_t i = from; i < to; ++i) {
        objects[i] = slab_take(&slab);
        assert_non_null(objects[i]);
    }
}

static void give_many(size_t from, size_t to)
{
    for (size_t i = from; i < to; ++i)
        slab_give(&slab, objects[i]);
}

static size_t list_count(const struct list *list)
{
    size_t count = 0;
    list_for_each(link, list)
        ++count;
    return count;
}

static size_t chunks(void)
{
    return list_count(&slab.with_room) + list_count(&slab.full);
}

static void objects_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    take_many(0, MANY);
    for (size_t i = 0; i < MANY; ++i) {
        assert_int_equal((uintptr_t)objects[i] % 16, 0);
        memset(objects[i], (int)(i % 251), OBJECT_SIZE);
    }
    for (size_t i = 0; i < MANY; ++i) {
        const uint8_t *bytes = objects[i];
        for (size_t j = 0; j < OBJECT_SIZE; ++j)
            assert_int_equal(bytes[j], i % 251);
    }
}

static void a_used_object_comes_back_zeroed(void **state)
{
    (void)state;
    static const uint8_t zeroes[OBJECT_SIZE];
    void *first = slab_take(&slab);
    assert_memory_equal(first, zeroes, OBJECT_SIZE);
    memset(first, 0xff, OBJECT_SIZE);
    slab_give(&slab, first);
    void *second = slab_take(&slab);
    assert_ptr_equal(second, first);
    assert_memory_equal(second, zeroes, OBJECT_SIZE);
}

static void only_the_first_bytes_are_zeroed(void **state)
{
    (void)state;
    static const uint8_t zeroes[100];
    slab_fini(&slab);
    slab_init(&slab, OBJECT_SIZE, sizeof zeroes, MANY);
    uint8_t *object = slab_take(&slab);
    memset(object, 0xff, OBJECT_SIZE);
    slab_give(&slab, object);
    assert_ptr_equal(slab_take(&slab), object);
    assert_memory_equal(object, zeroes, sizeof zeroes);
    assert_int_equal(object[sizeof zeroes], 0xff);
    slab_give(&slab, object);
}

static void the_limit_is_a_limit(void **state)
{
    (void)state;
    take_many(0, MANY);
    assert_null(slab_take(&slab));
    assert_int_equal(slab.in_use, MANY);
    slab_give(&slab, objects[0]);
    take_many(0, 1);
    assert_null(slab_take(&slab));
}

static void without_memory_there_is_no_object_but_later_there_is(void **state)
{
    (void)state;
    mem_fail_at(1);
    assert_null(slab_take(&slab));
    assert_int_equal(slab.in_use, 0);
    take_many(0, slab.per_chunk);
    mem_fail_at(1);
    assert_null(slab_take(&slab));
    assert_int_equal(slab.in_use, slab.per_chunk);
    take_many(slab.per_chunk, slab.per_chunk + 1);
}

static void a_steady_load_does_not_allocate(void **state)
{
    (void)state;
    take_many(0, slab.per_chunk);
    take_many(slab.per_chunk, slab.per_chunk + 1);
    mem_fail_at(0);
    for (int i = 0; i < 1000; ++i) {
        slab_give(&slab, objects[slab.per_chunk]);
        take_many(slab.per_chunk, slab.per_chunk + 1);
    }
    give_many(0, slab.per_chunk + 1);
    take_many(0, 1);
    assert_int_equal(mem_asked(), 0);
}

static void empty_chunks_beyond_the_spare_ones_are_freed(void **state)
{
    (void)state;
    take_many(0, MANY);
    assert_int_equal(chunks(), (MANY + slab.per_chunk - 1) / slab.per_chunk);
    give_many(0, MANY);
    assert_int_equal(slab.in_use, 0);
    assert_int_equal(slab.empty_chunks, SLAB_SPARE_CHUNKS);
    assert_int_equal(chunks(), SLAB_SPARE_CHUNKS);
}

static void the_empty_chunk_is_used_last(void **state)
{
    (void)state;
    take_many(0, 2 * slab.per_chunk);
    slab_give(&slab, objects[slab.per_chunk]);
    give_many(0, slab.per_chunk);
    void *again = slab_take(&slab);
    assert_ptr_equal(again, objects[slab.per_chunk]);
    assert_int_equal(slab.empty_chunks, 1);
}

/* Objects freed in an order that leaves every chunk partly used must all be found again. */
static void scattered_room_is_found_again(void **state)
{
    (void)state;
    take_many(0, MANY);
    const size_t before = chunks();
    for (size_t i = 0; i < MANY; i += 3)
        slab_give(&slab, objects[i]);
    for (size_t i = 0; i < MANY; i += 3)
        take_many(i, i + 1);
    assert_int_equal(chunks(), before);
    assert_int_equal(list_count(&slab.with_room), MANY % slab.per_chunk ? 1 : 0);
}

static void the_largest_object_has_a_chunk_of_its_own(void **state)
{
    (void)state;
    slab_init(&slab, 60 * 1024, 60 * 1024, 3);
    assert_int_equal(slab.per_chunk, 1);
    take_many(0, 3);
    for (int i = 0; i < 3; ++i)
        memset(objects[i], 0xff, 60 * 1024);
    assert_null(slab_take(&slab));
    give_many(0, 3);
    assert_int_equal(chunks(), 3);
    take_many(0, 3);
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The memory must be released wherever the C library put the chunks: after it has freed a large block it takes
 * chunks from the heap (mallopt(3), M_MMAP_THRESHOLD), and a block above them keeps the heap from shrinking. */
static void memory_of_a_burst_returns_to_the_system(void **state)
{
    (void)state;
    enum { FLOOD = 16 * 1024 };
    static void *flood[FLOOD];
    void *volatile large = mem_alloc((size_t)4 * 1024 * 1024);
    mem_free(large);
    slab_init(&slab, 1024, 1024, FLOOD);
    for (size_t i = 0; i < FLOOD; ++i) {
        flood[i] = slab_take(&slab);
        assert_non_null(flood[i]);
    }
    void *above = mem_alloc((size_t)2 * 1024 * 1024);
    const size_t high = resident_bytes();
    for (size_t i = 0; i < FLOOD; ++i)
        slab_give(&slab, flood[i]);
    const size_t low = resident_bytes();
    mem_free(above);
    assert_true(high > low && high - low > (size_t)FLOOD * 1024 * 3 / 4);
}

#define SLAB_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_slab, end_slab)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLAB_TEST(objects_are_aligned_and_do_not_overlap),
        SLAB_TEST(a_used_object_comes_back_zeroed),
        SLAB_TEST(only_the_first_bytes_are_zeroed),
        SLAB_TEST(the_limit_is_a_limit),
        SLAB_TEST(without_memory_there_is_no_object_but_later_there_is),
        SLAB_TEST(a_steady_load_does_not_allocate),
        SLAB_TEST(empty_chunks_beyond_the_spare_ones_are_freed),
        SLAB_TEST(the_empty_chunk_is_used_last),
        SLAB_TEST(scattered_room_is_found_again),
        SLAB_TEST(the_largest_object_has_a_chunk_of_its_own),
        SLAB_TEST(memory_of_a_burst_returns_to_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
