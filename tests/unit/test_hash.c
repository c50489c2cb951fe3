/* SPDX-License-Identifier: MIT */
/* base/hash: the key, SipHash's published vector, and random numbers (sodium_init is replaced by the linker).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>
#include "base/hash.h"

static bool randomness_missing;

int __real_sodium_init(void);
int __wrap_sodium_init(void);
int __wrap_sodium_init(void)
{
    return randomness_missing ? -1 : __real_sodium_init();
}

/* Must be the first test: a process has one key. */
static void without_randomness_there_is_no_key(void **state)
{
    (void)state;
    randomness_missing = true;
    assert_true(hash_init() < 0);
    assert_true(hash_init() < 0);
    randomness_missing = false;
    assert_int_equal(hash_init(), 0);
}

static void the_key_is_made_once_and_is_not_zero(void **state)
{
    (void)state;
    static const uint8_t zeroes[16];
    assert_int_equal(hash_init(), 0);
    const uint64_t first = hash_bytes("abc", 3);
    assert_int_equal(hash_init(), 0);
    assert_true(hash_bytes("abc", 3) == first);
    hash_init_fixed(zeroes);
    assert_true(hash_bytes("abc", 3) != first);
}

/* The vector of the SipHash paper, appendix A. */
static void it_is_siphash_2_4(void **state)
{
    (void)state;
    static const uint8_t expected[8] = {0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1};
    uint8_t key[16], message[15];
    for (uint8_t i = 0; i < 16; ++i)
        key[i] = i;
    memcpy(message, key, sizeof(message));
    hash_init_fixed(key);
    const uint64_t hash = hash_bytes(message, sizeof(message));
    assert_memory_equal(&hash, expected, sizeof(hash));
}

/* The vectors of its reference implementation for the empty message and for 15 bytes. */
static void a_wide_hash_is_siphash_2_4_128(void **state)
{
    (void)state;
    static const uint8_t of_nothing[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                           0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    static const uint8_t of_15_bytes[16] = {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11,
                                            0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9};
    uint8_t key[16];
    for (uint8_t i = 0; i < 16; ++i)
        key[i] = i;
    hash_init_fixed(key);
    struct wide_hash hash = hash_wide("", 0);
    assert_memory_equal(&hash, of_nothing, sizeof hash);
    hash = hash_wide(key, 15);
    assert_memory_equal(&hash, of_15_bytes, sizeof hash);
}

static void random_numbers_stay_below_their_bound_and_reach_all(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (int i = 0; i < 1000; ++i) {
        const uint32_t drawn = random_below(10);
        assert_in_range(drawn, 0, 9);
        seen |= 1u << drawn;
    }
    assert_int_equal(seen, (1u << 10) - 1);
    assert_int_equal(random_below(1), 0);
}

static void bound_0_is_the_whole_range(void **state)
{
    (void)state;
    uint32_t set = 0, clear = UINT32_MAX;
    for (int i = 0; i < 200; ++i) {
        const uint32_t drawn = random_below(0);
        set |= drawn;
        clear &= drawn;
    }
    assert_true(set == UINT32_MAX && clear == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_randomness_there_is_no_key),
        cmocka_unit_test(the_key_is_made_once_and_is_not_zero),
        cmocka_unit_test(it_is_siphash_2_4),
        cmocka_unit_test(a_wide_hash_is_siphash_2_4_128),
        cmocka_unit_test(random_numbers_stay_below_their_bound_and_reach_all),
        cmocka_unit_test(bound_0_is_the_whole_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
