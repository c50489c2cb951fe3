/* SPDX-License-Identifier: MIT */
#include "store/flushes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define SKEW FLUSHES_SKEW_MS

static struct flushes flushes;

static int begin(void **state)
{
    (void)state;
    memset(&flushes, 0, sizeof flushes);
    return 0;
}

static struct store_flush flush_of(const char *name, bool below, int64_t at_ms)
{
    struct store_flush flush = {.at_ms = at_ms, .below = below};
    flush.len = (uint8_t)name_from_text(flush.name, name);
    return flush;
}

static bool add(const char *name, bool below, int64_t at_ms)
{
    struct store_flush flush = flush_of(name, below, at_ms);
    return flushes_add(&flushes, &flush);
}

static bool excludes(const char *name, int64_t sealed_ms)
{
    uint8_t wire[MESSAGE_HEADER + NAME_MAX_WIRE + 4] = {0, 0, 0x81, 0x80, 0, 1};
    struct answer answer = {.wire = wire};
    struct key key = {.type = 1, .class = 1};
    key.name_len = (uint8_t)name_from_text(key.name, name);
    memcpy(wire + MESSAGE_HEADER, key.name, key.name_len);
    return flushes_exclude(&flushes, &key, &answer, sealed_ms);
}

static void excludes_a_name_and_what_is_below(void **state)
{
    (void)state;
    assert_false(excludes("a.example", 0));
    assert_true(add("a.example", false, 1000));
    assert_true(add("zone.example", true, 2000));
    assert_true(excludes("a.example", 1000 + SKEW - 1));
    assert_false(excludes("a.example", 1000 + SKEW));
    assert_false(excludes("b.a.example", 1000));
    assert_false(excludes("xa.example", 1000));
    assert_true(excludes("zone.example", 2000 + SKEW - 1));
    assert_true(excludes("b.a.zone.example", 2000 + SKEW - 1));
    assert_false(excludes("xzone.example", 2000));
    assert_false(excludes("example", 2000));
    assert_false(excludes("b.zone.example", 2000 + SKEW));
}

static void everything(void **state)
{
    (void)state;
    assert_true(add(".", true, 1000));
    assert_true(excludes("a.example", 999 + SKEW));
    assert_true(excludes(".", 999 + SKEW));
    assert_false(excludes("a.example", 1000 + SKEW));
}

static void knows_what_it_has_heard(void **state)
{
    (void)state;
    assert_true(add("a.example", false, 1000));
    assert_true(add("b.example", false, 1000));
    assert_true(add("a.example", true, 1000));
    assert_true(add("a.example", false, 1001));
    assert_true(add("a.example", false, 10));
    assert_false(add("a.example", false, 1000));
    assert_false(add("b.example", false, 1000));
    assert_false(add("a.example", true, 1000));
    assert_false(add("a.example", false, 10));
    assert_int_equal(flushes.count, 5);
    for (unsigned i = 1; i < flushes.count; i++)
        assert_true(flushes.flush[i - 1].at_ms <= flushes.flush[i].at_ms);
}

/* In whatever order they come, nothing that was flushed is ever used. */
static void a_full_list_excludes_more_never_less(void **state)
{
    (void)state;
    enum { NUMBER = FLUSHES_MOST * 3 };
    char name[32];
    for (unsigned i = 0; i < NUMBER; i++) {
        unsigned which = i * 331 % NUMBER; /* no common factor */
        snprintf(name, sizeof name, "n%u.example", which);
        (void)add(name, false, (int64_t)(which + 1) * 100000);
        assert_true(flushes.count <= FLUSHES_MOST);
    }
    for (unsigned i = 0; i < NUMBER; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        assert_true(excludes(name, (int64_t)(i + 1) * 100000 + SKEW - 1));
    }
    assert_false(excludes("n0.example", (int64_t)NUMBER * 100000));
    assert_true(excludes("other.example", 1));
    assert_false(excludes("other.example", (int64_t)(NUMBER - FLUSHES_MOST + 1) * 100000));
}

static void before_a_time(void **state)
{
    (void)state;
    flushes_add_all(&flushes, 5000 + SKEW);
    flushes_add_all(&flushes, 10);
    assert_true(excludes("a.example", 4999 + SKEW));
    assert_false(excludes("a.example", 5000 + SKEW));
    assert_false(add("a.example", false, 5000)); /* it would change nothing */
    assert_int_equal(flushes.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(excludes_a_name_and_what_is_below, begin),
        cmocka_unit_test_setup(everything, begin),
        cmocka_unit_test_setup(knows_what_it_has_heard, begin),
        cmocka_unit_test_setup(a_full_list_excludes_more_never_less, begin),
        cmocka_unit_test_setup(before_a_time, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
