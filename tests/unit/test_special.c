/* SPDX-License-Identifier: MIT */
/* Special-use names: which names are answered locally, with which data, and similar names that are forwarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "policy/steps.h"

#define REVERSED_1 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."
#define REVERSED_0 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."
#define SOA_REST   " nobody.invalid. 1 3600 1200 604800 10800\n"

static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_special, &step_pass, NULL};

/* Top-level names that do not exist. */
static const char *const absent[] = {"invalid.", "test.", "local.", "onion.", "alt.", "internal."};

/* Empty zones. */
static const char *const empty[] = {
    "home.arpa.",
    "service.arpa.",
    "0.in-addr.arpa.",
    "10.in-addr.arpa.",
    "254.169.in-addr.arpa.",
    "168.192.in-addr.arpa.",
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "255.255.255.255.in-addr.arpa.",
    "16.172.in-addr.arpa.",
    "17.172.in-addr.arpa.",
    "30.172.in-addr.arpa.",
    "31.172.in-addr.arpa.",
    "64.100.in-addr.arpa.",
    "99.100.in-addr.arpa.",
    "100.100.in-addr.arpa.",
    "127.100.in-addr.arpa.",
    REVERSED_0,
    "d.f.ip6.arpa.",
    "8.e.f.ip6.arpa.",
    "9.e.f.ip6.arpa.",
    "a.e.f.ip6.arpa.",
    "b.e.f.ip6.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
};

static const uint16_t types[] = {TYPE_A, TYPE_NS, TYPE_SOA, TYPE_PTR, TYPE_TXT, TYPE_AAAA, TYPE_SVCB, TYPE_DS, 65280};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

static void expect_no_data(struct asker *asker, uint16_t rcode, const char *soa_owner)
{
    char soa[512];
    snprintf(soa, sizeof soa, "%s 10800 IN SOA %s" SOA_REST, soa_owner, soa_owner);
    assert_true(asker_was_answered(asker, rcode));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "");
    assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY), soa);
}

/* One record, with `rest` after the query's name and the TTL. */
static void expect_record(struct asker *asker, const char *name, const char *rest)
{
    char record[512];
    snprintf(record, sizeof record, "%s 10800 IN %s\n", name, rest);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), record);
    assert_string_equal(asker_section(asker, LDNS_SECTION_AUTHORITY), "");
}

static void expect_passed(struct asker *asker, const char *name, uint16_t type)
{
    asker_ask(asker, name, type);
    if (asker->passed != 1 || asker->replies)
        fail_msg("%s %u did not go on", name, type);
}

static const char *below(const char *labels, const char *zone)
{
    static char name[256];
    snprintf(name, sizeof name, "%s.%s", labels, zone);
    return name;
}

static void test_names_at_the_top_that_do_not_exist(void **state)
{
    for (size_t i = 0; i < COUNT(absent); i++) {
        for (size_t t = 0; t < COUNT(types); t++) {
            if (types[t] != TYPE_DS) {
                asker_ask(*state, absent[i], types[t]);
                expect_no_data(*state, RCODE_NXDOMAIN, absent[i]);
            }
            asker_ask(*state, below("www.example", absent[i]), types[t]);
            expect_no_data(*state, RCODE_NXDOMAIN, absent[i]);
        }
    }
}

static void test_below_an_empty_zone_nothing_exists(void **state)
{
    for (size_t i = 0; i < COUNT(empty); i++) {
        for (size_t t = 0; t < COUNT(types); t++) {
            asker_ask(*state, below("1", empty[i]), types[t]);
            expect_no_data(*state, RCODE_NXDOMAIN, empty[i]);
            asker_ask(*state, below("1.2.www", empty[i]), types[t]);
            expect_no_data(*state, RCODE_NXDOMAIN, empty[i]);
        }
    }
}

static void test_the_apex_of_an_empty_zone_has_soa_and_ns(void **state)
{
    char rest[256];
    for (size_t i = 0; i < COUNT(empty); i++) {
        asker_ask(*state, empty[i], TYPE_SOA);
        snprintf(rest, sizeof rest, "SOA %s nobody.invalid. 1 3600 1200 604800 10800", empty[i]);
        expect_record(*state, empty[i], rest);
        asker_ask(*state, empty[i], TYPE_NS);
        snprintf(rest, sizeof rest, "NS %s", empty[i]);
        expect_record(*state, empty[i], rest);
        asker_ask(*state, empty[i], TYPE_PTR);
        expect_no_data(*state, RCODE_NOERROR, empty[i]);
        asker_ask(*state, empty[i], TYPE_A);
        expect_no_data(*state, RCODE_NOERROR, empty[i]);
    }
}

static void test_the_parent_of_a_zone_has_its_ds(void **state)
{
    static const char *const others[] = {"localhost.", "resolver.arpa.", "127.in-addr.arpa.", REVERSED_1};
    for (size_t i = 0; i < COUNT(empty); i++)
        expect_passed(*state, empty[i], TYPE_DS);
    for (size_t i = 0; i < COUNT(absent); i++)
        expect_passed(*state, absent[i], TYPE_DS);
    for (size_t i = 0; i < COUNT(others); i++) {
        expect_passed(*state, others[i], TYPE_DS);
        asker_ask(*state, below("x", others[i]), TYPE_DS);
        assert_int_equal(((struct asker *)*state)->passed, 0);
    }
}

static void test_localhost_and_all_below_is_this_machine(void **state)
{
    static const char *const names[] = {"localhost.", "www.localhost.", "a.b.c.localhost."};
    for (size_t i = 0; i < COUNT(names); i++) {
        asker_ask(*state, names[i], TYPE_A);
        expect_record(*state, names[i], "A 127.0.0.1");
        asker_ask(*state, names[i], TYPE_AAAA);
        expect_record(*state, names[i], "AAAA ::1");
        asker_ask(*state, names[i], TYPE_PTR);
        expect_no_data(*state, RCODE_NOERROR, "localhost.");
        asker_ask(*state, names[i], TYPE_TXT);
        expect_no_data(*state, RCODE_NOERROR, "localhost.");
    }
    asker_ask(*state, "localhost.", TYPE_SOA);
    expect_record(*state, "localhost.", "SOA localhost. nobody.invalid. 1 3600 1200 604800 10800");
    asker_ask(*state, "localhost.", TYPE_NS);
    expect_record(*state, "localhost.", "NS localhost.");
    asker_ask(*state, "www.localhost.", TYPE_NS);
    expect_no_data(*state, RCODE_NOERROR, "localhost.");
}

static void test_the_loopback_addresses_are_localhost(void **state)
{
    asker_ask(*state, "1.0.0.127.in-addr.arpa.", TYPE_PTR);
    expect_record(*state, "1.0.0.127.in-addr.arpa.", "PTR localhost.");
    asker_ask(*state, REVERSED_1, TYPE_PTR);
    expect_record(*state, REVERSED_1, "PTR localhost.");
    asker_ask(*state, REVERSED_1, TYPE_SOA);
    expect_record(*state, REVERSED_1, "SOA " REVERSED_1 " nobody.invalid. 1 3600 1200 604800 10800");
    asker_ask(*state, REVERSED_1, TYPE_A);
    expect_no_data(*state, RCODE_NOERROR, REVERSED_1);
    asker_ask(*state, below("x", REVERSED_1), TYPE_PTR);
    expect_no_data(*state, RCODE_NXDOMAIN, REVERSED_1);
}

static void test_names_on_the_way_to_127_0_0_1_exist_and_their_neighbours_do_not(void **state)
{
    static const char *const existing[] = {"127.in-addr.arpa.", "0.127.in-addr.arpa.", "0.0.127.in-addr.arpa."};
    static const char *const missing[] = {"1.127.in-addr.arpa.", "2.0.0.127.in-addr.arpa.", "1.1.0.0.127.in-addr.arpa.",
                                          "01.0.0.127.in-addr.arpa."};
    for (size_t i = 0; i < COUNT(existing); i++) {
        asker_ask(*state, existing[i], TYPE_PTR);
        expect_no_data(*state, RCODE_NOERROR, "127.in-addr.arpa.");
    }
    asker_ask(*state, "1.0.0.127.in-addr.arpa.", TYPE_A);
    expect_no_data(*state, RCODE_NOERROR, "127.in-addr.arpa.");
    for (size_t i = 0; i < COUNT(missing); i++) {
        asker_ask(*state, missing[i], TYPE_PTR);
        expect_no_data(*state, RCODE_NXDOMAIN, "127.in-addr.arpa.");
    }
}

static void test_there_are_no_designated_resolvers(void **state)
{
    static const char *const names[] = {"resolver.arpa.", "_dns.resolver.arpa.", "_5353._dns.resolver.arpa.",
                                        "x.resolver.arpa."};
    for (size_t i = 0; i < COUNT(names); i++) {
        asker_ask(*state, names[i], TYPE_SVCB);
        expect_no_data(*state, RCODE_NOERROR, "resolver.arpa.");
    }
    asker_ask(*state, "resolver.arpa.", TYPE_NS);
    expect_record(*state, "resolver.arpa.", "NS resolver.arpa.");
}

static void test_names_near_a_special_one_are_forwarded(void **state)
{
    static const char *const names[] = {
        "",
        "com.",
        "arpa.",
        "in-addr.arpa.",
        "ip6.arpa.",
        "example.",
        "example.com.",
        "xlocalhost.",
        "localhos.",
        "localhost.example.",
        "localhost.localdomain.",
        "testx.",
        "test.example.",
        "tes.",
        "xtest.",
        "invalid.com.",
        "locals.",
        "onions.",
        "al.",
        "alto.",
        "internals.",
        "home.arp.",
        "xhome.arpa.",
        "home.arpa.example.",
        "ipv4only.arpa.",
        "172.in-addr.arpa.",
        "1.15.172.in-addr.arpa.",
        "15.172.in-addr.arpa.",
        "32.172.in-addr.arpa.",
        "016.172.in-addr.arpa.",
        "0016.172.in-addr.arpa.",
        "1.172.in-addr.arpa.",
        "160.172.in-addr.arpa.",
        "a.172.in-addr.arpa.",
        "1a.172.in-addr.arpa.",
        "272.172.in-addr.arpa.",
        "16.1172.in-addr.arpa.",
        "16.172.in-addr.arpa.example.",
        "16.172.ip6.arpa.",
        "100.in-addr.arpa.",
        "63.100.in-addr.arpa.",
        "128.100.in-addr.arpa.",
        "064.100.in-addr.arpa.",
        "1.63.100.in-addr.arpa.",
        "168.193.in-addr.arpa.",
        "169.192.in-addr.arpa.",
        "192.in-addr.arpa.",
        "0.192.in-addr.arpa.",
        "1.0.192.in-addr.arpa.",
        "255.255.255.in-addr.arpa.",
        "254.255.255.255.in-addr.arpa.",
        "010.in-addr.arpa.",
        "11.in-addr.arpa.",
        "126.in-addr.arpa.",
        "128.in-addr.arpa.",
        "c.f.ip6.arpa.",
        "f.ip6.arpa.",
        "7.e.f.ip6.arpa.",
        "c.e.f.ip6.arpa.",
        "9.b.d.0.1.0.0.2.ip6.arpa.",
        "b.d.0.1.0.0.2.ip6.arpa.",
        "2." REVERSED_1 "com.",
        "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
        "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
    };
    for (size_t i = 0; i < COUNT(names); i++)
        for (size_t t = 0; t < COUNT(types); t++)
            expect_passed(*state, names[i], types[t]);
}

/* A label of eight bytes that end in "\4test". */
static void test_a_label_needs_its_length_byte(void **state)
{
    struct asker *asker = *state;
    static const uint8_t wire[] = "\0\7\1\0\0\1\0\0\0\0\0\0\10www\4test\0\0\1\0\1";
    static const struct origin_ops ops = {.room = asker_room, .reply = asker_reply};
    struct origin origin = {.ops = &ops, .owner = asker, .client = asker->client};
    assert_null(query_start(&asker->resolver, &origin, (struct bytes){wire, sizeof wire - 1}));
    assert_int_equal(asker->replies, 0);
    assert_int_equal(asker->passed, 1);
}

static void test_letter_case_is_ignored_and_echoed(void **state)
{
    asker_ask(*state, "wWw.LocalHost.", TYPE_A);
    expect_record(*state, "wWw.LocalHost.", "A 127.0.0.1");
    asker_ask(*state, "WWW.TEST.", TYPE_A);
    expect_no_data(*state, RCODE_NXDOMAIN, "test.");
    asker_ask(*state, "x.31.172.IN-addr.ARPA.", TYPE_A);
    expect_no_data(*state, RCODE_NXDOMAIN, "31.172.in-addr.arpa.");
    asker_ask(*state, "1.D.F.Ip6.aRPA.", TYPE_PTR);
    expect_no_data(*state, RCODE_NXDOMAIN, "d.f.ip6.arpa.");
    asker_ask(*state, "HOME.arpa.", TYPE_NS);
    expect_record(*state, "HOME.arpa.", "NS home.arpa.");
}

static void test_the_same_with_edns_over_tcp_and_without_rd(void **state)
{
    struct asker *asker = *state;
    for (int how = 0; how < 8; how++) {
        asker->edns = asker->dnssec_ok = how & 1;
        asker->tcp = how & 2;
        asker->flags = how & 4 ? 0 : FLAG_RD;
        asker_ask(asker, "a.test.", TYPE_A);
        expect_no_data(asker, RCODE_NXDOMAIN, "test.");
        asker_ask(asker, "localhost.", TYPE_A);
        expect_record(asker, "localhost.", "A 127.0.0.1");
    }
}

static void test_ad_is_never_claimed(void **state)
{
    struct asker *asker = *state;
    asker->flags = FLAG_RD | FLAG_AD | FLAG_CD;
    asker_ask(asker, "localhost.", TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_true(ldns_pkt_cd(asker->packet));
}

static void test_answers_are_counted_as_local(void **state)
{
    struct asker *asker = *state;
    asker_ask(asker, "a.test.", TYPE_A);
    asker_ask(asker, "localhost.", TYPE_A);
    asker_ask(asker, "www.example.", TYPE_A);
    assert_int_equal(counter_read(&asker->counters, COUNTER_responses_local), 2);
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_finished), 2);
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_dropped), 1);
}

static void test_without_room_the_query_is_dropped(void **state)
{
    struct asker *asker = *state;
    asker->no_room = true;
    asker_ask(asker, "localhost.", TYPE_A);
    assert_int_equal(asker->replies, 0);
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_dropped), 1);
}

int main(void)
{
    static const uint8_t key[16] = "0123456789abcde";
    hash_init_fixed(key);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_names_at_the_top_that_do_not_exist),
        TEST(test_below_an_empty_zone_nothing_exists),
        TEST(test_the_apex_of_an_empty_zone_has_soa_and_ns),
        TEST(test_the_parent_of_a_zone_has_its_ds),
        TEST(test_localhost_and_all_below_is_this_machine),
        TEST(test_the_loopback_addresses_are_localhost),
        TEST(test_names_on_the_way_to_127_0_0_1_exist_and_their_neighbours_do_not),
        TEST(test_there_are_no_designated_resolvers),
        TEST(test_names_near_a_special_one_are_forwarded),
        TEST(test_a_label_needs_its_length_byte),
        TEST(test_letter_case_is_ignored_and_echoed),
        TEST(test_the_same_with_edns_over_tcp_and_without_rd),
        TEST(test_ad_is_never_claimed),
        TEST(test_answers_are_counted_as_local),
        TEST(test_without_room_the_query_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
