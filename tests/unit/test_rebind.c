/* SPDX-License-Identifier: MIT */
/* Rebinding protection: the private addresses, the exempt names, and the responses to clients. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "dns/records.h"
#include "policy/steps.h"

/* The records of the upstream's response; local: a step before step_rebind has them. */
static struct record_text records[3];
static unsigned answers, additionals;
static bool local;
static uint32_t group; /* of the query */

static enum verdict respond(struct query *query, bool here)
{
    static uint8_t wire[MESSAGE_MAX];
    static struct answer_scratch scratch;
    struct answer answer;
    if (here != local)
        return NEXT;
    int len = records_answer(wire, sizeof wire, &query->key, 0, records, answers, records + answers, additionals);
    assert_true(len > 0);
    memcpy(wire + 10, wire + 8, 2); /* from the authority section to the additional one */
    write_u16(wire + 8, 0);
    wire[3] |= FLAG_AD;
    assert_int_equal(message_own_answer(wire, (size_t)len, &scratch, &answer), 0);
    answer.authenticated = true;
    query->key.group = group;
    return query_answer(query, &answer);
}

static enum verdict run_local(struct query *query, void *state)
{
    (void)state;
    return respond(query, true);
}

static enum verdict run_upstream(struct query *query, void *state)
{
    (void)state;
    return respond(query, false);
}

static const struct step step_local = {.name = "local", .run = run_local};
static const struct step step_upstream = {.name = "upstream", .run = run_upstream};
static const struct step *const steps[] = {&step_local, &step_rebind, &step_upstream, NULL};

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    asker->edns = asker->dnssec_ok = true;
    asker_from(asker, "192.0.2.1");
    answers = 1;
    additionals = 0;
    local = false;
    group = 0;
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

static struct record_text text_record(const char *type, const char *rdata)
{
    return (struct record_text){NULL, type, 60, rdata};
}

static bool is_blocked(struct asker *asker, const char *name, uint16_t type)
{
    uint64_t before = counter_read(&asker->counters, COUNTER_responses_rebind);
    asker_ask(asker, name, type);
    assert_int_equal(asker->replies, 1);
    assert_int_equal(ldns_pkt_get_rcode(asker->packet), RCODE_NOERROR);
    bool blocked = asker_ede(asker) == EDE_BLOCKED;
    assert_int_equal(ldns_pkt_ancount(asker->packet), blocked ? 0 : answers);
    assert_int_equal(ldns_pkt_ad(asker->packet), !blocked);
    assert_int_equal(counter_read(&asker->counters, COUNTER_responses_rebind) - before, blocked);
    assert_true(!blocked || asker_was_answered(asker, RCODE_NOERROR));
    return blocked;
}

static bool blocks(struct asker *asker, const char *type, const char *rdata)
{
    records[0] = text_record(type, rdata);
    int number = records_type_number(type);
    assert_true(number > 0);
    return is_blocked(asker, "www.example", (uint16_t)number);
}

/* --- addresses --- */

static void test_private_ipv4_addresses(void **state)
{
    static const char *const private[] = {"0.0.0.0",     "0.255.255.255",   "10.0.0.0",   "10.255.255.255",
                                          "100.64.0.0",  "100.127.255.255", "127.0.0.0",  "127.255.255.255",
                                          "169.254.0.0", "169.254.255.255", "172.16.0.0", "172.31.255.255",
                                          "192.168.0.0", "192.168.255.255"};
    static const char *const public[] = {"1.0.0.0",     "9.255.255.255",   "11.0.0.0",   "100.63.255.255",
                                         "100.128.0.0", "126.255.255.255", "128.0.0.0",  "169.253.255.255",
                                         "169.255.0.0", "172.15.255.255",  "172.32.0.0", "192.167.255.255",
                                         "192.169.0.0", "192.0.2.1"};
    char text[64];
    for (size_t i = 0; i < sizeof private / sizeof *private; i++) {
        assert_true(blocks(*state, "A", private[i]));
        snprintf(text, sizeof text, "1 . ipv4hint=192.0.2.1,%s", private[i]);
        assert_true(blocks(*state, "HTTPS", text));
        assert_true(blocks(*state, "SVCB", text));
    }
    for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
        assert_false(blocks(*state, "A", public[i]));
        snprintf(text, sizeof text, "1 . ipv4hint=%s", public[i]);
        assert_false(blocks(*state, "HTTPS", text));
    }
}

static void test_private_ipv6_addresses(void **state)
{
    static const char *const private[] = {"::",
                                          "::1",
                                          "::0.1.0.0",
                                          "::192.168.0.1",
                                          "::ffff:10.0.0.1",
                                          "::ffff:127.0.0.1",
                                          "64:ff9b::192.168.1.1",
                                          "64:ff9b::7f00:1",
                                          "64:ff9b:1::10.0.0.1",
                                          "64:ff9b:1:ffff:ffff:ffff:10.0.0.1",
                                          "fc00::",
                                          "fdff:ffff::1",
                                          "fe80::1",
                                          "febf:ffff::1",
                                          "fec0::1"};
    static const char *const public[] = {
        "2001:db8::1", "64:ff9b::192.0.2.1", "::ffff:192.0.2.1", "fbff::1",       "fe00::1",
        "ff02::1",     "64:ff9a::a00:1",     "64:ff9b:2::a00:1", "::1:0:10.0.0.1"};
    char text[128];
    for (size_t i = 0; i < sizeof private / sizeof *private; i++) {
        assert_true(blocks(*state, "AAAA", private[i]));
        snprintf(text, sizeof text, "1 target.example. alpn=h2 port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1,%s",
                 private[i]);
        assert_true(blocks(*state, "HTTPS", text));
    }
    for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
        assert_false(blocks(*state, "AAAA", public[i]));
        snprintf(text, sizeof text, "1 . ipv6hint=%s", public[i]);
        assert_false(blocks(*state, "SVCB", text));
    }
}

static void test_other_records_hold_no_addresses(void **state)
{
    assert_false(blocks(*state, "TXT", "\"10.0.0.1\""));
    assert_false(blocks(*state, "HTTPS", "0 target.example."));
    assert_false(blocks(*state, "HTTPS", "1 . alpn=h2"));
    assert_false(blocks(*state, "LOC", "52 0 0.000 N 4 0 0.000 E 10m 1m 1m 1m"));
}

static void test_one_private_address_is_enough(void **state)
{
    struct asker *asker = *state;
    answers = 3;
    records[0] = text_record("CNAME", "b.example.");
    records[1] = (struct record_text){"b.example.", "A", 60, "192.0.2.1"};
    records[2] = (struct record_text){"b.example.", "A", 60, "192.168.0.1"};
    assert_true(is_blocked(asker, "a.example", TYPE_A));
    records[2].rdata = "192.0.2.2";
    assert_false(is_blocked(asker, "a.example", TYPE_A));
}

/* The Answer section is useful without it. */
static void test_additional_section_goes_if_it_has_private_addresses(void **state)
{
    struct asker *asker = *state;
    records[0] = text_record("MX", "10 mail.example.");
    records[1] = (struct record_text){"mail.example.", "A", 60, "192.0.2.1"};
    records[2] = (struct record_text){"mail.example.", "AAAA", 60, "fe80::1"};
    additionals = 1;
    assert_false(is_blocked(asker, "www.example", 15));
    assert_int_equal(ldns_pkt_arcount(asker->packet), 1); /* ldns does not count the OPT */
    additionals = 2;
    assert_false(is_blocked(asker, "www.example", 15));
    assert_int_equal(ldns_pkt_arcount(asker->packet), 0);
    assert_int_equal(counter_read(&asker->counters, COUNTER_responses_rebind), 0);
}

/* --- exemptions --- */

static void test_names_may_be_allowed(void **state)
{
    struct asker *asker = *state;
    char first[] = "Corp.example.", second[] = "lab.test", third[] = "corp.example";
    char *names[] = {first, second, third};
    records[0] = text_record("A", "10.0.0.1");
    asker->config.rebind_allow = names;
    asker->config.rebind_allow_count = 3;
    assert_false(is_blocked(asker, "corp.example", TYPE_A));
    assert_false(is_blocked(asker, "a.b.CORP.example", TYPE_A));
    assert_false(is_blocked(asker, "a.lab.test", TYPE_A));
    assert_true(is_blocked(asker, "xcorp.example", TYPE_A));
    assert_true(is_blocked(asker, "example", TYPE_A));
    char root[] = ".";
    names[0] = root;
    asker->config.rebind_allow_count = 1;
    assert_false(is_blocked(asker, "example", TYPE_A));
}

static void test_local_data_and_routes_are_exempt(void **state)
{
    struct asker *asker = *state;
    records[0] = text_record("A", "10.0.0.1");
    assert_true(is_blocked(asker, "www.example", TYPE_A));
    local = true;
    assert_false(is_blocked(asker, "www.example", TYPE_A));
    local = false;
    group = 7; /* not the root's */
    assert_false(is_blocked(asker, "www.example", TYPE_A));
}

#define NIBBLES_8  "1.0.0.f.a.0.0.9."
#define NIBBLES_32 NIBBLES_8 NIBBLES_8 NIBBLES_8 NIBBLES_8

/* RFC 5782 */
static void test_block_lists_answer_with_loopback_addresses(void **state)
{
    struct asker *asker = *state;
    records[0] = text_record("A", "127.0.0.2");
    assert_false(is_blocked(asker, "2.0.0.127.list.example", TYPE_A));
    assert_false(is_blocked(asker, "255.0.10.99.list.example", TYPE_A));
    assert_false(is_blocked(asker, NIBBLES_32 "list.example", TYPE_A));
    assert_false(is_blocked(asker, NIBBLES_32 "example", TYPE_A));
    assert_true(is_blocked(asker, "256.0.0.1.list.example", TYPE_A));
    assert_true(is_blocked(asker, "01.0.0.1.list.example", TYPE_A));
    assert_true(is_blocked(asker, "0.0.1.list.example", TYPE_A));
    assert_true(is_blocked(asker, "a.0.0.0.1.list.example", TYPE_A));
    assert_true(is_blocked(asker, NIBBLES_8 NIBBLES_8 NIBBLES_8 "list.example", TYPE_A));
    assert_true(is_blocked(asker, "list.example", TYPE_A));
    records[0] = text_record("A", "10.0.0.2");
    assert_true(is_blocked(asker, "2.0.0.127.list.example", TYPE_A));
    records[0] = text_record("AAAA", "::1");
    assert_true(is_blocked(asker, "2.0.0.127.list.example", TYPE_AAAA));
}

static void test_when_it_is_on(void **state)
{
    struct asker *asker = *state;
    records[0] = text_record("A", "10.0.0.1");
    assert_true(is_blocked(asker, "www.example", TYPE_A));
    asker_from(asker, "127.0.0.1");
    assert_false(is_blocked(asker, "www.example", TYPE_A));
    asker->config.rebind_protection = REBIND_YES;
    assert_true(is_blocked(asker, "www.example", TYPE_A));
    asker->config.rebind_protection = REBIND_NO;
    asker_from(asker, "192.0.2.1");
    assert_false(is_blocked(asker, "www.example", TYPE_A));
    assert_int_equal(asker->resolver.answering_count, 0);
    asker->config.rebind_protection = REBIND_AUTO;
    assert_int_equal(prefix_parse(&asker->allowed, "127.0.0.0/8"), 0);
    assert_false(is_blocked(asker, "www.example", TYPE_A)); /* with its addresses, though no client gets them */
    assert_int_equal(asker->resolver.answering_count, 0);
}

int main(void)
{
    static const uint8_t key[16] = "0123456789abcde";
    hash_init_fixed(key);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_private_ipv4_addresses),
        TEST(test_private_ipv6_addresses),
        TEST(test_other_records_hold_no_addresses),
        TEST(test_one_private_address_is_enough),
        TEST(test_additional_section_goes_if_it_has_private_addresses),
        TEST(test_names_may_be_allowed),
        TEST(test_local_data_and_routes_are_exempt),
        TEST(test_block_lists_answer_with_loopback_addresses),
        TEST(test_when_it_is_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
