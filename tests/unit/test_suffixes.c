/* SPDX-License-Identifier: MIT */
/* The table of suffixes: the longest one is found, in whole labels, with any other suffixes in the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <errno.h>
#include "base/hash.h"
#include "base/mem.h"
#include "dns/suffixes.h"

#define SUFFIXES 64
#define NONE     UINT32_MAX

static uint8_t names[SUFFIXES][NAME_MAX_WIRE];
static struct suffix suffixes[SUFFIXES];
static size_t count;
static struct suffix_table *table;

static int setup(void **state)
{
    (void)state;
    count = 0;
    table = NULL;
    return hash_init();
}

static int teardown(void **state)
{
    (void)state;
    suffix_table_free(table);
    return 0;
}

/* The value of a suffix is its index. */
static void add(const char *text)
{
    assert_true(name_from_text(names[count], text) > 0);
    suffixes[count] = (struct suffix){names[count], (uint32_t)count};
    count++;
}

static void make(void)
{
    suffix_table_free(table);
    assert_int_equal(suffix_table_new(&table, suffixes, count), 0);
}

static uint32_t find_wire(const uint8_t *name, size_t len)
{
    uint32_t value = NONE;
    uint8_t *copy = malloc(len); /* so that a sanitizer detects reads behind the name */
    assert_non_null(copy);
    memcpy(copy, name, len);
    size_t suffix_len;
    bool found = suffix_table_find(table, copy, len, &value, &suffix_len);
    free(copy);
    assert_int_equal(found, value != NONE);
    return value;
}

static uint32_t find(const char *text)
{
    uint8_t name[NAME_MAX_WIRE];
    int len = name_from_text(name, text);
    assert_true(len > 0);
    return find_wire(name, (size_t)len);
}

static void an_empty_table_has_nothing(void **state)
{
    (void)state;
    make();
    assert_int_equal(find("."), NONE);
    assert_int_equal(find("a.b.c"), NONE);
}

static void the_longest_suffix_wins(void **state)
{
    (void)state;
    add("com");
    add("corp.example.com");
    add("a.b.corp.example.com");
    make();
    assert_int_equal(find("com"), 0);
    assert_int_equal(find("example.com"), 0);
    assert_int_equal(find("corp.example.com"), 1);
    assert_int_equal(find("b.corp.example.com"), 1);
    assert_int_equal(find("a.b.corp.example.com"), 2);
    assert_int_equal(find("x.a.b.corp.example.com"), 2);
    assert_int_equal(find("org"), NONE);
    assert_int_equal(find("."), NONE);
}

static void the_root_is_a_suffix_of_every_name(void **state)
{
    (void)state;
    add(".");
    add("example");
    make();
    assert_int_equal(find("."), 0);
    assert_int_equal(find("a.b.c"), 0);
    assert_int_equal(find("a.example"), 1);
}

static void labels_are_whole(void **state)
{
    (void)state;
    add("corp.example");
    add("\\001a");     /* its wire form ends with that of "a" but for the length */
    add("b\\004corp"); /* a label that contains bytes like another label */
    make();
    assert_int_equal(find("mycorp.example"), NONE);
    assert_int_equal(find("xcorp.example"), NONE);
    assert_int_equal(find("a"), NONE);
    assert_int_equal(find("corp"), NONE);
    assert_int_equal(find("my.corp.example"), 0);
}

static void letter_case_of_suffixes_does_not_count(void **state)
{
    static const uint8_t upper[] = "\4CoRP\7EXAMPLE";
    (void)state;
    suffixes[count++] = (struct suffix){upper, 9};
    make();
    assert_int_equal(find("a.corp.example"), 9);
    add("corp.example");
    suffix_table_free(table);
    table = NULL;
    assert_int_equal(suffix_table_new(&table, suffixes, count), -EEXIST);
}

static void the_deepest_name(void **state)
{
    char text[2 * 127 + 1] = "";
    (void)state;
    for (unsigned i = 0; i < 127; i++)
        memcpy(text + 2 * i, "a.", 3);
    add(text);
    add(text + 2 * (127 - 64));
    make();
    assert_int_equal(find(text), 0);
    assert_int_equal(find(text + 2), 1);
    assert_int_equal(find(text + 2 * (127 - 64)), 1);
    assert_int_equal(find(text + 2 * (127 - 63)), NONE);
}

static void without_memory(void **state)
{
    (void)state;
    add("example");
    for (unsigned long n = 1; n <= 3; n++) {
        mem_fail_at(n);
        assert_int_equal(suffix_table_new(&table, suffixes, count), -ENOMEM);
    }
    mem_fail_at(0);
    assert_null(table);
}

/* --- against a naive reference --- */

static unsigned below(unsigned bound)
{
    return (unsigned)rand() % bound;
}

/* Few labels of few items, so that names share suffixes; now and then a long label. */
static size_t random_name(uint8_t out[NAME_MAX_WIRE])
{
    size_t len = 0;
    for (unsigned labels = below(6); labels > 0; labels--) {
        size_t label = below(40) ? 1 : 1 + below(49);
        out[len++] = (uint8_t)label;
        for (size_t i = 0; i < label; i++)
            out[len++] = (uint8_t)(below(20) ? 'a' + below(3) : below(4));
    }
    out[len++] = 0;
    return len;
}

static uint32_t naive(const uint8_t *name, size_t len)
{
    size_t longest = 0;
    uint32_t value = NONE;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = name_len((struct bytes){names[i], NAME_MAX_WIRE});
        if (bytes > longest && name_is_under(name, len, names[i], bytes)) {
            longest = bytes;
            value = suffixes[i].value;
        }
    }
    return value;
}

static void random_suffixes(void)
{
    size_t wanted = below(SUFFIXES);
    for (count = 0; count < wanted; count++) {
        size_t len = random_name(names[count]);
        for (size_t i = 0; i < count; i++)
            if (memcmp(names[i], names[count], len) == 0)
                return; /* equal suffixes are refused */
        suffixes[count] = (struct suffix){names[count], below(1000)};
    }
}

static void it_agrees_with_a_naive_search(void **state)
{
    unsigned seed = (unsigned)time(NULL), found = 0;
    const char *given = getenv("SEED");
    uint8_t name[NAME_MAX_WIRE];
    (void)state;
    if (given)
        seed = (unsigned)atoi(given);
    print_message("SEED=%u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 2000; round++) {
        random_suffixes();
        make();
        for (unsigned i = 0; i < 50; i++) {
            size_t len = random_name(name);
            uint32_t expected = naive(name, len);
            found += expected != NONE;
            assert_int_equal(find_wire(name, len), expected);
        }
    }
    assert_in_range(found, 20000, 99000); /* a test of both misses and hits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_table_has_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_suffix_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(the_root_is_a_suffix_of_every_name, setup, teardown),
        cmocka_unit_test_setup_teardown(labels_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(letter_case_of_suffixes_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(the_deepest_name, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(it_agrees_with_a_naive_search, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
