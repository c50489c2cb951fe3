/* SPDX-License-Identifier: MIT */
/* base/prefixmap: the longest prefix decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/prefixmap.h"

static struct prefix_value item(const char *text, uint32_t value)
{
    struct prefix_value item = {.value = value};
    assert_int_equal(prefix_parse(&item.prefix, text), 0);
    return item;
}

static uint32_t find(const struct prefix_map *map, const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(&addr, text, 53), 0);
    return prefix_map_find(map, &addr);
}

static void the_longest_prefix_decides(void **state)
{
    (void)state;
    struct prefix_value list[] = {item("192.168.0.0/16", 1), item("192.168.2.0/24", 2), item("192.168.2.128/25", 3),
                                  item("192.168.2.7", 4),    item("2001:db8::/32", 5),  item("2001:db8:0:1::/64", 6),
                                  item("10.0.0.0/8", 7),     item("255.255.255.255", 8)};
    struct prefix_map *map;
    assert_int_equal(prefix_map_new(&map, list, sizeof list / sizeof *list), 0);
    assert_int_equal(find(map, "192.168.1.255"), 1);
    assert_int_equal(find(map, "192.168.2.0"), 2);
    assert_int_equal(find(map, "192.168.2.7"), 4);
    assert_int_equal(find(map, "192.168.2.8"), 2);
    assert_int_equal(find(map, "192.168.2.127"), 2);
    assert_int_equal(find(map, "192.168.2.128"), 3);
    assert_int_equal(find(map, "192.168.3.0"), 1);
    assert_int_equal(find(map, "192.169.0.0"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "9.255.255.255"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "10.0.0.0"), 7);
    assert_int_equal(find(map, "::ffff:10.0.0.1"), 7);
    assert_int_equal(find(map, "255.255.255.255"), 8);
    assert_int_equal(find(map, "::1:0:0:0"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "2001:db8::1"), 5);
    assert_int_equal(find(map, "2001:db8:0:1::1"), 6);
    assert_int_equal(find(map, "2001:db8:0:2::"), 5);
    assert_int_equal(find(map, "2001:db9::"), PREFIX_MAP_NONE);
    assert_int_equal(find(map, "::"), PREFIX_MAP_NONE);
    prefix_map_free(map);
}

static void everything_of_a_family(void **state)
{
    (void)state;
    struct prefix_value all[] = {item("::/0", 1), item("0.0.0.0/0", 2),
                                 item("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3)};
    struct prefix_map *map;
    assert_int_equal(prefix_map_new(&map, all, 1), 0);
    assert_int_equal(find(map, "::1"), 1);
    assert_int_equal(find(map, "0.0.0.0"), PREFIX_MAP_NONE); /* ::/0 contains no IPv4 address */
    assert_int_equal(find(map, "ffff::"), 1);
    prefix_map_free(map);
    assert_int_equal(prefix_map_new(&map, all, 3), 0);
    assert_int_equal(find(map, "255.255.255.255"), 2);
    assert_int_equal(find(map, "::"), 1);
    assert_int_equal(find(map, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 3);
    prefix_map_free(map);
    assert_int_equal(prefix_map_new(&map, NULL, 0), 0);
    assert_int_equal(find(map, "10.0.0.1"), PREFIX_MAP_NONE);
    prefix_map_free(map);
}

static void equal_prefixes_and_too_little_memory(void **state)
{
    (void)state;
    struct prefix_value list[] = {item("10.0.0.0/8", 1), item("10.0.0.0/9", 2), item("10.0.0.0/8", 3)};
    struct prefix_map *map = NULL;
    assert_int_equal(prefix_map_new(&map, list, 3), -EEXIST);
    for (unsigned fails = 1; fails <= 2; fails++) {
        mem_fail_at(fails);
        assert_int_equal(prefix_map_new(&map, list, 2), -ENOMEM);
    }
    mem_fail_at(0);
    assert_null(map);
}

/* As prefix_holds. */
static uint32_t slowly(const struct prefix_value *list, size_t count, const struct addr *addr)
{
    int bits = -1;
    uint32_t value = PREFIX_MAP_NONE;
    for (size_t i = 0; i < count; i++)
        if (prefix_holds(&list[i].prefix, addr) && list[i].prefix.bits > bits) {
            bits = list[i].prefix.bits;
            value = list[i].value;
        }
    return value;
}

static void random_item(struct prefix_value *out, uint32_t value)
{
    uint8_t *bytes = out->prefix.bytes;
    bool is_ipv4 = rand() % 2;
    *out = (struct prefix_value){.prefix.bits = (uint8_t)(is_ipv4 ? 96 + rand() % 33 : rand() % 129), .value = value};
    if (is_ipv4)
        bytes[10] = bytes[11] = 0xff;
    for (unsigned i = is_ipv4 ? 96 : 0; i < out->prefix.bits; i++)
        if (rand() % 16 == 0)
            bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

static bool has_equal(const struct prefix_value *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&list[i].prefix, &list[count].prefix, sizeof list->prefix) == 0)
            return true;
    return false;
}

static void random_address(struct addr *out, const struct prefix_value *list, size_t count)
{
    uint8_t bytes[16] = {0};
    if (count > 0)
        memcpy(bytes, list[(size_t)rand() % count].prefix.bytes, sizeof bytes);
    for (int flips = rand() % 4; flips > 0; flips--)
        bytes[rand() % 16] ^= (uint8_t)(1 << rand() % 8);
    *out = (struct addr){.in6.sin6_family = AF_INET6};
    memcpy(&out->in6.sin6_addr, bytes, sizeof bytes);
}

static void random_maps_agree_with_a_slow_search(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 300; round++) {
        struct prefix_value list[40];
        size_t count = 0, most = (size_t)rand() % 40;
        struct prefix_map *map;
        for (size_t i = 0; i < most; i++) {
            random_item(&list[count], (uint32_t)i);
            count += !has_equal(list, count);
        }
        assert_int_equal(prefix_map_new(&map, list, count), 0);
        for (unsigned i = 0; i < 200; i++) {
            struct addr addr;
            random_address(&addr, list, count);
            assert_int_equal(prefix_map_find(map, &addr), slowly(list, count, &addr));
        }
        prefix_map_free(map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_decides),
        cmocka_unit_test(everything_of_a_family),
        cmocka_unit_test(equal_prefixes_and_too_little_memory),
        cmocka_unit_test(random_maps_agree_with_a_slow_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
