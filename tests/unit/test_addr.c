/* SPDX-License-Identifier: MIT */
/* base/addr: which texts are accepted, how addresses are printed, which addresses a prefix holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "base/addr.h"

static struct addr parsed(const char *text)
{
    struct addr addr;
    if (addr_parse(&addr, text, 53) < 0)
        fail_msg("not accepted: %s", text);
    return addr;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    if (prefix_parse(&prefix, text) < 0)
        fail_msg("not accepted: %s", text);
    return prefix;
}

static void assert_prints(const char *text, bool with_port, const char *expected)
{
    char out[ADDR_TEXT];
    const struct addr addr = parsed(text);
    assert_string_equal(addr_format(&addr, with_port, out), expected);
}

static void addresses_are_printed_as_they_are_written(void **state)
{
    (void)state;
    assert_prints("127.0.0.1", false, "127.0.0.1");
    assert_prints("127.0.0.1", true, "127.0.0.1@53");
    assert_prints("127.0.0.1@5300", true, "127.0.0.1@5300");
    assert_prints("::1@5300", true, "::1@5300");
    assert_prints("2001:db8:0:0::1", false, "2001:db8::1");
    assert_prints("::ffff:192.0.2.1@65535", true, "::ffff:192.0.2.1@65535");
    assert_prints("::", true, "::@53");
}

static void a_zone_is_a_name_or_a_number(void **state)
{
    (void)state;
    const struct addr by_name = parsed("fe80::1%lo@853"), by_number = parsed("fe80::1%2147483647");
    struct addr resolved;
    assert_string_equal(addr_interface(&by_name), "lo");
    assert_int_equal(addr_resolve(&resolved, &by_name), 0);
    assert_int_equal(resolved.in6.sin6_scope_id, if_nametoindex("lo"));
    assert_prints("fe80::1%lo@853", true, "fe80::1%lo@853");
    assert_null(addr_interface(&by_number));
    assert_int_equal(by_number.in6.sin6_scope_id, 2147483647u);
    assert_int_equal(addr_resolve(&resolved, &by_number), 0);
    assert_prints("ff02::fb%2147483647", true, "ff02::fb%2147483647@53");
}

/* An interface may come later: its name is kept, and looked up when it is needed. */
static void the_name_of_a_missing_interface_is_kept(void **state)
{
    (void)state;
    const struct addr addr = parsed("fe80::1%no-such-if@853"), again = parsed("fe80::1%no-such-if@853");
    struct addr resolved;
    assert_true(addr_equal(&addr, &again));
    assert_prints("fe80::1%no-such-if", true, "fe80::1%no-such-if@53");
    assert_int_equal(addr_resolve(&resolved, &addr), -ENODEV);
}

static void an_interface_stands_for_its_addresses(void **state)
{
    (void)state;
    struct addr addr, other;
    char text[ADDR_TEXT];
    assert_int_equal(addr_parse_interface(&addr, "%lan0", 53), 0);
    assert_true(addr_is_interface(&addr));
    assert_false(addr_is_wildcard(&addr));
    assert_string_equal(addr_interface(&addr), "lan0");
    assert_string_equal(addr_format(&addr, true, text), "%lan0@53");
    assert_int_equal(addr_parse_interface(&other, text, 1), 0);
    assert_true(addr_equal(&addr, &other));
    assert_int_equal(addr_parse_interface(&other, "%lan0@5353", 53), 0);
    assert_int_equal(addr_port(&other), 5353);
    static const char *const wrong[] = {
        "lan0", "%", "%@53", "%a/b", "%a b", "%lan0@", "%lan0@0", "%.", "%sixteen-letters1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(addr_parse_interface(&other, wrong[i], 53), -EINVAL);
    const struct addr wildcard = parsed("::"), linklocal = parsed("fe80::1"), zoned = parsed("fe80::1%lo");
    assert_false(addr_is_interface(&wildcard));
    assert_true(addr_lacks_zone(&linklocal));
    assert_false(addr_lacks_zone(&zoned));
    assert_false(addr_lacks_zone(&wildcard));
}

static void the_longest_text_fits(void **state)
{
    (void)state;
    char out[ADDR_TEXT];
    struct addr addr = parsed("fe80:1111:2222:3333:4444:5555:6666:7777%2147483647@65535");
    assert_string_equal(addr_format(&addr, true, out), "fe80:1111:2222:3333:4444:5555:6666:7777%2147483647@65535");
}

static void garbage_is_refused_and_leaves_the_output_alone(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "@",
        "@53",
        "127.0.0.1@",
        "127.0.0.1@0",
        "127.0.0.1@65536",
        "127.0.0.1@4294967349",
        "127.0.0.1@18446744073709551669",
        "127.0.0.1@053",
        "127.0.0.1@+53",
        "127.0.0.1@-1",
        "127.0.0.1@53 ",
        "127.0.0.1@ 53",
        "127.0.0.1@53x",
        "127.0.0.1@53@53",
        "127.0.0.1:53",
        "[::1]:53",
        "[::1]",
        "[::1]@53",
        "127.0.0",
        "127.0.0.1.2",
        "127.0.0.256",
        "127.0.0.01",
        "0x7f.0.0.1",
        "2130706433",
        " 127.0.0.1",
        "127.0.0.1 ",
        "127.0.0.1/8",
        "127.0.0.1%lo",
        "localhost",
        "dns.google",
        ":",
        ":::",
        "1::2::3",
        "12345::",
        "::1%",
        "::1%lo",
        "fe80::1%",
        "fe80::1%@53",
        "fe80::1%0",
        "fe80::1%4294967296",
        "fe80::1%no such interface",
        "fe80::1%lo%lo",
        "fe80::1%2147483648",
        "fe80::1%a/b",
        "fe80::1%..",
        "fe80::1%sixteen-letters1",
        "fe80::1%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); ++i) {
        struct addr addr, before;
        memset(&addr, 0xa5, sizeof(addr));
        before = addr;
        if (addr_parse(&addr, wrong[i], 53) != -EINVAL)
            fail_msg("accepted: '%s'", wrong[i]);
        assert_memory_equal(&addr, &before, sizeof(addr));
    }
}

static void parsed_addresses_have_no_stray_bytes(void **state)
{
    (void)state;
    const struct addr addr = parsed("192.0.2.1@53");
    struct addr expected;
    memset(&expected, 0, sizeof(expected));
    expected.in.sin_family = AF_INET;
    expected.in.sin_port = htons(53);
    expected.in.sin_addr.s_addr = htonl(0xc0000201);
    assert_memory_equal(&addr, &expected, sizeof(addr));
    assert_int_equal(addr_len(&addr), sizeof(struct sockaddr_in));
    const struct addr addr6 = parsed("::1");
    assert_int_equal(addr_len(&addr6), sizeof(struct sockaddr_in6));
}

static void the_kernels_addresses_are_taken_without_padding_and_flow(void **state)
{
    (void)state;
    struct addr addr, in = parsed("192.0.2.1@53"), in6 = parsed("fe80::1%lo@53");
    const struct addr plain = in, plain6 = in6;
    memset(in.in.sin_zero, 0xff, sizeof(in.in.sin_zero));
    in6.in6.sin6_flowinfo = 7;
    assert_int_equal(addr_from_sockaddr(&addr, &in.sa), 0);
    assert_memory_equal(&addr, &plain, sizeof(addr));
    assert_int_equal(addr_from_sockaddr(&addr, &in6.sa), 0);
    assert_memory_equal(&addr, &plain6, sizeof(addr));
}

static void other_families_are_not_supported(void **state)
{
    (void)state;
    const struct sockaddr local = {.sa_family = AF_UNIX}, none = {.sa_family = AF_UNSPEC};
    struct addr addr = parsed("192.0.2.1");
    const struct addr before = addr;
    assert_int_equal(addr_from_sockaddr(&addr, &local), -EAFNOSUPPORT);
    assert_int_equal(addr_from_sockaddr(&addr, &none), -EAFNOSUPPORT);
    assert_memory_equal(&addr, &before, sizeof(addr));
}

static void a_port_can_be_set(void **state)
{
    (void)state;
    struct addr in = parsed("192.0.2.1"), in6 = parsed("2001:db8::1");
    addr_set_port(&in, 853);
    addr_set_port(&in6, 854);
    assert_int_equal(addr_port(&in), 853);
    assert_int_equal(addr_port(&in6), 854);
}

static bool same(const char *a, const char *b)
{
    const struct addr left = parsed(a), right = parsed(b);
    return addr_equal(&left, &right);
}

static void equal_means_family_address_zone_and_port(void **state)
{
    (void)state;
    assert_true(same("192.0.2.1@53", "192.0.2.1"));
    assert_false(same("192.0.2.1", "192.0.2.2"));
    assert_false(same("192.0.2.1", "192.0.2.1@54"));
    assert_false(same("192.0.2.1", "::ffff:192.0.2.1"));
    assert_true(same("fe80::1%7", "fe80::1%7"));
    assert_false(same("fe80::1%7", "fe80::1%8"));
    assert_false(same("fe80::1%7", "fe80::2%7"));
    assert_false(same("fe80::1%7", "fe80::1%7@54"));
}

static void loopback_is_127_slash_8_and_1(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"};
    static const char *const no[] = {"128.0.0.1", "::", "::2", "::ffff:1.2.3.127", "0.0.0.0", "7f00::1"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); ++i)
        assert_true(addr_is_loopback(&(struct addr){.in6 = parsed(yes[i]).in6}));
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); ++i)
        assert_false(addr_is_loopback(&(struct addr){.in6 = parsed(no[i]).in6}));
}

static void wildcard_is_all_zero(void **state)
{
    (void)state;
    static const char *const yes[] = {"0.0.0.0", "::", "::ffff:0.0.0.0"};
    static const char *const no[] = {"0.0.0.1", "::1", "::ffff:0.0.0.1", "1::"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); ++i)
        assert_true(addr_is_wildcard(&(struct addr){.in6 = parsed(yes[i]).in6}));
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); ++i)
        assert_false(addr_is_wildcard(&(struct addr){.in6 = parsed(no[i]).in6}));
}

static bool holds(const char *prefix_text, const char *addr_text)
{
    const struct prefix prefix = prefix_of(prefix_text);
    const struct addr addr = parsed(addr_text);
    return prefix_holds(&prefix, &addr);
}

static void a_prefix_holds_addresses_that_share_its_bits(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "10.255.255.255"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("172.16.0.0/12", "172.31.255.255"));
    assert_false(holds("172.16.0.0/12", "172.32.0.0"));
    assert_false(holds("172.16.0.0/12", "172.15.255.255"));
    assert_true(holds("192.0.2.1", "192.0.2.1@7"));
    assert_false(holds("192.0.2.1", "192.0.2.0"));
    assert_false(holds("192.0.2.1/32", "192.0.2.3"));
    assert_true(holds("2001:db8::/33", "2001:db8:7fff::"));
    assert_false(holds("2001:db8::/33", "2001:db8:8000::"));
    assert_true(holds("::1", "::1"));
    assert_false(holds("::1", "::"));
    assert_true(holds("fe80::/10", "fe80::1%lo"));
}

static void mapped_ipv6_counts_as_ipv4(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_false(holds("10.0.0.0/8", "::10.1.2.3"));
}

static void some_prefixes_hold_loopback_addresses_only(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.0/8", "127.0.0.1", "127.255.0.0/16", "::1", "::ffff:127.0.0.0/104"};
    static const char *const others[] = {"0.0.0.0/0", "126.0.0.0/7", "128.0.0.0/8", "::/0",         "::/127",
                                         "::2",       "::",          "10.0.0.1",    "::ffff:0:0/96"};
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++) {
        struct prefix prefix = prefix_of(loopback[i]);
        assert_true(prefix_is_loopback(&prefix));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct prefix prefix = prefix_of(others[i]);
        assert_false(prefix_is_loopback(&prefix));
    }
}

static void a_prefix_of_length_0_holds_one_family_only(void **state)
{
    (void)state;
    assert_true(holds("0.0.0.0/0", "255.1.2.3"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
    assert_true(holds("::/0", "2001:db8::1"));
    assert_true(holds("::/0", "ffff::"));
    assert_false(holds("::/0", "192.0.2.1"));
    assert_false(holds("::/0", "::ffff:192.0.2.1"));
}

static void garbled_prefixes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.1/8",
        "11.0.0.0/7",
        "::1/127",
        "::/129",
        "2001:db9::/31",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10/8",
        "10.0.0.0/-8",
        "10.0.0.0/8/8",
        "10.0.0.0@53",
        "fe80::%lo/10",
        "fe80::/10%lo",
        "10.0.0.0/255.0.0.0",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); ++i) {
        struct prefix prefix, before;
        memset(&prefix, 0xa5, sizeof(prefix));
        before = prefix;
        if (prefix_parse(&prefix, wrong[i]) != -EINVAL)
            fail_msg("accepted: '%s'", wrong[i]);
        assert_memory_equal(&prefix, &before, sizeof(prefix));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_printed_as_they_are_written),
        cmocka_unit_test(a_zone_is_a_name_or_a_number),
        cmocka_unit_test(the_name_of_a_missing_interface_is_kept),
        cmocka_unit_test(an_interface_stands_for_its_addresses),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(garbage_is_refused_and_leaves_the_output_alone),
        cmocka_unit_test(parsed_addresses_have_no_stray_bytes),
        cmocka_unit_test(the_kernels_addresses_are_taken_without_padding_and_flow),
        cmocka_unit_test(other_families_are_not_supported),
        cmocka_unit_test(a_port_can_be_set),
        cmocka_unit_test(equal_means_family_address_zone_and_port),
        cmocka_unit_test(loopback_is_127_slash_8_and_1),
        cmocka_unit_test(wildcard_is_all_zero),
        cmocka_unit_test(a_prefix_holds_addresses_that_share_its_bits),
        cmocka_unit_test(mapped_ipv6_counts_as_ipv4),
        cmocka_unit_test(some_prefixes_hold_loopback_addresses_only),
        cmocka_unit_test(a_prefix_of_length_0_holds_one_family_only),
        cmocka_unit_test(garbled_prefixes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
