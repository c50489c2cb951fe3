/* SPDX-License-Identifier: MIT */
/* dns/synthesis: addresses that embed IPv4, and responses made of the records of another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "dns/records.h"
#include "dns/synthesis.h"

static struct answer_scratch scratch, scratch_made;
static struct rewrite rewrite;
static uint8_t source[MESSAGE_MAX], made[MESSAGE_MAX];
static char told[4096];

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    assert_int_equal(prefix_parse(&prefix, text), 0);
    return prefix;
}

/* --- RFC 6052 --- */

static const struct {
    const char *prefix, *address; /* of 192.0.2.33: the table of section 2.4 */
} examples[] = {
    {"2001:db8::/32", "2001:db8:c000:221::"},
    {"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
    {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
    {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
    {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"},
    {"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"},
};
#define EXAMPLES (sizeof examples / sizeof *examples)

static void addresses_are_embedded_and_extracted(void **state)
{
    static const uint8_t ipv4[4] = {192, 0, 2, 33};
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct prefix prefix = prefix_of(examples[i].prefix);
        uint8_t wanted[16], ipv6[16], back[4];
        assert_int_equal(inet_pton(AF_INET6, examples[i].address, wanted), 1);
        assert_true(nat64_prefix_is_valid(&prefix));
        nat64_embed(&prefix, ipv4, ipv6);
        assert_memory_equal(ipv6, wanted, 16);
        assert_true(nat64_extract(&prefix, ipv6, back));
        assert_memory_equal(back, ipv4, 4);
        ipv6[0] ^= 1;
        assert_false(nat64_extract(&prefix, ipv6, back));
        wanted[8] = 1;
        assert_false(nat64_extract(&prefix, wanted, back));
    }
}

static void other_prefixes_are_refused(void **state)
{
    static const char *const bad[] = {"2001:db8::/33", "2001:db8::/128", "::/0",
                                      "192.0.2.0/24",  "0.0.0.0/0",      "2001:db8:1:1:100::/96"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct prefix prefix = prefix_of(bad[i]);
        assert_false(nat64_prefix_is_valid(&prefix));
    }
}

static void a_prefix_is_found_in_an_address_of_ipv4only_arpa(void **state)
{
    static const uint8_t known[2][4] = {{192, 0, 0, 170}, {192, 0, 0, 171}};
    struct prefix found;
    uint8_t ipv6[16] = {0};
    (void)state;
    for (size_t i = 0; i < 2 * EXAMPLES; i++) {
        struct prefix prefix = prefix_of(examples[i / 2].prefix);
        nat64_embed(&prefix, known[i % 2], ipv6);
        assert_true(nat64_discover(ipv6, &found));
        assert_int_equal(found.bits, prefix.bits);
        assert_memory_equal(found.bytes, prefix.bytes, 16);
    }
    ipv6[15] = 172;
    assert_false(nat64_discover(ipv6, &found));
    inet_pton(AF_INET6, "2001:db8:c000:aa::192.0.0.170", ipv6); /* at two places */
    assert_false(nat64_discover(ipv6, &found));
}

/* --- responses --- */

static struct key key_of(const char *name, uint16_t type)
{
    struct key key = {.type = type, .class = CLASS_IN};
    int len = name_from_text(key.name, name);
    assert_true(len > 0);
    key.name_len = (uint8_t)len;
    return key;
}

static void add_text(void *context, const struct record_view *record)
{
    size_t len = strlen(told);
    (void)context;
    snprintf(told + len, sizeof told - len, "%s %s %u %s %s\n", record->section, record->owner, (unsigned)record->ttl,
             record->type, record->rdata);
}

static const char *text_of_made(size_t len)
{
    struct answer answer;
    told[0] = '\0';
    assert_true(len > 0);
    assert_int_equal(message_own_answer(made, len, &scratch_made, &answer), 0);
    assert_int_equal(records_each((struct bytes){made, len}, add_text, NULL), 0);
    return told;
}

static const struct record_text chain[] = {{"a.example.", "CNAME", 300, "b.example."},
                                           {"b.example.", "CNAME", 20, "c.example."},
                                           {"c.example.", "A", 300, "192.0.2.1"},
                                           {"c.example.", "A", 300, "10.0.0.1"},
                                           {"c.example.", "A", 50, "192.0.2.2"}};
static const struct record_text soa = {"example.", "SOA", 300, "ns.example. host.example. 1 2 3 4 77"};

static void make_source(struct answer *out, const struct record_text *records, unsigned count, bool negative)
{
    struct key key = key_of("a.example", TYPE_A);
    int len = records_answer(source, sizeof source, &key, negative ? RCODE_NXDOMAIN : RCODE_NOERROR, records, count,
                             &soa, negative);
    assert_true(len > 0);
    assert_int_equal(message_own_answer(source, (size_t)len, &scratch, out), 0);
}

static bool is_ten(const uint8_t *ipv4)
{
    return ipv4[0] == 10;
}

static void addresses_of_a_chain_become_ipv6(void **state)
{
    struct key key = key_of("A.example", TYPE_AAAA);
    struct prefix prefix = prefix_of("64:ff9b::/96");
    struct synthesis synthesis;
    struct answer answer;
    (void)state;
    make_source(&answer, chain, 5, false);
    synthesis_begin(&synthesis, made, sizeof made, &key, RCODE_NOERROR);
    synthesis.prefix = &prefix;
    synthesis.excluded = is_ten;
    synthesis.ttl_max = 100;
    assert_int_equal(synthesis_copy_answer(&synthesis, &answer, &rewrite), 2);
    synthesis_copy_soa(&synthesis, &answer, &rewrite);
    assert_string_equal(text_of_made(synthesis_end(&synthesis)), "answer a.example. 100 CNAME b.example.\n"
                                                                 "answer b.example. 20 CNAME c.example.\n"
                                                                 "answer c.example. 100 AAAA 64:ff9b::c000:201\n"
                                                                 "answer c.example. 50 AAAA 64:ff9b::c000:202\n");
}

static void a_response_under_another_name(void **state)
{
    struct key key = key_of("printer", TYPE_A), target = key_of("a.example", TYPE_A);
    struct synthesis synthesis;
    struct answer answer;
    (void)state;
    make_source(&answer, chain, 5, false);
    synthesis_begin(&synthesis, made, sizeof made, &key, RCODE_NOERROR);
    synthesis_alias(&synthesis, target.name, target.name_len, 60);
    assert_int_equal(synthesis_copy_answer(&synthesis, &answer, &rewrite), 3);
    assert_non_null(strstr(text_of_made(synthesis_end(&synthesis)), "answer printer. 60 CNAME a.example.\n"
                                                                    "answer a.example. 300 CNAME b.example.\n"));
    make_source(&answer, NULL, 0, true);
    assert_int_equal(synthesis_negative_ttl(&answer, &rewrite, 5), 77);
    synthesis_begin(&synthesis, made, sizeof made, &key, RCODE_NXDOMAIN);
    synthesis_alias(&synthesis, target.name, target.name_len, 60);
    assert_int_equal(synthesis_copy_answer(&synthesis, &answer, &rewrite), 0);
    synthesis_copy_soa(&synthesis, &answer, &rewrite);
    assert_non_null(strstr(text_of_made(synthesis_end(&synthesis)), "authority example. 300 SOA ns.example."));
    assert_int_equal(made[3] & 15, RCODE_NXDOMAIN);
    make_source(&answer, chain, 1, false);
    assert_int_equal(synthesis_negative_ttl(&answer, &rewrite, 5), 5);
}

static void signatures_are_left_out(void **state)
{
    static const struct record_text records[] = {
        {"a.example.", "A", 300, "192.0.2.1"},
        {"a.example.", "RRSIG", 300, "A 8 2 300 20300101000000 20200101000000 1 example. AAAA"}};
    struct key key = key_of("a.example", TYPE_A);
    struct synthesis synthesis;
    struct answer answer;
    (void)state;
    make_source(&answer, records, 2, false);
    synthesis_begin(&synthesis, made, sizeof made, &key, RCODE_NOERROR);
    (void)synthesis_copy_answer(&synthesis, &answer, &rewrite);
    assert_string_equal(text_of_made(synthesis_end(&synthesis)), "answer a.example. 300 A 192.0.2.1\n");
}

/* Each shorter room is too small, and nothing is written behind it. */
static void too_little_room(void **state)
{
    struct key key = key_of("printer", TYPE_A), target = key_of("a.example", TYPE_A);
    struct synthesis synthesis;
    struct answer answer;
    size_t len = 0;
    (void)state;
    make_source(&answer, chain, 5, false);
    for (size_t cap = 0; len == 0; cap++) {
        assert_true(cap < 512);
        memset(made, 0xEE, sizeof made);
        synthesis_begin(&synthesis, made, cap, &key, RCODE_NOERROR);
        synthesis_alias(&synthesis, target.name, target.name_len, 60);
        (void)synthesis_copy_answer(&synthesis, &answer, &rewrite);
        len = synthesis_end(&synthesis);
        assert_true(len == 0 || len == cap);
        assert_int_equal(made[cap], 0xEE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_embedded_and_extracted),
        cmocka_unit_test(other_prefixes_are_refused),
        cmocka_unit_test(a_prefix_is_found_in_an_address_of_ipv4only_arpa),
        cmocka_unit_test(addresses_of_a_chain_become_ipv6),
        cmocka_unit_test(a_response_under_another_name),
        cmocka_unit_test(signatures_are_left_out),
        cmocka_unit_test(too_little_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
