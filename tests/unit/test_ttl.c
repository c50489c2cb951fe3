/* SPDX-License-Identifier: MIT */
#include "dns/edit.h"
#include "dns/rewrite.h"
#include "dns/ttl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum {
    A = 1,
    NS = 2,
    CNAME = 5,
    SOA = 6,
    TXT = 16,
    AAAA = 28,
    DNAME = 39,
    RRSIG = 46,
    NSEC = 47,
    NSEC3 = 50,
    ANY = 255
};
enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5, YXDOMAIN = 6 };
enum { ANSWER = 6, AUTHORITY = 8, ADDITIONAL = 10 }; /* where the header counts them */

#define DAY 86400u

static const struct ttl_limits wide = {0, DAY, 3600};

/* A message under construction: records are added section by section, owned by the root. */
struct sample {
    uint8_t wire[1024];
    struct writer writer;
    uint16_t offsets[16];
    struct answer answer;
};

static void begin(struct sample *sample, uint16_t rcode)
{
    static const uint8_t question[] = {0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, A, 0, 1};
    memset(sample, 0, sizeof(*sample));
    sample->writer = writer_over(sample->wire, sizeof(sample->wire));
    writer_bytes(&sample->writer, question, sizeof(question));
    sample->answer = (struct answer){.wire = sample->wire, .rcode = rcode, .ttl = 77, .ttl_offsets = sample->offsets};
}

static void add(struct sample *sample, int section, uint16_t type, uint32_t ttl, const void *rdata, uint16_t len)
{
    struct writer *writer = &sample->writer;
    writer_u8(writer, 0);
    writer_u16(writer, type);
    writer_u16(writer, 1);
    sample->offsets[sample->answer.ttl_count++] = (uint16_t)writer_len(writer);
    writer_u32(writer, ttl);
    writer_u16(writer, len);
    writer_bytes(writer, rdata, len);
    sample->answer.len = writer_len(writer);
    write_u16(sample->wire + section, (uint16_t)(read_u16(sample->wire + section) + 1));
}

static void add_plain(struct sample *sample, int section, uint16_t type, uint32_t ttl)
{
    add(sample, section, type, ttl, "\1\2\3\4", 4);
}

static void add_soa(struct sample *sample, int section, uint32_t ttl, uint32_t minimum)
{
    uint8_t rdata[22] = {0};
    write_u32(rdata + 18, minimum);
    add(sample, section, SOA, ttl, rdata, sizeof(rdata));
}

static uint32_t shown(const struct sample *sample, unsigned record)
{
    return read_u32(sample->wire + sample->offsets[record]);
}

static uint32_t apply(struct sample *sample, uint16_t qtype, const struct ttl_limits *limits)
{
    ttl_apply(&sample->answer, qtype, limits);
    return sample->answer.ttl;
}

static void positive_is_cached_for_the_lowest_ttl_of_answer_and_proof(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 300);
    add_plain(&sample, ANSWER, A, 200);
    add_plain(&sample, AUTHORITY, NS, 0);
    assert_int_equal(apply(&sample, A, &wide), 200);
    assert_int_equal(shown(&sample, 0), 300);
    assert_int_equal(shown(&sample, 2), 0);
    const uint16_t proofs[] = {RRSIG, NSEC, NSEC3};
    for (unsigned i = 0; i < 3; i++) {
        begin(&sample, NOERROR);
        add_plain(&sample, ANSWER, A, 300);
        add_plain(&sample, AUTHORITY, proofs[i], 100);
        assert_int_equal(apply(&sample, A, &wide), 100);
    }
}

static void negative_ends_with_its_proof(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NXDOMAIN);
    add_soa(&sample, AUTHORITY, 300, 300);
    add_plain(&sample, AUTHORITY, NSEC, 40);
    assert_int_equal(apply(&sample, A, &wide), 40);
    assert_int_equal(shown(&sample, 0), 40);
}

static void additional_records_are_only_capped(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 300);
    add_plain(&sample, ADDITIONAL, A, 5);
    add_plain(&sample, ADDITIONAL, A, 2 * DAY);
    assert_int_equal(apply(&sample, A, &(struct ttl_limits){60, DAY, 3600}), 300);
    assert_int_equal(shown(&sample, 1), 5);
    assert_int_equal(shown(&sample, 2), DAY);
}

static void the_high_bit_means_large_and_is_capped(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 0x80000000);
    add_plain(&sample, ANSWER, A, UINT32_MAX);
    assert_int_equal(apply(&sample, A, &wide), DAY);
    assert_int_equal(shown(&sample, 0), DAY);
    assert_int_equal(shown(&sample, 1), DAY);
}

static void no_limit_lets_a_ttl_leave_the_range(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, UINT32_MAX);
    assert_int_equal(apply(&sample, A, &(struct ttl_limits){0, UINT32_MAX, 3600}), INT32_MAX);
    assert_int_equal(shown(&sample, 0), INT32_MAX);
}

static void min_raises_only_ttls_above_0(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 1);
    assert_int_equal(apply(&sample, A, &(struct ttl_limits){60, DAY, 3600}), 60);
    assert_int_equal(shown(&sample, 0), 60);
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 0);
    add_plain(&sample, ANSWER, A, 10);
    assert_int_equal(apply(&sample, A, &(struct ttl_limits){60, DAY, 3600}), 0);
    assert_int_equal(shown(&sample, 0), 0);
    assert_int_equal(shown(&sample, 1), 60);
}

static void a_chain_that_ends_in_the_type_is_positive(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, DNAME, 900);
    add_plain(&sample, ANSWER, CNAME, 30);
    add_plain(&sample, ANSWER, A, 300);
    add_soa(&sample, AUTHORITY, 500, 10);
    assert_int_equal(apply(&sample, A, &wide), 30);
    assert_int_equal(shown(&sample, 3), 500);
}

static void a_chain_that_ends_in_nothing_is_negative_and_bounds_it(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, CNAME, 30);
    add_plain(&sample, ANSWER, CNAME, 700);
    add_soa(&sample, AUTHORITY, 500, 400);
    assert_int_equal(apply(&sample, A, &wide), 30);
    assert_int_equal(shown(&sample, 0), 30);
    assert_int_equal(shown(&sample, 1), 700);
    assert_int_equal(shown(&sample, 2), 30);
}

static void signatures_are_not_of_the_queried_type(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, CNAME, 600);
    add_plain(&sample, ANSWER, RRSIG, 600);
    assert_int_equal(apply(&sample, A, &wide), 0);
    assert_int_equal(apply(&sample, RRSIG, &wide), 600);
}

static void cname_and_any_accept_all_answer_records(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, CNAME, 600);
    assert_int_equal(apply(&sample, CNAME, &wide), 600);
    assert_int_equal(apply(&sample, ANY, &wide), 600);
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, DNAME, 600);
    assert_int_equal(apply(&sample, CNAME, &wide), 600);
    assert_int_equal(apply(&sample, ANY, &wide), 600);
    begin(&sample, NOERROR);
    add_plain(&sample, AUTHORITY, NS, 600);
    assert_int_equal(apply(&sample, CNAME, &wide), 0);
    assert_int_equal(apply(&sample, ANY, &wide), 0);
}

static void check_negative(uint16_t rcode, uint32_t soa_ttl, uint32_t minimum, uint32_t most, uint32_t expected)
{
    struct sample sample;
    begin(&sample, rcode);
    add_plain(&sample, AUTHORITY, NS, 9);
    add_soa(&sample, AUTHORITY, soa_ttl, minimum);
    assert_int_equal(apply(&sample, A, &(struct ttl_limits){0, DAY, most}), expected);
    assert_int_equal(shown(&sample, 0), 9);
    assert_int_equal(shown(&sample, 1), expected);
}

static void negative_is_the_lowest_of_soa_ttl_minimum_and_limit(void **state)
{
    (void)state;
    for (uint16_t rcode = NOERROR; rcode <= NXDOMAIN; rcode += NXDOMAIN) {
        check_negative(rcode, 100, 200, 300, 100);
        check_negative(rcode, 200, 100, 300, 100);
        check_negative(rcode, 200, 300, 100, 100);
        check_negative(rcode, 200, 0, 100, 0);
        check_negative(rcode, 0, 200, 100, 0);
        check_negative(rcode, UINT32_MAX, UINT32_MAX, UINT32_MAX, DAY);
    }
}

static void min_raises_no_negative_answer(void **state)
{
    (void)state;
    static const struct ttl_limits at_least_60 = {60, DAY, 3600};
    struct sample sample;
    for (uint16_t rcode = NOERROR; rcode <= NXDOMAIN; rcode += NXDOMAIN) {
        begin(&sample, rcode);
        add_soa(&sample, AUTHORITY, 5, 20);
        assert_int_equal(apply(&sample, A, &at_least_60), 5);
        assert_int_equal(shown(&sample, 0), 5);
        begin(&sample, rcode);
        add_plain(&sample, ANSWER, CNAME, 10);
        add_soa(&sample, AUTHORITY, 100, 100);
        assert_int_equal(apply(&sample, A, &at_least_60), 10);
        assert_int_equal(shown(&sample, 0), 10);
        assert_int_equal(shown(&sample, 1), 10);
    }
}

static void nxdomain_is_negative_with_any_records(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NXDOMAIN);
    add_plain(&sample, ANSWER, A, 1000);
    assert_int_equal(apply(&sample, A, &wide), 0);
    begin(&sample, NXDOMAIN);
    add_plain(&sample, ANSWER, A, 1000);
    add_soa(&sample, AUTHORITY, 800, 900);
    assert_int_equal(apply(&sample, A, &wide), 800);
}

static void only_a_soa_in_the_authority_section_counts(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NXDOMAIN);
    add_soa(&sample, ANSWER, 100, 100);
    add_plain(&sample, AUTHORITY, NS, 100);
    add_soa(&sample, ADDITIONAL, 100, 100);
    assert_int_equal(apply(&sample, A, &wide), 0);
    begin(&sample, NOERROR);
    assert_int_equal(apply(&sample, A, &wide), 0);
}

static void the_lowest_of_two_soas_goes_onto_both(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NXDOMAIN);
    add_soa(&sample, AUTHORITY, 100, 50);
    add_soa(&sample, AUTHORITY, 40, 70);
    assert_int_equal(apply(&sample, A, &wide), 40);
    assert_int_equal(shown(&sample, 0), 40);
    assert_int_equal(shown(&sample, 1), 40);
}

static void failures_and_truncated_answers_are_not_cached(void **state)
{
    (void)state;
    static const uint16_t failures[] = {SERVFAIL, REFUSED, YXDOMAIN, 1, 16, 19};
    struct sample sample;
    for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        begin(&sample, failures[i]);
        add_plain(&sample, ANSWER, A, 2 * DAY);
        add_soa(&sample, AUTHORITY, 100, 100);
        assert_int_equal(apply(&sample, A, &wide), 0);
        assert_int_equal(shown(&sample, 0), DAY);
    }
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 300);
    sample.answer.truncated = true;
    assert_int_equal(apply(&sample, A, &wide), 0);
}

static void counts_and_lengths_that_lie_are_survived(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NXDOMAIN);
    add_soa(&sample, AUTHORITY, 100, 100);
    write_u16(sample.wire + sample.offsets[0] + 4, UINT16_MAX);
    assert_int_equal(apply(&sample, A, &wide), 0);
    write_u16(sample.wire + ANSWER, UINT16_MAX);
    write_u16(sample.wire + AUTHORITY, UINT16_MAX);
    assert_int_equal(apply(&sample, A, &wide), 0);
}

static void ageing_lowers_each_ttl_and_stops_at_0(void **state)
{
    (void)state;
    struct sample sample, before;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 300);
    add_plain(&sample, ANSWER, A, 100);
    add_plain(&sample, ANSWER, A, 99);
    add_plain(&sample, ADDITIONAL, A, 0);
    before = sample;
    edit_age(sample.wire, sample.offsets, 4, 100);
    assert_int_equal(shown(&sample, 0), 200);
    assert_int_equal(shown(&sample, 1), 0);
    assert_int_equal(shown(&sample, 2), 0);
    assert_int_equal(shown(&sample, 3), 0);
    for (unsigned i = 0; i < 4; i++)
        write_u32(sample.wire + sample.offsets[i], read_u32(before.wire + before.offsets[i]));
    assert_memory_equal(sample.wire, before.wire, sizeof(sample.wire));
}

static void stale_response_shows_other_expired_records(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 300);
    add_plain(&sample, AUTHORITY, NSEC, 300);
    add_plain(&sample, AUTHORITY, NS, 301);
    add_plain(&sample, ADDITIONAL, A, 500);
    add_plain(&sample, ADDITIONAL, A, 0);
    struct sample before = sample;
    assert_true(ttl_set_stale(sample.wire, sample.offsets, 5, 300, 301, 30));
    const uint32_t expected[] = {30, 30, 0, 30, 0};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(shown(&sample, i), expected[i]);
    assert_false(ttl_set_stale(before.wire, before.offsets, 4, 300, 300, 30));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(shown(&before, i), 30);
}

static void expired_signatures_are_found_in_each_section(void **state)
{
    (void)state;
    enum { NOW = 1000000 };
    for (int section = ANSWER; section <= ADDITIONAL; section += 2) {
        struct sample sample;
        uint8_t rrsig[20] = {0, A, 5, 2};
        begin(&sample, NOERROR);
        write_u32(rrsig + 8, NOW);
        add_plain(&sample, ANSWER, A, 300);
        add(&sample, section, RRSIG, 300, rrsig, sizeof rrsig);
        sample.answer.ttl_offsets = NULL;
        assert_false(ttl_signature_expired(&sample.answer, NOW));
        assert_true(ttl_signature_expired(&sample.answer, NOW + 1));
        assert_false(ttl_signature_expired(&sample.answer, NOW + INT64_C(0x100000000))); /* serial numbers (RFC 1982) */
    }
}

static void other_expired_records_are_left_out(void **state)
{
    (void)state;
    static struct rewrite scratch;
    struct sample sample;
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 0);
    add_plain(&sample, AUTHORITY, NS, 0);
    add_plain(&sample, AUTHORITY, TXT, 7);
    add_plain(&sample, ADDITIONAL, A, 8);
    add_plain(&sample, ADDITIONAL, AAAA, 0);
    struct answer answer = sample.answer;
    answer.ttl_offsets = NULL; /* as the cache gives it */
    answer.ttl_count = 0;
    rewrite_without(&answer, SURPLUS_EXPIRED, &scratch);
    assert_int_equal(answer.ttl_count, 3);
    const uint32_t expected[] = {0, 7, 8};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(read_u32(answer.wire + answer.ttl_offsets[i]), expected[i]);
    assert_int_equal(read_u16(answer.wire + ANSWER), 1);
    assert_int_equal(read_u16(answer.wire + AUTHORITY), 1);
    assert_int_equal(read_u16(answer.wire + ADDITIONAL), 1);
    assert_int_equal(answer.additional, answer.ttl_offsets[2] - 5);
}

static void an_http_cache_keeps_a_response_for_its_lowest_ttl(void **state)
{
    (void)state;
    struct sample sample;
    begin(&sample, NOERROR);
    assert_int_equal(ttl_smallest((struct bytes){sample.answer.wire, sample.answer.len}), 0); /* no records */
    add_plain(&sample, ANSWER, A, 300);
    add_plain(&sample, ANSWER, A, 20);
    add_plain(&sample, AUTHORITY, NS, 60);
    add_plain(&sample, ADDITIONAL, A, 1);
    struct bytes wire = {sample.answer.wire, sample.answer.len};
    assert_int_equal(ttl_smallest(wire), 20);
    for (size_t len = 0; len < sample.answer.additional; len++)
        assert_int_equal(ttl_smallest((struct bytes){wire.data, len}), 0);
    sample.answer.wire[2] |= FLAG_TC >> 8;
    assert_int_equal(ttl_smallest(wire), 0);
    begin(&sample, NOERROR);
    add_plain(&sample, ANSWER, A, 300);
    sample.answer.wire[3] |= RCODE_SERVFAIL;
    assert_int_equal(ttl_smallest((struct bytes){sample.answer.wire, sample.answer.len}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_http_cache_keeps_a_response_for_its_lowest_ttl),
        cmocka_unit_test(positive_is_cached_for_the_lowest_ttl_of_answer_and_proof),
        cmocka_unit_test(negative_ends_with_its_proof),
        cmocka_unit_test(additional_records_are_only_capped),
        cmocka_unit_test(the_high_bit_means_large_and_is_capped),
        cmocka_unit_test(no_limit_lets_a_ttl_leave_the_range),
        cmocka_unit_test(min_raises_only_ttls_above_0),
        cmocka_unit_test(a_chain_that_ends_in_the_type_is_positive),
        cmocka_unit_test(a_chain_that_ends_in_nothing_is_negative_and_bounds_it),
        cmocka_unit_test(signatures_are_not_of_the_queried_type),
        cmocka_unit_test(cname_and_any_accept_all_answer_records),
        cmocka_unit_test(negative_is_the_lowest_of_soa_ttl_minimum_and_limit),
        cmocka_unit_test(min_raises_no_negative_answer),
        cmocka_unit_test(nxdomain_is_negative_with_any_records),
        cmocka_unit_test(only_a_soa_in_the_authority_section_counts),
        cmocka_unit_test(the_lowest_of_two_soas_goes_onto_both),
        cmocka_unit_test(failures_and_truncated_answers_are_not_cached),
        cmocka_unit_test(counts_and_lengths_that_lie_are_survived),
        cmocka_unit_test(ageing_lowers_each_ttl_and_stops_at_0),
        cmocka_unit_test(stale_response_shows_other_expired_records),
        cmocka_unit_test(expired_signatures_are_found_in_each_section),
        cmocka_unit_test(other_expired_records_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
