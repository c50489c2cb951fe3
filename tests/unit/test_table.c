/* SPDX-License-Identifier: MIT */
/* base/table: lookup by hash, growth, and failed allocations during growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include "base/mem.h"
#include "base/table.h"

enum { MANY = 5000 };
static struct table_link links[MANY];
static struct table table;

static int fresh_table(void **state)
{
    (void)state;
    mem_fail_at(0);
    return table_init(&table, 0);
}

static int end_table(void **state)
{
    (void)state;
    mem_fail_at(0);
    table_fini(&table);
    return 0;
}

/* Spreads over high and low bits; different for each i. */
static uint64_t hash_of(size_t i)
{
    return i * UINT64_C(0x9e3779b97f4a7c15);
}

static void insert_many(void)
{
    for (size_t i = 0; i < MANY; ++i)
        table_insert(&table, &links[i], hash_of(i));
}

static void assert_all_found(void)
{
    assert_int_equal(table.count, MANY);
    for (size_t i = 0; i < MANY; ++i) {
        assert_ptr_equal(table_first(&table, hash_of(i)), &links[i]);
        assert_null(table_next(&links[i]));
    }
}

static void only_inserted_links_are_found(void **state)
{
    (void)state;
    assert_null(table_first(&table, hash_of(1)));
    insert_many();
    assert_all_found();
    assert_null(table_first(&table, hash_of(MANY)));
}

static void a_hash_must_match_in_all_bits(void **state)
{
    (void)state;
    table_insert(&table, &links[0], UINT64_C(1) << 60 | 5);
    assert_null(table_first(&table, 5));
    table_insert(&table, &links[1], 5);
    assert_ptr_equal(table_first(&table, 5), &links[1]);
    assert_null(table_next(&links[1]));
    assert_ptr_equal(table_first(&table, UINT64_C(1) << 60 | 5), &links[0]);
}

static void links_with_one_hash_are_all_walked(void **state)
{
    (void)state;
    bool seen[3] = {false};
    for (size_t i = 0; i < 3; ++i)
        table_insert(&table, &links[i], 7);
    table_insert(&table, &links[3], 7 + 16);
    for (struct table_link *link = table_first(&table, 7); link; link = table_next(link)) {
        assert_in_range(link - links, 0, 2);
        assert_false(seen[link - links]);
        seen[link - links] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void removed_links_are_gone_and_the_others_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; ++i)
        table_insert(&table, &links[i], 7);
    table_remove(&table, &links[1]);
    assert_int_equal(table.count, 2);
    for (struct table_link *link = table_first(&table, 7); link; link = table_next(link))
        assert_ptr_not_equal(link, &links[1]);
    table_remove(&table, &links[0]);
    assert_ptr_equal(table_first(&table, 7), &links[2]);
    assert_null(table_next(&links[2]));
    table_remove(&table, &links[2]);
    assert_null(table_first(&table, 7));
    assert_int_equal(table.count, 0);
}

static void buckets_double_when_there_are_more_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < 16; ++i)
        table_insert(&table, &links[i], hash_of(i));
    assert_int_equal(table.mask, 15);
    table_insert(&table, &links[16], hash_of(16));
    assert_int_equal(table.mask, 31);
}

static void expected_objects_find_room_without_growth(void **state)
{
    (void)state;
    table_fini(&table);
    assert_int_equal(table_init(&table, MANY), 0);
    mem_fail_at(0);
    insert_many();
    assert_int_equal(mem_asked(), 0);
    assert_all_found();
}

static void without_memory_a_table_does_not_begin(void **state)
{
    (void)state;
    struct table other = {.count = 77};
    mem_fail_at(1);
    assert_int_equal(table_init(&other, 100), -ENOMEM);
    assert_int_equal(other.count, 77);
}

static void without_memory_for_growth_it_only_gets_slower(void **state)
{
    (void)state;
    mem_fail_every(1);
    insert_many();
    assert_int_equal(table.mask, 15);
    mem_fail_at(0);
    assert_all_found();
    table_remove(&table, &links[0]);
    table_insert(&table, &links[0], hash_of(0));
    assert_int_equal(table.mask, 31);
    assert_all_found();
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_table, end_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLE_TEST(only_inserted_links_are_found),
        TABLE_TEST(a_hash_must_match_in_all_bits),
        TABLE_TEST(links_with_one_hash_are_all_walked),
        TABLE_TEST(removed_links_are_gone_and_the_others_stay),
        TABLE_TEST(buckets_double_when_there_are_more_objects),
        TABLE_TEST(expected_objects_find_room_without_growth),
        TABLE_TEST(without_memory_a_table_does_not_begin),
        TABLE_TEST(without_memory_for_growth_it_only_gets_slower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
