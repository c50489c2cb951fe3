/* SPDX-License-Identifier: MIT */
/* Failures remembered per key: how long, how many, and for which key. */
#include "resolve/failures.h"
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "dns/codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct failures failures;
static const struct answer servfail = {.rcode = RCODE_SERVFAIL};

static int setup(void **state)
{
    (void)state;
    static const uint8_t hash_key[16] = "0123456789abcde";
    hash_init_fixed(hash_key);
    return failures_init(&failures);
}

static int teardown(void **state)
{
    (void)state;
    failures_fini(&failures);
    return 0;
}

static struct key key_of(unsigned number)
{
    struct key key = {.type = TYPE_A, .class = CLASS_IN, .name_len = 9};
    snprintf((char *)key.name, sizeof key.name, "\7n%06u", number);
    return key;
}

static void note(const struct key *key, uint64_t now_ms)
{
    failures_note(&failures, key, key_hash(key), now_ms, 1, &servfail, true);
}

static bool in_force(const struct key *key, uint64_t now_ms)
{
    return failures_find(&failures, key, key_hash(key), now_ms, 1) != NULL;
}

static void length_doubles_up_to_eight_seconds(void **state)
{
    (void)state;
    static const unsigned lengths[] = {1000, 2000, 4000, 8000, 8000};
    struct key key = key_of(1);
    uint64_t now_ms = 1;
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        note(&key, now_ms);
        assert_true(in_force(&key, now_ms));
        now_ms += lengths[i];
        assert_true(in_force(&key, now_ms - 1));
        assert_false(in_force(&key, now_ms));
    }
    note(&key, now_ms + FAILURE_RECENT_MS); /* long after: the first of a new row */
    assert_false(in_force(&key, now_ms + FAILURE_RECENT_MS + FAILURE_FIRST_MS));
    failures_clear(&failures, &key, key_hash(&key));
    assert_int_equal(failures.slab.in_use, 0);
}

static void note_while_in_force_does_not_double(void **state)
{
    (void)state;
    struct key key = key_of(1);
    for (unsigned i = 0; i < 5; i++)
        note(&key, 10 + i);
    assert_false(in_force(&key, 14 + FAILURE_FIRST_MS));
}

/* The server may be the reason, not the key. */
static void one_that_may_be_the_servers_does_not_double(void **state)
{
    (void)state;
    struct key key = key_of(1);
    uint64_t now_ms = 1;
    for (unsigned i = 0; i < 5; i++) {
        failures_note(&failures, &key, key_hash(&key), now_ms, 1, &servfail, false);
        assert_true(in_force(&key, now_ms + FAILURE_FIRST_MS - 1));
        now_ms += FAILURE_FIRST_MS;
        assert_false(in_force(&key, now_ms));
    }
}

/* One hash, two keys. */
static void keys_are_compared(void **state)
{
    (void)state;
    struct key key = key_of(1), other = key_of(2);
    note(&key, 1);
    assert_null(failures_find(&failures, &other, key_hash(&key), 1, 1));
    other = key;
    other.flags = KEY_CD;
    assert_null(failures_find(&failures, &other, key_hash(&key), 1, 1));
    failures_clear(&failures, &other, key_hash(&key));
    assert_true(in_force(&key, 1));
}

static void other_epoch_ends_it(void **state)
{
    (void)state;
    struct key key = key_of(1);
    note(&key, 1);
    assert_null(failures_find(&failures, &key, key_hash(&key), 1, 2));
}

static void oldest_makes_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= FAILURES_MAX; i++) {
        struct key key = key_of(i), first = key_of(0);
        note(&key, 1);
        if (i == FAILURES_MAX - 1)
            note(&first, 1); /* updated: the second one is the oldest */
    }
    struct key first = key_of(0), second = key_of(1), third = key_of(2), last = key_of(FAILURES_MAX);
    assert_int_equal(failures.slab.in_use, FAILURES_MAX);
    assert_true(in_force(&first, 1));
    assert_false(in_force(&second, 1));
    assert_true(in_force(&third, 1));
    assert_true(in_force(&last, 1));
}

static void without_memory_nothing_is_noted(void **state)
{
    (void)state;
    struct key key = key_of(1);
    mem_fail_at(1);
    note(&key, 1);
    mem_fail_at(0);
    assert_int_equal(failures.slab.in_use, in_force(&key, 1));
    note(&key, 1);
    assert_true(in_force(&key, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(length_doubles_up_to_eight_seconds),
        TEST(note_while_in_force_does_not_double),
        TEST(one_that_may_be_the_servers_does_not_double),
        TEST(keys_are_compared),
        TEST(other_epoch_ends_it),
        TEST(oldest_makes_room),
        TEST(without_memory_nothing_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
