/* SPDX-License-Identifier: MIT */
/* Keys: which members distinguish two keys, and which do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/codes.h"
#include "dns/key.h"

/* The memory behind the name is filled with `rest`, which must not affect the key. */
static struct key make_key(int rest)
{
    struct key key;
    memset(&key, rest, sizeof(key));
    key.group = 7;
    key.type = 1;
    key.class = 1;
    key.flags = KEY_DO;
    key.name_len = 8;
    memcpy(key.name, "\3www\2de\0", 8);
    return key;
}

static void assert_same(const struct key *a, const struct key *b)
{
    assert_true(key_equal(a, b));
    assert_int_equal(key_hash(a), key_hash(b));
}

static void assert_different(const struct key *a, const struct key *b)
{
    assert_false(key_equal(a, b));
    assert_int_not_equal(key_hash(a), key_hash(b));
}

static void test_memory_behind_the_name_does_not_count(void **state)
{
    struct key a = make_key(0), b = make_key(0xFF);
    (void)state;
    assert_same(&a, &b);
}

/* The buckets of a hash are chosen by its lower bits; a cache line holds 16. */
static void test_types_in_ordinary_use_share_a_cache_line(void **state)
{
    struct key key = make_key(0);
    uint64_t seen = 0, denial = key_hash_without_type(&key, key_hash(&key));
    (void)state;
    for (unsigned type = 0; type < KEY_TYPES_NEAR; type++) {
        key.type = (uint16_t)type;
        assert_int_equal((key_hash(&key) ^ denial) >> 4, 0);
        seen |= UINT64_C(1) << (key_hash(&key) & 15);
    }
    assert_int_equal(seen, 0xFFFF);
    key.type = TYPE_A;
    uint64_t a = key_hash(&key);
    assert_int_not_equal(a, denial);
    key.type = TYPE_AAAA;
    assert_int_not_equal(key_hash(&key), a);
    assert_int_not_equal(key_hash(&key), denial);
}

/* As many names of one type cannot fill one line, so can no name with many types. */
static void test_other_types_are_spread(void **state)
{
    struct key key = make_key(0);
    unsigned near = 0;
    uint64_t denial = key_hash_without_type(&key, key_hash(&key));
    (void)state;
    for (unsigned type = KEY_TYPES_NEAR; type <= UINT16_MAX; type++) {
        key.type = (uint16_t)type;
        near += ((key_hash(&key) ^ denial) & 0xFFFF0) == 0;
    }
    assert_in_range(near, 0, 8);
}

static void test_each_field_counts(void **state)
{
    const struct key a = make_key(0);
    struct key b = a;
    (void)state;
    b.group = 8;
    assert_different(&a, &b);
    b = a;
    b.type = 28;
    assert_different(&a, &b);
    assert_int_equal(key_hash_without_type(&a, key_hash(&a)), key_hash_without_type(&b, key_hash(&b)));
    b.type = 0;
    assert_int_equal(key_hash_without_type(&a, key_hash(&a)), key_hash(&b));
    b = a;
    b.class = 3;
    assert_different(&a, &b);
    b = a;
    b.flags = KEY_DO | KEY_CD;
    assert_false(key_equal(&a, &b));
    assert_int_equal(key_hash(&a), key_hash(&b)); /* one entry may serve both */
    b = a;
    b.name[1] = 'x';
    assert_different(&a, &b);
    b = a;
    b.name_len = 4;
    assert_different(&a, &b);
}

int main(void)
{
    static const uint8_t hash_key[16] = "0123456789abcde";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_behind_the_name_does_not_count),
        cmocka_unit_test(test_types_in_ordinary_use_share_a_cache_line),
        cmocka_unit_test(test_other_types_are_spread),
        cmocka_unit_test(test_each_field_counts),
    };
    hash_init_fixed(hash_key);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
