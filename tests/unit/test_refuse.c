/* SPDX-License-Identifier: MIT */
/* Clients and queries that are refused, and queries that are never forwarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "policy/steps.h"

enum { TYPE_TKEY = 249, TYPE_TSIG = 250, TYPE_IXFR = 251, TYPE_AXFR = 252, TYPE_MAILB = 253, TYPE_MAILA = 254 };

static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_refuse, &step_pass, NULL};

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    asker->edns = true;
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

static void expect_refused(struct asker *asker, const char *name, uint16_t type, uint16_t rcode, int ede_code)
{
    asker_ask(asker, name, type);
    if (!asker_was_answered(asker, rcode))
        fail_msg("%s type %u class %u: rcode %d, not %u", name, type, asker->class,
                 asker->packet ? (int)ldns_pkt_get_rcode(asker->packet) : -1, rcode);
    assert_int_equal(asker_ede(asker), ede_code);
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANY_NOQUESTION), "");
}

static void expect_passed(struct asker *asker, const char *name, uint16_t type)
{
    asker_ask(asker, name, type);
    assert_int_equal(asker->passed, 1);
    assert_int_equal(asker->replies, 0);
}

/* --- types --- */

static void test_meta_types_are_not_implemented(void **state)
{
    static const uint16_t types[] = {0, TYPE_OPT, TYPE_TKEY, TYPE_TSIG, TYPE_IXFR, TYPE_AXFR, TYPE_MAILB, TYPE_MAILA};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        expect_refused(*state, "www.example.", types[i], RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
    for (uint16_t type = 129; type < TYPE_TKEY; type++)
        expect_refused(*state, "www.example.", type, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
}

static void test_types_of_data_go_on(void **state)
{
    for (uint16_t type = 1; type < TYPE_NXNAME; type++)
        if (type != TYPE_OPT)
            expect_passed(*state, "www.example.", type);
    expect_passed(*state, "www.example.", 256);
    expect_passed(*state, "www.example.", 65280);
    expect_passed(*state, "www.example.", 65535);
}

static void test_nxname_is_a_format_error(void **state)
{
    expect_refused(*state, "www.example.", TYPE_NXNAME, RCODE_FORMERR, EDE_INVALID_QUERY_TYPE);
}

/* Over UDP from beyond loopback the address may be forged. */
static void test_any_goes_on_and_over_udp_to_tcp(void **state)
{
    struct asker *asker = *state;
    expect_passed(asker, "www.example.", TYPE_ANY);
    asker->tcp = true;
    asker_from(asker, "192.0.2.1");
    expect_passed(asker, "www.example.", TYPE_ANY);
    asker->tcp = false;
    for (int edns = 0; edns < 2; edns++) {
        asker->edns = edns;
        asker_ask(asker, "www.Example.", TYPE_ANY);
        assert_int_equal(asker->replies, 1);
        assert_int_equal(asker->len, MESSAGE_HEADER + 13 + 4 + 11 * (size_t)edns);
        assert_true(ldns_pkt_tc(asker->packet));
        assert_int_equal(ldns_pkt_get_rcode(asker->packet), RCODE_NOERROR);
    }
    assert_int_equal(counter_read(&asker->counters, COUNTER_responses_truncated), 2);
}

static void test_without_an_opt_there_is_no_extended_error(void **state)
{
    struct asker *asker = *state;
    asker->edns = false;
    expect_refused(asker, "www.example.", TYPE_AXFR, RCODE_NOTIMP, -1);
}

/* --- classes --- */

static void test_only_class_in_is_forwarded(void **state)
{
    struct asker *asker = *state;
    static const uint16_t classes[] = {0, 2, CLASS_HS, 5, 253, CLASS_NONE, CLASS_ANY, 256, 65280, 65535};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        asker->class = classes[i];
        expect_refused(asker, "www.example.", TYPE_A, RCODE_REFUSED, -1);
        expect_refused(asker, "www.example.", TYPE_ANY, RCODE_REFUSED, -1);
    }
}

static void test_meta_types_are_not_implemented_in_any_class(void **state)
{
    struct asker *asker = *state;
    asker->class = CLASS_CH;
    expect_refused(asker, "version.bind.", TYPE_AXFR, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
    asker->class = CLASS_ANY;
    expect_refused(asker, "www.example.", TYPE_NXNAME, RCODE_FORMERR, EDE_INVALID_QUERY_TYPE);
}

static void test_chaos_is_refused_unless_turned_on(void **state)
{
    struct asker *asker = *state;
    static const char *const names[] = {"version.bind.", "version.server.", "hostname.bind.",
                                        "id.server.",    "authors.bind.",   ""};
    asker->class = CLASS_CH;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_refused(asker, names[i], TYPE_TXT, RCODE_REFUSED, -1);
}

static void expect_chaos(struct asker *asker, const char *name, const char *text)
{
    char record[1200];
    snprintf(record, sizeof record, "%s 0 CH TXT \"%s\"\n", name, text);
    asker_ask(asker, name, TYPE_TXT);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), record);
}

static void test_chaos_answers_only_enabled_names(void **state)
{
    struct asker *asker = *state;
    char version[] = "dotstub 1", hostname[] = "box";
    asker->class = CLASS_CH;
    asker->config.identity.version = version;
    expect_chaos(asker, "Version.bind.", "dotstub 1");
    expect_chaos(asker, "version.server.", "dotstub 1");
    expect_refused(asker, "hostname.bind.", TYPE_TXT, RCODE_REFUSED, -1);
    expect_refused(asker, "x.version.bind.", TYPE_TXT, RCODE_REFUSED, -1);
    expect_refused(asker, "version.bind.", TYPE_A, RCODE_REFUSED, -1);
    expect_refused(asker, "version.bind.", TYPE_ANY, RCODE_REFUSED, -1);
    asker->config.identity.version = NULL;
    asker->config.identity.hostname = hostname;
    expect_chaos(asker, "hostname.bind.", "box");
    expect_chaos(asker, "id.server.", "box");
    expect_refused(asker, "version.bind.", TYPE_TXT, RCODE_REFUSED, -1);
    asker->class = CLASS_IN;
    expect_passed(asker, "version.bind.", TYPE_TXT);
}

static void test_chaos_texts_are_unchanged(void **state)
{
    struct asker *asker = *state;
    static const char odd[] = "a\"b\\c;d(e)@\t\n\x7f\xc3\xa9 \\065$";
    char text[sizeof odd], longest[256];
    asker->class = CLASS_CH;
    memcpy(text, odd, sizeof odd);
    asker->config.identity.version = text;
    asker_ask(asker, "version.bind.", TYPE_TXT);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    const ldns_rdf *rdata = ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(asker->packet), 0), 0);
    assert_int_equal(ldns_rdf_size(rdata), sizeof odd);
    assert_memory_equal(ldns_rdf_data(rdata) + 1, odd, sizeof odd - 1);

    memset(longest, '"', 255);
    longest[255] = '\0';
    asker->config.identity.version = longest;
    asker_ask(asker, "version.bind.", TYPE_TXT);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    rdata = ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(asker->packet), 0), 0);
    assert_int_equal(ldns_rdf_size(rdata), 256);
}

/* --- clients --- */

static void test_strangers_are_refused_first(void **state)
{
    struct asker *asker = *state;
    assert_int_equal(prefix_parse(&asker->allowed, "192.0.2.0/24"), 0);
    asker_from(asker, "192.0.3.1");
    expect_refused(asker, "www.example.", TYPE_A, RCODE_REFUSED, EDE_PROHIBITED);
    expect_refused(asker, "www.example.", TYPE_AXFR, RCODE_REFUSED, EDE_PROHIBITED);
    expect_refused(asker, "www.example.", TYPE_ANY, RCODE_REFUSED, EDE_PROHIBITED);
    asker_from(asker, "2001:db8::1");
    expect_refused(asker, "www.example.", TYPE_A, RCODE_REFUSED, EDE_PROHIBITED);
    asker_from(asker, "192.0.2.200");
    expect_passed(asker, "www.example.", TYPE_A);
    asker_from(asker, "::ffff:192.0.2.200");
    expect_passed(asker, "www.example.", TYPE_A);
}

static void test_single_clients_may_be_denied(void **state)
{
    struct asker *asker = *state;
    struct prefix denied[2];
    assert_int_equal(prefix_parse(&denied[0], "192.0.2.66"), 0);
    assert_int_equal(prefix_parse(&denied[1], "192.0.2.128/25"), 0);
    asker->config.access.deny_clients = denied;
    asker->config.access.deny_count = 2;
    asker_from(asker, "192.0.2.65");
    expect_passed(asker, "www.example.", TYPE_A);
    asker_from(asker, "192.0.2.66");
    expect_refused(asker, "www.example.", TYPE_A, RCODE_REFUSED, EDE_PROHIBITED);
    asker_from(asker, "::ffff:192.0.2.200");
    expect_refused(asker, "www.example.", TYPE_A, RCODE_REFUSED, EDE_PROHIBITED);
    asker->config.access.deny = DENY_DROP;
    asker_ask(asker, "www.example.", TYPE_A);
    assert_int_equal(asker->replies + asker->passed, 0);
    asker->edns = false; /* without an OPT, QDCOUNT 0 is malformed */
    asker->no_question = true;
    asker_ask(asker, "", TYPE_A);
    assert_int_equal(asker->replies + asker->passed, 0);
}

/* RFC 5001; refused clients get no information about the server. */
static void test_nsid_is_the_hostname(void **state)
{
    struct asker *asker = *state;
    char hostname[] = "box-1";
    asker->options = (struct bytes){(const uint8_t *)"\0\3\0\0", 4};
    expect_refused(asker, "www.example.", TYPE_AXFR, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
    assert_null(asker_option(asker, OPTION_CODE_NSID).data);
    asker->config.identity.hostname = hostname;
    expect_refused(asker, "www.example.", TYPE_AXFR, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
    struct bytes nsid = asker_option(asker, OPTION_CODE_NSID);
    assert_int_equal(nsid.len, 5);
    assert_memory_equal(nsid.data, "box-1", 5);
    asker->config.access.allow_count = 0;
    expect_refused(asker, "www.example.", TYPE_A, RCODE_REFUSED, EDE_PROHIBITED);
    assert_null(asker_option(asker, OPTION_CODE_NSID).data);
    asker->config.access.allow_count = 1;
    asker->options.len = 0;
    expect_refused(asker, "www.example.", TYPE_AXFR, RCODE_NOTIMP, EDE_INVALID_QUERY_TYPE);
    assert_null(asker_option(asker, OPTION_CODE_NSID).data);
}

/* In this test no step answers it with a cookie (RFC 7873 section 5.4). */
static void test_without_a_question_is_a_format_error(void **state)
{
    struct asker *asker = *state;
    asker->options = (struct bytes){(const uint8_t *)"\0\12\0\10cookie..", 12};
    asker->no_question = true;
    expect_refused(asker, "", TYPE_A, RCODE_FORMERR, -1);
}

static void test_strangers_may_be_met_with_silence(void **state)
{
    struct asker *asker = *state;
    assert_int_equal(prefix_parse(&asker->allowed, "192.0.2.0/24"), 0);
    asker->config.access.deny = DENY_DROP;
    asker_ask(asker, "www.example.", TYPE_A);
    assert_int_equal(asker->replies + asker->passed, 0);
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_dropped), 1);
}

static void test_an_empty_list_allows_no_client(void **state)
{
    struct asker *asker = *state;
    asker->config.access.allow_count = 0;
    expect_refused(asker, "www.example.", TYPE_A, RCODE_REFUSED, EDE_PROHIBITED);
}

static void test_answers_of_ours_need_none_of_our_memory(void **state)
{
    struct asker *asker = *state;
    mem_fail_every(1);
    asker_ask(asker, "www.example.", TYPE_AXFR);
    unsigned long asked = mem_asked();
    mem_fail_every(0);
    assert_int_equal(asked, 0);
    assert_true(asker_was_answered(asker, RCODE_NOTIMP));
}

int main(void)
{
    static const uint8_t key[16] = "0123456789abcde";
    hash_init_fixed(key);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_meta_types_are_not_implemented),
        TEST(test_types_of_data_go_on),
        TEST(test_nxname_is_a_format_error),
        TEST(test_any_goes_on_and_over_udp_to_tcp),
        TEST(test_without_an_opt_there_is_no_extended_error),
        TEST(test_only_class_in_is_forwarded),
        TEST(test_meta_types_are_not_implemented_in_any_class),
        TEST(test_chaos_is_refused_unless_turned_on),
        TEST(test_chaos_answers_only_enabled_names),
        TEST(test_chaos_texts_are_unchanged),
        TEST(test_strangers_are_refused_first),
        TEST(test_single_clients_may_be_denied),
        TEST(test_nsid_is_the_hostname),
        TEST(test_without_a_question_is_a_format_error),
        TEST(test_strangers_may_be_met_with_silence),
        TEST(test_an_empty_list_allows_no_client),
        TEST(test_answers_of_ours_need_none_of_our_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
