/* SPDX-License-Identifier: MIT */
/* The data of records: that of every type fills RDLENGTH exactly, and names in it are compressed only where that is
 * allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "base/errors.h"
#include "wire.h"

static struct wire wire;
static struct answer_scratch scratch;

/* True if a record with this data, followed by another record, is accepted. */
static bool accepted(unsigned type, const void *rdata, size_t rdlength)
{
    struct answer answer;
    wire_header(&wire, ANSWER_FLAGS, 1, 2, 0, 0);
    wire_question(&wire, "example.com", type);
    wire_record(&wire, type, 60, rdata, rdlength);
    wire_a(&wire, 60);
    int error = message_own_answer(wire.data, wire.len, &scratch, &answer);
    assert_true(error == 0 || error == ERROR_MALFORMED);
    return error == 0;
}

enum { TYPE_RESINFO = 261, TYPE_WALLET = 262 };

#define accepts(type, literal) accepted(type, literal, sizeof(literal) - 1)

#define NAME   "\1a\2bc\0"
#define FIXED4 "\1\2\3\4"
#define FIXED8 FIXED4 FIXED4
#define SIGNED "\0\1\5\2" FIXED8 FIXED4 "\1\2" /* type covered to key tag */

#define SAMPLE(type, shortest, open, literal)                                                                          \
    {                                                                                                                  \
        type, shortest, open, sizeof(literal) - 1, literal                                                             \
    }

/* Data of each type; its first `shortest` bytes are valid, fewer are not. Open data may be longer: the rest is a
 * blob. Other data is valid only as a whole. */
static const struct {
    unsigned type;
    size_t shortest;
    bool open;
    size_t len;
    const char *rdata;
} samples[] = {
    SAMPLE(LDNS_RR_TYPE_A, 4, false, FIXED4),
    SAMPLE(LDNS_RR_TYPE_NS, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_MD, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_MF, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_CNAME, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_SOA, 32, false, NAME NAME FIXED8 FIXED8 FIXED4),
    SAMPLE(LDNS_RR_TYPE_MB, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_MG, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_MR, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_NULL, 0, true, "anything"),
    SAMPLE(LDNS_RR_TYPE_WKS, 5, true, FIXED4 "\6\1\2\3"),
    SAMPLE(LDNS_RR_TYPE_PTR, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_HINFO, 4, false, "\3cpu\4unix"),
    SAMPLE(LDNS_RR_TYPE_MINFO, 12, false, NAME NAME),
    SAMPLE(LDNS_RR_TYPE_MX, 8, false, "\0\12" NAME),
    SAMPLE(LDNS_RR_TYPE_TXT, 4, false, "\3one"),
    SAMPLE(LDNS_RR_TYPE_RP, 12, false, NAME NAME),
    SAMPLE(LDNS_RR_TYPE_AFSDB, 8, false, "\0\1" NAME),
    SAMPLE(LDNS_RR_TYPE_X25, 5, false, "\0041234"),
    SAMPLE(LDNS_RR_TYPE_ISDN, 5, false, "\0041234"),
    SAMPLE(LDNS_RR_TYPE_RT, 8, false, "\0\1" NAME),
    SAMPLE(LDNS_RR_TYPE_NSAP, 0, true, "\107\0\5"),
    SAMPLE(LDNS_RR_TYPE_NSAP_PTR, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_SIG, 25, true, SIGNED NAME "signature"),
    SAMPLE(LDNS_RR_TYPE_KEY, 4, true, "\1\0\3\5key"),
    SAMPLE(LDNS_RR_TYPE_PX, 14, false, "\0\1" NAME NAME),
    SAMPLE(LDNS_RR_TYPE_GPOS, 12, false, "\3-32\0037.5\003250"),
    SAMPLE(LDNS_RR_TYPE_AAAA, 16, false, FIXED8 FIXED8),
    SAMPLE(LDNS_RR_TYPE_LOC, 0, true, "\0\22\26\23" FIXED8 FIXED4),
    SAMPLE(LDNS_RR_TYPE_NXT, 6, true, NAME "\100\1"),
    SAMPLE(LDNS_RR_TYPE_EID, 0, true, "\1\2"),
    SAMPLE(LDNS_RR_TYPE_NIMLOC, 0, true, "\1\2"),
    SAMPLE(LDNS_RR_TYPE_SRV, 12, false, "\0\1\0\2\0\3" NAME),
    SAMPLE(LDNS_RR_TYPE_ATMA, 0, true, "\1\2"),
    SAMPLE(LDNS_RR_TYPE_NAPTR, 21, false, "\0\1\0\2\1s\7SIP+D2U\0" NAME),
    SAMPLE(LDNS_RR_TYPE_KX, 8, false, "\0\1" NAME),
    SAMPLE(LDNS_RR_TYPE_CERT, 5, true, "\0\1\0\2\5cert"),
    SAMPLE(LDNS_RR_TYPE_A6, 0, true, "\0" FIXED8 FIXED8),
    SAMPLE(LDNS_RR_TYPE_DNAME, 6, false, NAME),
    SAMPLE(LDNS_RR_TYPE_SINK, 0, true, "\1\2\3"),
    SAMPLE(LDNS_RR_TYPE_APL, 0, false, "\0\1\30\203\300\0\2"),
    SAMPLE(LDNS_RR_TYPE_DS, 4, true, "\1\2\10\2digest"),
    SAMPLE(LDNS_RR_TYPE_SSHFP, 2, true, "\1\2print"),
    SAMPLE(LDNS_RR_TYPE_IPSECKEY, 9, true, "\12\3\2" NAME "key"),
    SAMPLE(LDNS_RR_TYPE_RRSIG, 25, true, SIGNED NAME "signature"),
    SAMPLE(LDNS_RR_TYPE_NSEC, 6, false, NAME "\0\1\100"),
    SAMPLE(LDNS_RR_TYPE_DNSKEY, 4, true, "\1\1\3\10key"),
    SAMPLE(LDNS_RR_TYPE_DHCID, 0, true, "\0\2\1digest"),
    SAMPLE(LDNS_RR_TYPE_NSEC3, 12, false, "\1\0\0\12\2ab\4hash\0\1\100"),
    SAMPLE(LDNS_RR_TYPE_NSEC3PARAM, 7, false, "\1\0\0\12\2ab"),
    SAMPLE(LDNS_RR_TYPE_TLSA, 3, true, "\3\1\1data"),
    SAMPLE(LDNS_RR_TYPE_SMIMEA, 3, true, "\3\1\1data"),
    SAMPLE(LDNS_RR_TYPE_HIP, 10, false, "\2\2\0\4hhkkkk"),
    SAMPLE(LDNS_RR_TYPE_NINFO, 4, false, "\3one"),
    SAMPLE(LDNS_RR_TYPE_TALINK, 12, false, NAME NAME),
    SAMPLE(LDNS_RR_TYPE_CDS, 4, true, "\0\0\0\0\0"),
    SAMPLE(LDNS_RR_TYPE_CDNSKEY, 4, true, "\0\0\3\0\0"),
    SAMPLE(LDNS_RR_TYPE_OPENPGPKEY, 0, true, "key"),
    SAMPLE(LDNS_RR_TYPE_CSYNC, 6, false, FIXED4 "\0\1\0\1\100"),
    SAMPLE(LDNS_RR_TYPE_ZONEMD, 6, true, FIXED4 "\1\1digest"),
    SAMPLE(LDNS_RR_TYPE_SVCB, 8, false, "\0\1" NAME "\0\3\0\2\1\273"),
    SAMPLE(LDNS_RR_TYPE_HTTPS, 8, false, "\0\1" NAME "\0\3\0\2\1\273"),
    SAMPLE(LDNS_RR_TYPE_SPF, 4, false, "\3one"),
    SAMPLE(LDNS_RR_TYPE_NID, 10, false, "\0\1" FIXED8),
    SAMPLE(LDNS_RR_TYPE_L32, 6, false, "\0\1" FIXED4),
    SAMPLE(LDNS_RR_TYPE_L64, 10, false, "\0\1" FIXED8),
    SAMPLE(LDNS_RR_TYPE_LP, 8, false, "\0\1" NAME),
    SAMPLE(LDNS_RR_TYPE_EUI48, 6, false, "\1\2\3\4\5\6"),
    SAMPLE(LDNS_RR_TYPE_EUI64, 8, false, FIXED8),
    SAMPLE(LDNS_RR_TYPE_TKEY, 25, false, NAME FIXED8 "\0\3\0\0\0\2ke\0\1o"),
    SAMPLE(LDNS_RR_TYPE_URI, 4, true, "\0\1\0\2https:"),
    SAMPLE(LDNS_RR_TYPE_CAA, 7, true, "\0\5issueca"),
    SAMPLE(LDNS_RR_TYPE_AVC, 4, false, "\3one"),
    SAMPLE(LDNS_RR_TYPE_AMTRELAY, 8, false, "\12\203" NAME),
    SAMPLE(LDNS_RR_TYPE_DLV, 4, true, "\1\2\10\2digest"),
    /* Types that only ldns 1.8.4 knows: */
    SAMPLE(TYPE_NXNAME, 0, true, "anything"),
    SAMPLE(TYPE_RESINFO, 0, true, "\3one"),
    SAMPLE(TYPE_WALLET, 0, true, "\3one"),
    SAMPLE(65280, 0, true, "anything"),
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void test_data_of_every_type_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        if (!accepted(samples[i].type, samples[i].rdata, samples[i].len))
            fail_msg("type %u", samples[i].type);
    }
}

static void test_every_type_that_ldns_reads_by_fields_has_a_sample(void **state)
{
    (void)state;
    for (unsigned type = 1; type < 65536; type++) {
        const ldns_rr_descriptor *descriptor = ldns_rr_descript((uint16_t)type);
        bool known = type == LDNS_RR_TYPE_OPT || type == LDNS_RR_TYPE_TSIG;
        for (size_t i = 0; i < SAMPLES; i++)
            known = known || samples[i].type == type;
        if (descriptor->_type == type && !known)
            fail_msg("type %u", type);
    }
}

static bool holds_strings_only(unsigned type)
{
    return type == LDNS_RR_TYPE_TXT || type == LDNS_RR_TYPE_SPF || type == LDNS_RR_TYPE_AVC ||
           type == LDNS_RR_TYPE_NINFO;
}

static void test_data_too_short_or_too_long_is_malformed(void **state)
{
    char longer[64];
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t len = 0; len < samples[i].len; len++) {
            bool good = samples[i].open ? len >= samples[i].shortest : len == samples[i].shortest;
            good = good || (len == 0 && holds_strings_only(samples[i].type));
            if (accepted(samples[i].type, samples[i].rdata, len) != good)
                fail_msg("type %u, %zu bytes", samples[i].type, len);
        }
        memcpy(longer, samples[i].rdata, samples[i].len);
        longer[samples[i].len] = 9;
        if (accepted(samples[i].type, longer, samples[i].len + 1) != samples[i].open)
            fail_msg("type %u, one byte more", samples[i].type);
    }
}

static void test_data_that_reads_into_the_next_record_is_malformed(void **state)
{
    (void)state;
    assert_false(accepts(LDNS_RR_TYPE_CNAME, "\300")); /* half a pointer; the next byte is one */
    assert_false(accepts(LDNS_RR_TYPE_CNAME, "\3ab"));
    assert_false(accepts(LDNS_RR_TYPE_TXT, "\5abcd"));
    assert_false(accepts(LDNS_RR_TYPE_NAPTR, "\0\1\0\2\0\0\5abcd"));
}

static void test_names_are_decompressed_where_receivers_must(void **state)
{
    (void)state;
    assert_true(accepts(LDNS_RR_TYPE_NS, AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_CNAME, "\1a" AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_SOA, AT_QUESTION "\1a" AT_QUESTION FIXED8 FIXED8 FIXED4));
    assert_true(accepts(LDNS_RR_TYPE_MINFO, AT_QUESTION AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_MX, "\0\1" AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_RP, AT_QUESTION AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_AFSDB, "\0\1" AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_RT, "\0\1" AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_SIG, SIGNED AT_QUESTION "signature"));
    assert_true(accepts(LDNS_RR_TYPE_PX, "\0\1" AT_QUESTION AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_NXT, AT_QUESTION "\100"));
    assert_true(accepts(LDNS_RR_TYPE_SRV, "\0\1\0\2\0\3" AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_NAPTR, "\0\1\0\2\0\0\0" AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_KX, "\0\1" AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_DNAME, AT_QUESTION));
    assert_true(accepts(LDNS_RR_TYPE_LP, "\0\1" AT_QUESTION));
}

static void test_names_are_not_decompressed_elsewhere(void **state)
{
    (void)state;
    assert_false(accepts(LDNS_RR_TYPE_RRSIG, SIGNED AT_QUESTION "signature"));
    assert_false(accepts(LDNS_RR_TYPE_NSEC, AT_QUESTION "\0\1\100"));
    assert_false(accepts(LDNS_RR_TYPE_SVCB, "\0\1" AT_QUESTION));
    assert_false(accepts(LDNS_RR_TYPE_HTTPS, "\0\1" AT_QUESTION));
    assert_false(accepts(LDNS_RR_TYPE_HIP, "\2\2\0\4hhkkkk" AT_QUESTION));
    assert_false(accepts(LDNS_RR_TYPE_TALINK, AT_QUESTION AT_QUESTION));
    assert_false(accepts(LDNS_RR_TYPE_IPSECKEY, "\12\3\2" AT_QUESTION "key"));
}

static void test_names_in_data_may_be_pointed_at(void **state)
{
    struct answer answer;
    (void)state;
    wire_header(&wire, ANSWER_FLAGS, 1, 2, 0, 0);
    wire_question(&wire, "", LDNS_RR_TYPE_HTTPS);
    size_t record = wire.len;
    wire_record(&wire, LDNS_RR_TYPE_HTTPS, 60, "\0\1\3www\0", 7);
    wire_pointer(&wire, record + 12 + 2);
    wire_fixed(&wire, 1, 60, 4);
    wire_u32(&wire, 0);
    assert_int_equal(message_own_answer(wire.data, wire.len, &scratch, &answer), 0);
}

static void test_strings_follow_each_other(void **state)
{
    (void)state;
    assert_true(accepts(LDNS_RR_TYPE_TXT, "\0"));
    assert_true(accepts(LDNS_RR_TYPE_TXT, "\3one\0\5three"));
    assert_false(accepts(LDNS_RR_TYPE_TXT, "\3one\6three"));
    assert_true(accepts(LDNS_RR_TYPE_ISDN, "\3one\3two"));
    assert_false(accepts(LDNS_RR_TYPE_ISDN, "\3one\3two\5three"));
}

static void test_type_bitmaps_are_sane(void **state)
{
    char bitmap[64] = "\1a\0\0\40";
    (void)state;
    assert_true(accepts(LDNS_RR_TYPE_NSEC, "\1a\0")); /* an empty one */
    assert_true(accepts(LDNS_RR_TYPE_NSEC, "\1a\0\0\1\100\1\1\100\377\1\1"));
    assert_true(accepts(LDNS_RR_TYPE_NSEC3, "\1\0\0\0\0\4hash"));
    assert_true(accepted(LDNS_RR_TYPE_NSEC, bitmap, 5 + 32));
    bitmap[4] = 33;
    assert_false(accepted(LDNS_RR_TYPE_NSEC, bitmap, 5 + 33));
    assert_false(accepts(LDNS_RR_TYPE_NSEC, "\1a\0\0\0"));             /* a window of nothing */
    assert_false(accepts(LDNS_RR_TYPE_NSEC, "\1a\0\1\1\100\0\1\100")); /* descending */
    assert_false(accepts(LDNS_RR_TYPE_NSEC, "\1a\0\1\1\100\1\1\100")); /* twice */
    assert_false(accepts(LDNS_RR_TYPE_NSEC, "\1a\0\0\2\100"));         /* cut */
    assert_false(accepts(LDNS_RR_TYPE_CSYNC, FIXED4 "\0\1\0\1\100\5"));
}

static void test_service_parameters_may_be_unknown_but_not_cut(void **state)
{
    (void)state;
    assert_true(accepts(LDNS_RR_TYPE_HTTPS, "\0\0" NAME));
    assert_true(accepts(LDNS_RR_TYPE_HTTPS, "\0\1\0\0\1\0\3\2h2\0\2\0\0\377\0\0\4abcd"));
    assert_false(accepts(LDNS_RR_TYPE_HTTPS, "\0\1\0\0\1\0\3\2h"));
    assert_false(accepts(LDNS_RR_TYPE_HTTPS, "\0\1\0\0\1\0"));
    assert_false(accepts(LDNS_RR_TYPE_HTTPS, "\0\1\0\0"));
}

static void test_address_prefixes_are_whole(void **state)
{
    (void)state;
    assert_true(accepts(LDNS_RR_TYPE_APL, ""));
    assert_true(accepts(LDNS_RR_TYPE_APL, "\0\1\0\0\0\2\10\1\40"));
    assert_false(accepts(LDNS_RR_TYPE_APL, "\0\1\30\2\300"));
    assert_false(accepts(LDNS_RR_TYPE_APL, "\0\1\30"));
}

static void test_gateways_have_the_given_kind(void **state)
{
    (void)state;
    assert_true(accepts(LDNS_RR_TYPE_IPSECKEY, "\12\0\2key"));
    assert_true(accepts(LDNS_RR_TYPE_IPSECKEY, "\12\1\2" FIXED4 "key"));
    assert_false(accepts(LDNS_RR_TYPE_IPSECKEY, "\12\1\2\1\2\3"));
    assert_true(accepts(LDNS_RR_TYPE_IPSECKEY, "\12\2\2" FIXED8 FIXED8 "key"));
    assert_true(accepts(LDNS_RR_TYPE_IPSECKEY, "\12\7\2what"));
    assert_true(accepts(LDNS_RR_TYPE_AMTRELAY, "\12\0"));
    assert_true(accepts(LDNS_RR_TYPE_AMTRELAY, "\12\201" FIXED4));
    assert_false(accepts(LDNS_RR_TYPE_AMTRELAY, "\12\201" FIXED8));
    assert_true(accepts(LDNS_RR_TYPE_AMTRELAY, "\12\2" FIXED8 FIXED8));
}

static void test_host_identities_name_their_servers(void **state)
{
    (void)state;
    assert_true(accepts(LDNS_RR_TYPE_HIP, "\2\2\0\4hhkkkk" NAME NAME));
    assert_false(accepts(LDNS_RR_TYPE_HIP, "\2\2\0\5hhkkkk"));
    assert_false(accepts(LDNS_RR_TYPE_HIP, "\2\2\0\4hhkkkk" NAME "\1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_of_every_type_is_accepted),
        cmocka_unit_test(test_every_type_that_ldns_reads_by_fields_has_a_sample),
        cmocka_unit_test(test_data_too_short_or_too_long_is_malformed),
        cmocka_unit_test(test_data_that_reads_into_the_next_record_is_malformed),
        cmocka_unit_test(test_names_are_decompressed_where_receivers_must),
        cmocka_unit_test(test_names_are_not_decompressed_elsewhere),
        cmocka_unit_test(test_names_in_data_may_be_pointed_at),
        cmocka_unit_test(test_strings_follow_each_other),
        cmocka_unit_test(test_type_bitmaps_are_sane),
        cmocka_unit_test(test_service_parameters_may_be_unknown_but_not_cut),
        cmocka_unit_test(test_address_prefixes_are_whole),
        cmocka_unit_test(test_gateways_have_the_given_kind),
        cmocka_unit_test(test_host_identities_name_their_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
