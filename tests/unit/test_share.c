/* SPDX-License-Identifier: MIT */
/* resolve/share: the holdings of each client network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/hash.h"
#include "base/mem.h"
#include "resolve/share.h"

enum { ITEMS = 3000 };

static struct shares shares;
static struct list_link items[ITEMS];
static unsigned taken;

static int setup(void **state)
{
    static const uint8_t key[16] = "0123456789abcde";
    (void)state;
    hash_init_fixed(key);
    taken = 0;
    return shares_init(&shares);
}

static int teardown(void **state)
{
    (void)state;
    shares_fini(&shares);
    return 0;
}

static struct share *named(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(&addr, text, 53), 0);
    return share_of(&shares, &addr);
}

/* The network takes `count` items. */
static struct share *hold(const char *text, unsigned count)
{
    struct share *share = named(text);
    assert_non_null(share);
    while (count-- > 0)
        share_take(&shares, share, SHARE_QUERIES, &items[taken++]);
    return share;
}

static void test_networks(void **state)
{
    (void)state;
    struct share *share = hold("192.0.2.1", 1);
    assert_ptr_equal(named("192.0.2.1@99"), share);
    assert_ptr_equal(named("::ffff:192.0.2.1"), share);
    assert_ptr_not_equal(named("192.0.2.2"), share);
    share = hold("2001:db8:1:200::1", 1);
    assert_ptr_equal(named("2001:db8:1:2ff:ffff::"), share);
    assert_ptr_not_equal(named("2001:db8:1:300::1"), share);
    assert_ptr_not_equal(named("2001:db8:2:200::1"), share);
    assert_ptr_not_equal(named("::c000:201"), named("192.0.2.1"));
}

static void test_the_largest_loses(void **state)
{
    (void)state;
    struct share *many = hold("192.0.2.1", 1000), *some = hold("192.0.2.2", 400), *one = hold("192.0.2.3", 1);
    assert_ptr_equal(share_largest(&shares, SHARE_QUERIES, one), many);
    assert_ptr_equal(share_largest(&shares, SHARE_QUERIES, some), many);
    assert_null(share_largest(&shares, SHARE_QUERIES, many)); /* its own next query */
    assert_null(share_largest(&shares, SHARE_LOOKUPS, one));
    assert_ptr_equal(share_oldest(many, SHARE_QUERIES), &items[0]);
    for (unsigned i = 0; i < 700; i++)
        share_give(&shares, many, SHARE_QUERIES, share_oldest(many, SHARE_QUERIES));
    assert_ptr_equal(share_oldest(many, SHARE_QUERIES), &items[700]);
    assert_ptr_equal(share_largest(&shares, SHARE_QUERIES, one), some);
}

/* Taking one from a network that has one, or one more than the new one, would only exchange their roles. */
static void test_equals_take_nothing_from_each_other(void **state)
{
    (void)state;
    struct share *first = hold("192.0.2.1", 1), *second = hold("192.0.2.2", 0);
    assert_null(share_largest(&shares, SHARE_QUERIES, second));
    hold("192.0.2.1", 1);
    assert_ptr_equal(share_largest(&shares, SHARE_QUERIES, second), first);
    hold("192.0.2.2", 1);
    assert_null(share_largest(&shares, SHARE_QUERIES, second));
}

/* The one found is at least half as large as the largest, whatever the order of events. */
static void test_any_order(void **state)
{
    static const char *const names[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"};
    struct share *all[5], *nobody = named("192.0.2.9");
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        all[i] = hold(names[i], 1);
    for (unsigned round = 0; round < 2 * ITEMS; round++) {
        struct share *share = all[random_below(5)];
        unsigned most = 0;
        if (taken < ITEMS && random_below(3) > 0)
            share_take(&shares, share, SHARE_QUERIES, &items[taken++]);
        else if (share->part[SHARE_QUERIES].count > 0)
            share_give(&shares, share, SHARE_QUERIES, share_oldest(share, SHARE_QUERIES));
        for (unsigned i = 0; i < 5; i++)
            most = all[i]->part[SHARE_QUERIES].count > most ? all[i]->part[SHARE_QUERIES].count : most;
        struct share *found = share_largest(&shares, SHARE_QUERIES, nobody);
        if (most < 2)
            assert_null(found);
        else
            assert_in_range(found->part[SHARE_QUERIES].count, (most + 1) / 2, most);
    }
}

static void test_empty_shares_are_few(void **state)
{
    (void)state;
    struct share *busy = hold("192.0.2.1", 1);
    for (unsigned i = 0; i < 10000; i++) {
        char text[32];
        snprintf(text, sizeof text, "198.51.%u.%u", i / 256, i % 256);
        struct share *share = named(text);
        share_take(&shares, share, SHARE_LOOKUPS, &items[1]);
        share_give(&shares, share, SHARE_LOOKUPS, &items[1]);
        assert_in_range(shares.slab.in_use, 1, 600);
    }
    assert_ptr_equal(named("192.0.2.1"), busy);
}

/* No share in use is freed, and the search for unused ones is not repeated for each new share. */
static void test_many_shares_in_use(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ITEMS; i++) {
        char text[32];
        snprintf(text, sizeof text, "198.51.%u.%u", i / 256, i % 256);
        hold(text, 1);
    }
    assert_int_equal(shares.slab.in_use, ITEMS);
    assert_in_range(shares.sweep_at, ITEMS, 3 * ITEMS);
}

static void test_without_memory(void **state)
{
    (void)state;
    mem_fail_every(1);
    assert_null(named("192.0.2.1"));
    mem_fail_every(0);
    assert_non_null(named("192.0.2.1"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_networks),       TEST(test_the_largest_loses),    TEST(test_equals_take_nothing_from_each_other),
        TEST(test_any_order),      TEST(test_empty_shares_are_few), TEST(test_many_shares_in_use),
        TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
