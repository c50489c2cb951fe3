/* SPDX-License-Identifier: MIT */
/* Clients' messages: the results for valid ones, and the verdict on each kind of invalid one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

#define DO      0x8000u
#define VERSION 0x10000u /* EDNS version 1 in the TTL of an OPT */

static struct wire wire;
static struct request request;

static enum request_verdict parse(void)
{
    memset(&request, 0xEE, sizeof(request));
    return message_parse_request(wire_bytes(&wire), &request);
}

static void begin(unsigned flags, unsigned additionals)
{
    wire_header(&wire, flags, 1, 0, 0, additionals);
    wire_question(&wire, "Www.Example.com", 28);
}

static void assert_formerr_without_edns(bool has_question)
{
    assert_int_equal(parse(), REQUEST_FORMERR);
    assert_int_equal(request.id, 0x1234);
    assert_int_equal(request.has_question, has_question);
    assert_false(request.edns || request.dnssec_ok || request.options);
    assert_int_equal(request.udp_size, 512);
}

static void assert_verdict_with_options(enum request_verdict verdict, const void *options, size_t len)
{
    begin(QUERY_FLAGS, 1);
    wire_opt(&wire, 1232, 0, options, len);
    assert_int_equal(parse(), verdict);
}

static void test_plain_query_is_read(void **state)
{
    (void)state;
    begin(QUERY_FLAGS | FLAG_CD, 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_int_equal(request.id, 0x1234);
    assert_int_equal(request.flags, QUERY_FLAGS | FLAG_CD);
    assert_int_equal(request.opcode, 0);
    assert_true(request.has_question);
    assert_int_equal(request.name_len, 17);
    assert_int_equal(request.type, 28);
    assert_int_equal(request.class, 1);
    assert_int_equal(request.question_end, wire.len);
    assert_false(request.edns || request.dnssec_ok || request.options);
    assert_int_equal(request.udp_size, 512);
}

static void test_opt_is_read(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 1);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_true(request.edns && request.dnssec_ok);
    assert_int_equal(request.options, 0);
    assert_int_equal(request.udp_size, 1232);
}

static void test_udp_size_below_512_counts_as_512(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 1);
    wire_opt(&wire, 100, 0, "", 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_true(request.edns);
    assert_false(request.dnssec_ok);
    assert_int_equal(request.udp_size, 512);
}

static void test_keepalive_is_seen_among_unknown_and_repeated_options(void **state)
{
    static const char options[] = "\0\12\0\10cookie..\0\12\0\10cookie..\377\377\0\1x\0\13\0\0\0\13\0\0\0\14\0\0";
    (void)state;
    assert_verdict_with_options(REQUEST_OK, options, sizeof(options) - 1);
    assert_int_equal(request.options, REQUEST_KEEPALIVE | REQUEST_COOKIE | REQUEST_PADDING);
    assert_verdict_with_options(REQUEST_OK, "\0\13\0\2\0\1", 6);
    assert_int_equal(request.options, 0);
}

static void test_the_first_cookie_is_found(void **state)
{
    static const char options[] = "\0\3\0\2ab\0\12\0\10cookie.1\0\12\0\3two";
    (void)state;
    assert_verdict_with_options(REQUEST_OK, options, sizeof options - 1);
    assert_int_equal(request.options, REQUEST_NSID | REQUEST_COOKIE);
    struct bytes cookie = message_request_cookie(wire_bytes(&wire), &request);
    assert_int_equal(cookie.len, 8);
    assert_memory_equal(cookie.data, "cookie.1", 8);
    assert_verdict_with_options(REQUEST_OK, "\0\12\0\0", 4);
    assert_int_equal(message_request_cookie(wire_bytes(&wire), &request).len, 0);
}

static void without_question(unsigned opcode, unsigned authorities, const void *options, size_t len)
{
    wire_header(&wire, QUERY_FLAGS | opcode << 11, 0, 0, authorities, 1);
    wire_opt(&wire, 1232, 0, options, len);
}

/* RFC 7873 section 5.4 */
static void test_a_query_for_a_cookie_needs_no_question(void **state)
{
    static const char cookie[] = "\0\12\0\10cookie..";
    (void)state;
    without_question(0, 0, cookie, 12);
    assert_int_equal(parse(), REQUEST_NO_QUESTION);
    assert_true(request.edns && !request.has_question);
    without_question(0, 0, "\0\13\0\0", 4);
    assert_int_equal(parse(), REQUEST_FORMERR);
    without_question(0, 0, "\0\12\0\20cookie..", 12);
    assert_int_equal(parse(), REQUEST_FORMERR);
    without_question(2, 0, cookie, 12);
    assert_int_equal(parse(), REQUEST_NOTIMP);
    without_question(0, 1, cookie, 12); /* and no record for the count */
    assert_int_equal(parse(), REQUEST_FORMERR);
}

static void test_broken_options_are_formerr(void **state)
{
    (void)state;
    assert_verdict_with_options(REQUEST_FORMERR, "\0", 1);
    assert_verdict_with_options(REQUEST_FORMERR, "\0\12\0", 3);
    assert_verdict_with_options(REQUEST_FORMERR, "\0\12\0\1", 4);
    assert_verdict_with_options(REQUEST_FORMERR, "\0\12\377\377abc", 7);
    assert_verdict_with_options(REQUEST_FORMERR, "\0\13\0\0\0\12\0\2a", 9);
    assert_formerr_without_edns(true);
}

static void test_short_messages_and_responses_get_silence(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 0);
    wire.len = 11;
    assert_int_equal(parse(), REQUEST_SILENT);
    wire.len = 0;
    assert_int_equal(parse(), REQUEST_SILENT);
    begin(QUERY_FLAGS | FLAG_QR, 0);
    assert_int_equal(parse(), REQUEST_SILENT);
    begin(FLAG_QR | 0x2800, 0);
    assert_int_equal(parse(), REQUEST_SILENT);
}

static void test_other_opcodes_are_notimp_with_any_content(void **state)
{
    (void)state;
    begin(0x2000 | FLAG_RD, 0);
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_int_equal(request.opcode, 4);
    assert_true(request.has_question);
    assert_int_equal(request.type, 28);
    wire.len -= 1;
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_false(request.has_question);
    wire_header(&wire, 0x2800, 0, 0, 0, 0);
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_false(request.has_question);
}

static void test_other_opcodes_show_their_edns(void **state)
{
    (void)state;
    begin(0x1000, 1);
    wire_opt(&wire, 4096, DO | VERSION, "", 0);
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_true(request.edns && request.dnssec_ok);
    wire.len--;
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_false(request.edns || request.dnssec_ok);
}

static void assert_formerr_with_edns(void)
{
    assert_int_equal(parse(), REQUEST_FORMERR);
    assert_true(request.edns && request.dnssec_ok);
    assert_int_equal(request.udp_size, 1232);
}

/* Any well-formed message with an OPT gets an OPT, even if it is not a query. */
static void test_formerr_shows_edns_that_could_be_read(void **state)
{
    (void)state;
    wire_header(&wire, QUERY_FLAGS, 0, 0, 0, 1);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_formerr_with_edns();
    assert_false(request.has_question);
    wire_header(&wire, QUERY_FLAGS, 2, 0, 0, 1);
    wire_question(&wire, "a", 1);
    wire_literal(&wire, AT_QUESTION);
    wire_u32(&wire, 0x00010001);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_formerr_with_edns();
    assert_true(request.has_question);
    wire_header(&wire, QUERY_FLAGS, 1, 0, 1, 1);
    wire_question(&wire, "a", 1);
    wire_a(&wire, 1);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_formerr_with_edns();
    wire.data[5] = 2; /* QDCOUNT 2, so parsing ends within the records */
    assert_formerr_without_edns(true);
}

static void test_qdcount_other_than_1_is_formerr(void **state)
{
    (void)state;
    wire_header(&wire, QUERY_FLAGS, 0, 0, 0, 0);
    assert_formerr_without_edns(false);
    wire_header(&wire, QUERY_FLAGS, 2, 0, 0, 0);
    wire_question(&wire, "a", 1);
    wire_question(&wire, "b", 1);
    assert_formerr_without_edns(true);
    assert_int_equal(request.name_len, 3);
    assert_int_equal(request.question_end, MESSAGE_HEADER + 7);
    wire_header(&wire, QUERY_FLAGS, 0, 0, 0, 0);
    wire_question(&wire, "a", 1);
    assert_formerr_without_edns(false);
    begin(QUERY_FLAGS, 0);
    wire.data[5] = 2; /* with one question only */
    assert_formerr_without_edns(true);
}

static void test_answer_and_authority_records_are_formerr(void **state)
{
    (void)state;
    wire_header(&wire, QUERY_FLAGS, 1, 1, 0, 0);
    wire_question(&wire, "a", 1);
    assert_formerr_without_edns(true);
    wire_a(&wire, 1);
    assert_formerr_without_edns(true);
}

static void test_an_ixfr_brings_its_soa(void **state)
{
    (void)state;
    wire_header(&wire, QUERY_FLAGS, 1, 0, 1, 1);
    wire_question(&wire, "a", 251);
    wire_record(&wire, 6, 0, "\0\0....................", 22);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_true(request.edns && request.dnssec_ok);
    wire_header(&wire, QUERY_FLAGS, 1, 0, 1, 0); /* an OPT in its place */
    wire_question(&wire, "a", 251);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_formerr_without_edns(true);
}

static void test_edns_of_other_opcodes_is_read_behind_their_records(void **state)
{
    (void)state;
    wire_header(&wire, 0x2000, 1, 1, 0, 1); /* NOTIFY with a SOA (RFC 1996 section 3.7) */
    wire_question(&wire, "a", 6);
    wire_record(&wire, 6, 0, "\0\0....................", 22);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_true(request.edns && request.dnssec_ok);
    wire.len--;
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_false(request.edns || request.dnssec_ok);
}

static void test_bad_question_names_are_formerr(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 0);
    wire.data[MESSAGE_HEADER] = 0x40;
    assert_formerr_without_edns(false);
    begin(QUERY_FLAGS, 0);
    wire.len -= 1;
    assert_formerr_without_edns(false);
    wire.len = MESSAGE_HEADER + 5;
    assert_formerr_without_edns(false);
    wire.len = MESSAGE_HEADER;
    assert_formerr_without_edns(false);
}

static void test_compressed_question_name_is_formerr(void **state)
{
    (void)state;
    wire_header(&wire, QUERY_FLAGS, 1, 0, 0, 0);
    wire_literal(&wire, "\1a\300\014\0\1\0\1");
    assert_formerr_without_edns(false);
    wire_header(&wire, QUERY_FLAGS, 1, 0, 0, 0);
    wire_literal(&wire, "\300\004\0\1\0\1");
    assert_formerr_without_edns(false);
}

static void test_question_name_may_have_255_bytes_and_not_256(void **state)
{
    char name[300];
    (void)state;
    memset(name, 'a', sizeof(name));
    name[63] = name[127] = name[191] = '.';
    for (size_t last = 61; last <= 62; last++) {
        name[192 + last] = '\0';
        wire_header(&wire, QUERY_FLAGS, 1, 0, 0, 0);
        wire_question(&wire, name, 1);
        assert_int_equal(parse(), last == 61 ? REQUEST_OK : REQUEST_FORMERR);
        name[192 + last] = 'a';
    }
}

static void test_bytes_behind_the_last_record_are_ignored(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_false(request.trailing);
    wire_u8(&wire, 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_true(request.trailing);
    begin(QUERY_FLAGS, 0); /* an OPT that ARCOUNT does not count is ignored */
    wire_opt(&wire, 1232, DO, "", 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_true(request.trailing);
    assert_false(request.edns);
    begin(QUERY_FLAGS, 1);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_false(request.trailing);
    wire_u8(&wire, 0);
    assert_int_equal(parse(), REQUEST_OK);
    assert_true(request.trailing && request.edns && request.dnssec_ok);
}

static void test_counts_that_lie_are_formerr(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 1);
    assert_formerr_without_edns(true);
    begin(QUERY_FLAGS, 65535);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_formerr_without_edns(true);
}

static void test_opt_cut_anywhere_is_formerr(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 1);
    size_t question_end = wire.len;
    wire_opt(&wire, 1232, DO, "\0\13\0\0", 4);
    for (wire.len--; wire.len >= question_end; wire.len--)
        assert_formerr_without_edns(true);
}

static void test_second_opt_is_formerr(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 2);
    wire_opt(&wire, 1232, DO, "", 0);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_formerr_without_edns(true);
}

static void test_opt_of_another_name_than_the_root_is_formerr(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 1);
    wire_record(&wire, 41, 0, "", 0);
    assert_formerr_without_edns(true);
    begin(QUERY_FLAGS, 1);
    size_t owner = wire.len;
    wire_opt(&wire, 1232, 0, "", 0);
    wire.data[owner] = 1;
    assert_formerr_without_edns(true);
    begin(QUERY_FLAGS, 1); /* a pointer to the root is not the root either */
    wire_pointer(&wire, wire.len - 5);
    wire_fixed(&wire, 41, 0, 0);
    assert_formerr_without_edns(true);
}

static void test_version_above_0_is_badvers(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 1);
    wire_opt(&wire, 1232, DO | VERSION, "", 0);
    assert_int_equal(parse(), REQUEST_BADVERS);
    assert_true(request.edns && request.dnssec_ok && request.has_question);
    begin(QUERY_FLAGS, 1); /* the meaning of its options is unknown */
    wire_opt(&wire, 1232, DO | VERSION, "\0", 1);
    assert_int_equal(parse(), REQUEST_BADVERS);
    assert_true(request.edns && request.dnssec_ok);
}

static const char tsig[] = "\10hmac-md5\0\0\0\0\0\0\1\0\1\0\2ab\0\1\0\0\0\0";
static const char sig_covering_0[] = "\0\0\5\0\0\0\0\0\0\0\0\1\0\0\0\1\0\1\1a\0sig";

static void test_signed_queries_are_notimp(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 2);
    wire_opt(&wire, 1232, DO, "", 0);
    wire_record(&wire, 250, 0, tsig, sizeof(tsig) - 1);
    assert_int_equal(parse(), REQUEST_NOTIMP);
    assert_true(request.has_question && request.edns && request.dnssec_ok);
    begin(QUERY_FLAGS, 1);
    wire_u8(&wire, 0);
    wire_fixed(&wire, 24, 0, sizeof(sig_covering_0) - 1);
    wire_raw(&wire, sig_covering_0, sizeof(sig_covering_0) - 1);
    assert_int_equal(parse(), REQUEST_NOTIMP);
    wire.data[wire.len - sizeof(sig_covering_0) + 2] = 1; /* it covers A records: no signature of the message */
    assert_int_equal(parse(), REQUEST_OK);
}

static void test_format_and_version_come_before_signatures(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 2);
    wire_record(&wire, 250, 0, tsig, sizeof(tsig) - 1);
    wire_opt(&wire, 1232, DO | VERSION, "", 0);
    assert_int_equal(parse(), REQUEST_BADVERS);
    wire.len--;
    assert_formerr_without_edns(true);
    begin(QUERY_FLAGS, 1);
    wire_record(&wire, 250, 0, tsig, sizeof(tsig) - 2);
    assert_formerr_without_edns(true);
}

static void test_other_additional_records_are_walked(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 3);
    wire_a(&wire, 1);
    wire_opt(&wire, 1232, DO, "", 0);
    wire_name(&wire, "else");
    wire_fixed(&wire, 5, 1, 2);
    wire_literal(&wire, AT_QUESTION);
    assert_int_equal(parse(), REQUEST_OK);
    assert_true(request.edns && request.dnssec_ok);
    begin(QUERY_FLAGS, 1);
    wire_record(&wire, 1, 1, "", 0);
    assert_formerr_without_edns(true);
}

static void test_pointers_in_additional_records_lead_backwards(void **state)
{
    (void)state;
    begin(QUERY_FLAGS, 1);
    wire_pointer(&wire, wire.len);
    wire_fixed(&wire, 1, 1, 4);
    wire_u32(&wire, 0);
    assert_formerr_without_edns(true);
}

static void test_key_is_lower_case_with_do_and_cd(void **state)
{
    struct key key;
    (void)state;
    begin(QUERY_FLAGS | FLAG_CD, 1);
    wire_opt(&wire, 1232, DO, "", 0);
    assert_int_equal(parse(), REQUEST_OK);
    message_request_key(wire_bytes(&wire), &request, &key);
    assert_int_equal(key.group, 0);
    assert_int_equal(key.type, 28);
    assert_int_equal(key.class, 1);
    assert_int_equal(key.flags, KEY_DO | KEY_CD);
    assert_int_equal(key.name_len, 17);
    assert_memory_equal(key.name, "\3www\7example\3com\0", 17);
    begin(QUERY_FLAGS, 0);
    assert_int_equal(parse(), REQUEST_OK);
    message_request_key(wire_bytes(&wire), &request, &key);
    assert_int_equal(key.flags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_query_is_read),
        cmocka_unit_test(test_opt_is_read),
        cmocka_unit_test(test_udp_size_below_512_counts_as_512),
        cmocka_unit_test(test_keepalive_is_seen_among_unknown_and_repeated_options),
        cmocka_unit_test(test_the_first_cookie_is_found),
        cmocka_unit_test(test_a_query_for_a_cookie_needs_no_question),
        cmocka_unit_test(test_broken_options_are_formerr),
        cmocka_unit_test(test_short_messages_and_responses_get_silence),
        cmocka_unit_test(test_other_opcodes_are_notimp_with_any_content),
        cmocka_unit_test(test_other_opcodes_show_their_edns),
        cmocka_unit_test(test_qdcount_other_than_1_is_formerr),
        cmocka_unit_test(test_answer_and_authority_records_are_formerr),
        cmocka_unit_test(test_an_ixfr_brings_its_soa),
        cmocka_unit_test(test_edns_of_other_opcodes_is_read_behind_their_records),
        cmocka_unit_test(test_bad_question_names_are_formerr),
        cmocka_unit_test(test_compressed_question_name_is_formerr),
        cmocka_unit_test(test_question_name_may_have_255_bytes_and_not_256),
        cmocka_unit_test(test_formerr_shows_edns_that_could_be_read),
        cmocka_unit_test(test_bytes_behind_the_last_record_are_ignored),
        cmocka_unit_test(test_counts_that_lie_are_formerr),
        cmocka_unit_test(test_opt_cut_anywhere_is_formerr),
        cmocka_unit_test(test_second_opt_is_formerr),
        cmocka_unit_test(test_opt_of_another_name_than_the_root_is_formerr),
        cmocka_unit_test(test_version_above_0_is_badvers),
        cmocka_unit_test(test_signed_queries_are_notimp),
        cmocka_unit_test(test_format_and_version_come_before_signatures),
        cmocka_unit_test(test_other_additional_records_are_walked),
        cmocka_unit_test(test_pointers_in_additional_records_lead_backwards),
        cmocka_unit_test(test_key_is_lower_case_with_do_and_cd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
