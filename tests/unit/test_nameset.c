/* SPDX-License-Identifier: MIT */
/* Sets of names by hash: members and others, merged values, depths, bytes a name, filters, exhausted memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/mem.h"
#include "dns/nameset.h"

static const uint8_t key[16] = "a test's own key";

static size_t name_of(uint8_t out[NAME_MAX_WIRE], const char *text)
{
    int len = name_from_text(out, text);
    assert_true(len > 0);
    return (size_t)len;
}

static size_t numbered(uint8_t out[NAME_MAX_WIRE], char initial, unsigned i)
{
    char text[64];
    snprintf(text, sizeof text, "%c%u.example", initial, i);
    return name_of(out, text);
}

static uint8_t keep_first(uint8_t a, uint8_t b)
{
    (void)b;
    return a;
}

static uint8_t join(uint8_t a, uint8_t b)
{
    return a | b;
}

static void add(struct name_set_builder *builder, const char *text, uint8_t value)
{
    uint8_t name[NAME_MAX_WIRE];
    size_t len = name_of(name, text);
    assert_int_equal(name_set_add(builder, name, len, value), 0);
}

static uint8_t value_of(const struct name_set *set, const char *text)
{
    uint8_t name[NAME_MAX_WIRE];
    size_t len = name_of(name, text);
    return name_set_find(set, hash_wide(name, len));
}

static void test_members(void **state)
{
    (void)state;
    struct name_set_builder builder = {.limit = 0};
    struct name_set set;
    add(&builder, "ads.example", 1);
    add(&builder, "Tracker.Example", 0x81);
    add(&builder, "example", 3);
    assert_int_equal(name_set_build(&set, &builder, keep_first), 0);
    assert_int_equal(set.count, 3);
    assert_int_equal(value_of(&set, "ads.example"), 1);
    assert_int_equal(value_of(&set, "tracker.example"), 0x81);
    assert_int_equal(value_of(&set, "example"), 3);
    assert_int_equal(value_of(&set, "www.ads.example"), 0);
    assert_int_equal(value_of(&set, "."), 0);
    name_set_free(&set);
}

static void test_equal_names_are_one_entry(void **state)
{
    (void)state;
    struct name_set_builder builder = {.limit = 0};
    struct name_set set;
    for (unsigned i = 0; i < 300; i++) {
        add(&builder, "a.example", 1);
        add(&builder, "b.example", (uint8_t)(i % 2 ? 0x10 : 0x02));
    }
    assert_int_equal(name_set_build(&set, &builder, join), 0);
    assert_int_equal(set.count, 2);
    assert_int_equal(value_of(&set, "a.example"), 1);
    assert_int_equal(value_of(&set, "b.example"), 0x12);
    assert_null(builder.items);
    name_set_free(&set);
}

static void test_depths(void **state)
{
    (void)state;
    struct name_set_builder builder = {.limit = 0};
    struct name_set set, empty;
    struct name_filter filter;
    add(&builder, ".", 1);
    add(&builder, "a.b.c", 1);
    assert_int_equal(name_set_build(&set, &builder, keep_first), 0);
    assert_int_equal(name_set_build(&empty, &builder, keep_first), 0);
    assert_int_equal(empty.count, 0);
    assert_int_equal(value_of(&empty, "a.b.c"), 0);
    const struct name_set *sets[] = {&set, &empty};
    assert_int_equal(name_filter_new(&filter, sets, 2), 0);
    for (unsigned labels = 0; labels < 128; labels++)
        assert_int_equal(name_depths_hold(&filter.depths, labels), labels == 0 || labels == 3);
    name_filter_free(&filter);
    assert_int_equal(name_filter_new(&filter, sets + 1, 1), 0);
    assert_null(filter.words);
    assert_false(name_depths_hold(&filter.depths, 1));
    name_set_free(&set);
    name_set_free(&empty);
}

static void test_limit(void **state)
{
    (void)state;
    struct name_set_builder builder = {.limit = 2};
    uint8_t name[NAME_MAX_WIRE];
    size_t len = name_of(name, "c.example");
    add(&builder, "a.example", 1);
    add(&builder, "b.example", 1);
    assert_int_equal(name_set_add(&builder, name, len, 1), -ENOSPC);
    name_set_drop(&builder);
    assert_int_equal(builder.limit, 2);
}

/* The budget is 12 bytes a name with the filter. */
static void test_bytes_a_name(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    struct name_set_builder builder = {.limit = 0};
    uint8_t name[NAME_MAX_WIRE];
    struct name_set set;
    struct name_filter filter;
    for (unsigned i = 0; i < MANY; i++) {
        size_t len = numbered(name, 'n', i);
        assert_int_equal(name_set_add(&builder, name, len, 0x11), 0);
    }
    assert_int_equal(name_set_build(&set, &builder, keep_first), 0);
    const struct name_set *sets[] = {&set};
    assert_int_equal(name_filter_new(&filter, sets, 1), 0);
    assert_int_equal(set.count, MANY);
    size_t bytes = name_set_size(&set) + name_filter_size(&filter);
    print_message("%.2f bytes a name\n", (double)bytes / MANY);
    assert_true(bytes < 12 * (size_t)MANY);
    unsigned passed = 0, found = 0;
    for (unsigned i = 0; i < MANY; i += 7) {
        size_t len = numbered(name, 'n', i);
        struct wide_hash hash = hash_wide(name, len);
        assert_true(name_filter_passes(&filter, hash.first));
        assert_int_equal(name_set_find(&set, hash), 0x11);
        len = numbered(name, 'm', i);
        hash = hash_wide(name, len);
        passed += name_filter_passes(&filter, hash.first);
        found += name_set_find(&set, hash) != 0;
    }
    print_message("%.1f %% of other names pass the filter\n", 100.0 * passed / (MANY / 7));
    assert_true(passed < MANY / 7 / 16);
    assert_int_equal(found, 0);
    name_set_free(&set);
    name_filter_free(&filter);
}

static void test_memory(void **state)
{
    (void)state;
    uint8_t name[NAME_MAX_WIRE];
    size_t len = name_of(name, "ads.example");
    for (unsigned long n = 1;; n++) {
        struct name_set_builder builder = {.limit = 0};
        struct name_set set = {.count = 0};
        struct name_filter filter = {.words = NULL};
        const struct name_set *sets[] = {&set};
        mem_fail_at(n);
        int status = name_set_add(&builder, name, len, 1);
        if (status == 0)
            status = name_set_build(&set, &builder, keep_first);
        if (status == 0)
            status = name_filter_new(&filter, sets, 1);
        mem_fail_at(0);
        name_set_drop(&builder);
        name_filter_free(&filter);
        name_set_free(&set);
        if (status == 0)
            break;
        assert_int_equal(status, -ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members), cmocka_unit_test(test_equal_names_are_one_entry),
        cmocka_unit_test(test_depths),  cmocka_unit_test(test_limit),
        cmocka_unit_test(test_memory),  cmocka_unit_test(test_bytes_a_name),
    };
    hash_init_fixed(key);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
