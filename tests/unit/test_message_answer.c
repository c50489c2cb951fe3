/* SPDX-License-Identifier: MIT */
/* Servers' messages: the results for valid ones, the removal of the OPT, and malformed messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/errors.h"
#include "wire.h"

static struct wire wire, before;
static struct answer_scratch scratch;
static struct answer answer;
static struct answer_transport transport;

/* A header and the question for www.example.com at 12 ("example" at 16, "com" at 24, the root at 28), end
 * at 33. */
static void begin(unsigned answers, unsigned authorities, unsigned additionals)
{
    wire_header(&wire, ANSWER_FLAGS, 1, answers, authorities, additionals);
    wire_question(&wire, "www.example.com", 1);
}

static void assert_good(void)
{
    before = wire;
    assert_int_equal(message_walk_answer(wire.data, wire.len, &scratch, &answer, &transport), 0);
    assert_ptr_equal(answer.wire, wire.data);
    assert_ptr_equal(answer.ttl_offsets, scratch.ttl_offsets);
    assert_int_equal(answer.ttl, 0);
    assert_int_equal(scratch.section_end[3], answer.len);
    assert_int_equal(scratch.section_end[2], answer.additional);
}

/* Neither the results nor the message may be written. */
static void assert_malformed(void)
{
    struct answer untouched;
    struct answer_transport quiet;
    memset(&answer, 0xEE, sizeof(answer));
    memset(&transport, 0xEE, sizeof(transport));
    untouched = answer;
    quiet = transport;
    before = wire;
    assert_int_equal(message_walk_answer(wire.data, wire.len, &scratch, &answer, &transport), ERROR_MALFORMED);
    assert_memory_equal(&answer, &untouched, sizeof(answer));
    assert_memory_equal(&transport, &quiet, sizeof(transport));
    assert_memory_equal(wire.data, before.data, wire.len);
}

/* The message is used up to the offset `end` of the wire, which is before the OPT, if there is one. */
static void assert_cut_at(size_t end, unsigned records)
{
    assert_good();
    assert_int_equal(answer.len, end);
    assert_int_equal(answer.ttl_count, records);
    assert_memory_equal(answer.wire + MESSAGE_HEADER, before.data + MESSAGE_HEADER, end - MESSAGE_HEADER);
    assert_int_equal(read_u16(answer.wire + 6) + read_u16(answer.wire + 8) + read_u16(answer.wire + 10), records);
}

static void test_answer_without_opt_is_unchanged(void **state)
{
    (void)state;
    begin(2, 1, 1);
    wire.data[3] |= FLAG_AD | 3;
    wire_a(&wire, 60);
    wire_a(&wire, 0x80000001);
    wire_record(&wire, 2, 120, AT_QUESTION, 2);
    size_t authority_end = wire.len;
    wire_a(&wire, 30);
    assert_good();
    assert_int_equal(answer.len, wire.len);
    assert_memory_equal(wire.data, before.data, wire.len);
    assert_int_equal(answer.rcode, 3);
    assert_int_equal(answer.additional, authority_end);
    assert_true(answer.authenticated);
    assert_false(answer.truncated);
    assert_int_equal(answer.ttl_count, 4);
    assert_int_equal(scratch.section_end[0], 33);
    assert_int_equal(scratch.section_end[1], 65);
    assert_int_equal(read_u32(wire.data + answer.ttl_offsets[0]), 60);
    assert_int_equal(read_u32(wire.data + answer.ttl_offsets[1]), 0x80000001);
    assert_int_equal(read_u32(wire.data + answer.ttl_offsets[2]), 120);
    assert_int_equal(read_u32(wire.data + answer.ttl_offsets[3]), 30);
    assert_false(transport.edns || transport.keepalive);
}

static void test_truncated_answer_is_marked(void **state)
{
    (void)state;
    begin(0, 0, 0);
    wire.data[2] |= FLAG_TC >> 8;
    assert_good();
    assert_true(answer.truncated);
    assert_int_equal(answer.additional, answer.len);
}

static void test_last_opt_is_cut_off(void **state)
{
    (void)state;
    begin(1, 0, 1);
    wire_a(&wire, 60);
    size_t opt = wire.len;
    wire_opt(&wire, 512, 0, "\0\14\0\4\0\0\0\0", 8);
    assert_good();
    assert_int_equal(answer.len, opt);
    assert_int_equal(read_u16(wire.data + 10), 0);
    assert_int_equal(answer.ttl_count, 1);
    assert_true(transport.edns);
}

/* OPT, then two records whose names point before, into and behind it. */
static void test_pointers_behind_the_opt_are_moved(void **state)
{
    (void)state;
    begin(0, 0, 3);
    size_t opt = wire.len;
    wire_opt(&wire, 512, 0, "\0\14\0\1\0", 5);
    size_t opt_len = wire.len - opt, first = wire.len;
    wire_literal(&wire, "\2ns\300\020"); /* ns.example.com */
    wire_fixed(&wire, 5, 77, 7);
    size_t data = wire.len;
    wire_literal(&wire, "\4else");
    wire_pointer(&wire, first);
    wire_literal(&wire, "\1x");
    wire_pointer(&wire, data);
    wire_fixed(&wire, 15, 0xC0C0C0C0, 4); /* not pointers, but they look like some */
    wire_u16(&wire, 10);
    wire_pointer(&wire, 12);
    size_t total = wire.len;
    assert_good();
    assert_int_equal(answer.len, total - opt_len);
    assert_int_equal(read_u16(wire.data + 10), 2);
    assert_int_equal(answer.ttl_count, 2);
    assert_int_equal(read_u32(wire.data + answer.ttl_offsets[0]), 77);
    assert_int_equal(read_u32(wire.data + answer.ttl_offsets[1]), 0xC0C0C0C0);
    assert_memory_equal(wire.data + first - opt_len, "\2ns\300\020", 5);
    assert_int_equal(read_u16(wire.data + data - opt_len + 5), 0xC000 | (first - opt_len));
    assert_int_equal(read_u16(wire.data + data - opt_len + 9), 0xC000 | (data - opt_len));
    assert_int_equal(read_u16(wire.data + answer.len - 2), 0xC00C);
    wire.len = answer.len;
    assert_good(); /* the result is a valid message again */
    assert_int_equal(answer.len, total - opt_len);
}

static void test_pointers_into_the_opt_end_the_message(void **state)
{
    (void)state;
    for (size_t inside = 0; inside < 11 + 7; inside++) {
        begin(0, 0, 2);
        size_t opt = wire.len;
        wire_opt(&wire, 0, 0, "\0\14\0\3\1x\0", 7); /* the padding is a name */
        wire_pointer(&wire, opt + inside);
        wire_fixed(&wire, 1, 1, 4);
        wire_u32(&wire, 0);
        assert_cut_at(opt, 0);
    }
}

/* A label in opaque data before the OPT that runs over it; without the OPT it would be another name. */
static void test_names_across_the_opt_end_the_message(void **state)
{
    (void)state;
    begin(0, 1, 2);
    wire_record(&wire, 65280, 1, "\14", 1);
    size_t label = wire.len - 1, opt = wire.len;
    wire_opt(&wire, 512, 0, "", 0);
    wire_literal(&wire, "\1x\0");
    wire.data[label] = (uint8_t)(wire.len - 2 - label);
    wire_fixed(&wire, 5, 1, 2);
    wire_pointer(&wire, label);
    assert_cut_at(opt, 1);
    begin(0, 1, 2);
    wire_record(&wire, 65280, 1, "\1x", 2); /* its root would be the owner of the OPT */
    label = wire.len - 2;
    opt = wire.len;
    wire_opt(&wire, 512, 0, "", 0);
    wire_pointer(&wire, label);
    wire_fixed(&wire, 1, 1, 4);
    wire_u32(&wire, 0);
    assert_cut_at(opt, 1);
}

/* Opaque data behind the OPT is not searched for pointers, so nothing may point there. */
static void test_pointers_to_opaque_data_behind_the_opt_end_the_message(void **state)
{
    (void)state;
    for (int opt_first = 0; opt_first <= 1; opt_first++) {
        begin(0, 0, 3);
        if (opt_first)
            wire_opt(&wire, 512, 0, "", 0);
        wire_record(&wire, 65280, 1, "\1x\0", 3);
        size_t name = wire.len - 3;
        wire_pointer(&wire, name);
        wire_fixed(&wire, 1, 1, 4);
        wire_u32(&wire, 0);
        if (opt_first) {
            assert_good();
            assert_int_equal(answer.ttl_count, 1);
            continue;
        }
        wire_opt(&wire, 512, 0, "", 0);
        assert_good();
    }
}

static void test_opt_elsewhere_than_in_additional_is_malformed(void **state)
{
    (void)state;
    begin(1, 0, 0);
    wire_opt(&wire, 512, 0, "", 0);
    assert_malformed();
    begin(0, 1, 0);
    wire_opt(&wire, 512, 0, "", 0);
    assert_malformed();
}

static void test_a_second_opt_ends_the_message(void **state)
{
    (void)state;
    begin(0, 0, 3);
    size_t opt = wire.len;
    wire_opt(&wire, 512, 0x01000000, "", 0);
    wire_opt(&wire, 512, 0, "", 0);
    wire_a(&wire, 60);
    assert_cut_at(opt, 0);
    assert_int_equal(answer.rcode, 16);
}

/* A broken record behind the answers ends the message; without answers only if the OPT was read, because it may
 * have an extended response code. */
static void test_a_broken_record_behind_the_answers_ends_the_message(void **state)
{
    (void)state;
    for (int with_answer = 0; with_answer <= 1; with_answer++) {
        for (int section = 2; section <= 3; section++) {
            begin(with_answer, 0, 0);
            if (with_answer)
                wire_a(&wire, 60);
            size_t end = wire.len;
            wire_record(&wire, 1, 60, "\1\2\3", 3);
            wire_record(&wire, 1, 60, "\1\2\3\4", 4);
            write_u16(wire.data + 4 + 2 * section, 2);
            if (with_answer)
                assert_cut_at(end, 1);
            else
                assert_malformed();
        }
    }
    begin(0, 0, 2);
    size_t end = wire.len;
    wire_opt(&wire, 512, 0x01000000, "", 0);
    wire_record(&wire, 1, 60, "\1\2\3", 3);
    assert_cut_at(end, 0);
    assert_int_equal(answer.rcode, 16);
    begin(2, 0, 0);
    wire_a(&wire, 60);
    wire_record(&wire, 1, 60, "\1\2\3", 3);
    assert_malformed();
}

static void test_bytes_behind_the_last_record_are_ignored(void **state)
{
    (void)state;
    begin(1, 0, 1);
    wire_a(&wire, 60);
    size_t end = wire.len;
    wire_opt(&wire, 512, 0, "", 0);
    for (size_t more = 0; more < 468; more += 13) {
        wire.len += more;
        assert_cut_at(end, 1);
        wire = before;
        wire.len -= more;
    }
    begin(0, 0, 0);
    wire_u8(&wire, 0);
    assert_cut_at(wire.len - 1, 0);
}

static void test_opt_with_an_owner_is_malformed(void **state)
{
    (void)state;
    begin(0, 0, 1);
    wire_record(&wire, 41, 0, "", 0);
    assert_malformed();
    begin(0, 0, 1);
    wire_pointer(&wire, 28); /* the root label of the question */
    wire_fixed(&wire, 41, 0, 0);
    assert_malformed();
}

/* The fixed part of the OPT is used nevertheless. */
static void test_broken_options_end_the_message(void **state)
{
    (void)state;
    static const char options[] = "\0\17\0\4\0\26ab";
    for (size_t len = 0; len < sizeof(options); len++) {
        begin(0, 0, 2);
        size_t opt = wire.len;
        wire_opt(&wire, 512, 0x01000000, options, len);
        wire_a(&wire, 60);
        if (len == 0 || len == sizeof(options) - 1)
            assert_good();
        else
            assert_cut_at(opt, 0);
        assert_int_equal(answer.rcode, 16);
        assert_true(transport.edns);
    }
}

static void test_rcode_has_12_bits(void **state)
{
    (void)state;
    begin(0, 0, 1);
    wire.data[3] |= 7;
    wire_opt(&wire, 512, 0xAB000000, "", 0);
    assert_good();
    assert_int_equal(answer.rcode, 0xAB7);
}

static void test_extended_errors_are_stored(void **state)
{
    static const char options[] = "\0\17\0\5\0\3abc"
                                  "\0\17\0\2\0\26"
                                  "\0\17\0\1\0" /* too short to say anything */
                                  "\0\17\0\3\0\27\377"
                                  "\0\17\0\2\0\1";
    (void)state;
    begin(0, 0, 1);
    wire_opt(&wire, 512, 0, options, sizeof(options) - 1);
    assert_good();
    assert_int_equal(answer.ede.count, 3);
    assert_int_equal(answer.ede.item[0].code, 3);
    assert_int_equal(answer.ede.item[0].len, 3);
    assert_memory_equal(answer.ede.item[0].text, "abc", 3);
    assert_int_equal(answer.ede.item[1].code, 22);
    assert_int_equal(answer.ede.item[1].len, 0);
    assert_int_equal(answer.ede.item[2].code, 23);
    assert_int_equal(answer.ede.item[2].len, 0);
}

static void test_keepalive_timeout_is_read_in_units_of_100_ms(void **state)
{
    (void)state;
    begin(0, 0, 1);
    wire_opt(&wire, 512, 0, "\0\13\0\2\377\377", 6);
    assert_good();
    assert_true(transport.keepalive);
    assert_int_equal(transport.keepalive_ms, 6553500);
    begin(0, 0, 1);
    wire_opt(&wire, 512, 0, "\0\13\0\0", 4);
    assert_good();
    assert_true(transport.edns);
    assert_false(transport.keepalive);
}

static void test_signed_answers_are_malformed(void **state)
{
    static const char tsig[] = "\10hmac-md5\0\0\0\0\0\0\1\0\1\0\2ab\0\1\0\0\0\0";
    char sig[] = "\0\0\5\0\0\0\0\0\0\0\0\1\0\0\0\1\0\1\1a\0sig";
    (void)state;
    begin(0, 0, 1);
    wire_record(&wire, 250, 0, tsig, sizeof(tsig) - 1);
    assert_malformed();
    begin(0, 0, 1);
    wire_record(&wire, 24, 0, sig, sizeof(sig) - 1);
    assert_malformed();
    sig[1] = 1; /* covers A records */
    begin(0, 0, 1);
    wire_record(&wire, 24, 0, sig, sizeof(sig) - 1);
    assert_good();
}

static void test_headers_that_are_no_answer_are_malformed(void **state)
{
    (void)state;
    begin(0, 0, 0);
    wire.data[2] &= 0x7F;
    assert_malformed();
    begin(0, 0, 0);
    wire.data[2] |= 0x20;
    assert_malformed();
    begin(0, 0, 0);
    wire.len = 11;
    assert_malformed();
}

static void test_qdcount_other_than_1_is_malformed(void **state)
{
    (void)state;
    wire_header(&wire, ANSWER_FLAGS, 0, 0, 0, 0);
    assert_malformed();
    wire_header(&wire, ANSWER_FLAGS, 2, 0, 0, 0);
    wire_question(&wire, "a", 1);
    wire_question(&wire, "a", 1);
    assert_malformed();
    for (uint8_t count = 0; count <= 2; count += 2) {
        begin(0, 0, 0);
        wire.data[5] = count; /* with one question only */
        assert_malformed();
    }
}

static void test_every_cut_of_the_answers_is_malformed(void **state)
{
    (void)state;
    begin(2, 1, 2);
    wire_a(&wire, 60);
    wire_record(&wire, 5, 60, "\1b" AT_QUESTION, 4);
    size_t answers = wire.len;
    wire_record(&wire, 2, 120, "\2ns" AT_QUESTION, 5);
    wire_opt(&wire, 512, 0, "\0\14\0\0", 4);
    wire_a(&wire, 1);
    struct wire all = wire;
    for (wire.len = 0; wire.len < answers; wire.len++)
        assert_malformed();
    for (size_t len = answers; len <= all.len; len++) {
        wire = all;
        wire.len = len;
        assert_good();
        assert_true(answer.ttl_count >= 2 && answer.len <= len);
    }
    assert_int_equal(answer.ttl_count, 4);
}

static void test_counts_that_lie_are_malformed(void **state)
{
    (void)state;
    for (size_t section = 1; section < 4; section++) {
        begin(0, 0, 0);
        wire_a(&wire, 60);
        write_u16(wire.data + 4 + 2 * section, 2);
        assert_malformed();
        write_u16(wire.data + 4 + 2 * section, 65535);
        assert_malformed();
        write_u16(wire.data + 4 + 2 * section, 0);
        assert_good();
        assert_int_equal(answer.ttl_count, 0);
        begin(0, 0, 0);
        wire_a(&wire, 60);
        write_u16(wire.data + 4 + 2 * section, 1);
        assert_good();
    }
}

static void assert_verdict_with_pointer(size_t target, bool good)
{
    begin(1, 0, 0);
    wire_pointer(&wire, target);
    wire_fixed(&wire, 1, 60, 4);
    wire_u32(&wire, 0);
    if (good)
        assert_good();
    else
        assert_malformed();
}

static void test_pointers_lead_to_names_strictly_backwards(void **state)
{
    (void)state;
    assert_verdict_with_pointer(12, true);
    assert_verdict_with_pointer(16, true);
    assert_verdict_with_pointer(28, true);
    assert_verdict_with_pointer(0, false); /* the header */
    assert_verdict_with_pointer(11, false);
    assert_verdict_with_pointer(13, false); /* 'w' is not a length */
    assert_verdict_with_pointer(33, false); /* itself */
    assert_verdict_with_pointer(34, false);
    assert_verdict_with_pointer(35, false); /* forwards */
    assert_verdict_with_pointer(0x3FFF, false);
    assert_verdict_with_pointer(29, true); /* the first byte of the type is a root, too */
}

/* Ageing must not change a name. */
static void test_names_that_read_a_ttl_are_malformed(void **state)
{
    static const struct {
        uint8_t class_byte, ttl_byte; /* at 38 and 39, where a TTL begins */
        size_t target;
    } cases[] = {
        {1, 0, 39},     {1, 0, 40}, {1, 0, 41}, {1, 0, 42}, /* a root in it */
        {0xC0, 12, 38},                                     /* half a pointer */
        {6, 'x', 38},                                       /* a label that ends behind it, before a root */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(2, 0, 0);
        wire_record(&wire, 1, 0, "\0\0\0\0", 4);
        wire.data[38] = cases[i].class_byte;
        wire.data[39] = cases[i].ttl_byte;
        wire_pointer(&wire, cases[i].target);
        wire_fixed(&wire, 1, 60, 4);
        wire_u32(&wire, 0);
        assert_malformed();
    }
}

static void test_pointers_in_a_circle_are_malformed(void **state)
{
    (void)state;
    begin(2, 0, 0);
    wire_literal(&wire, "\1a");
    wire_pointer(&wire, 33); /* the label before it */
    wire_fixed(&wire, 1, 60, 4);
    wire_u32(&wire, 0);
    wire_a(&wire, 1);
    assert_malformed();
    begin(2, 0, 0);
    wire_record(&wire, 65280, 1, "\300\057\300\055", 4); /* two pointers, at 45 and 47, each to the other */
    wire_pointer(&wire, 45);
    wire_fixed(&wire, 1, 60, 4);
    wire_u32(&wire, 0);
    assert_malformed();
}

static void test_reserved_label_types_are_malformed(void **state)
{
    (void)state;
    for (unsigned kind = 0x40; kind <= 0x80; kind += 0x40) {
        begin(1, 0, 0);
        wire_u8(&wire, kind);
        memset(wire.data + wire.len, 'x', kind);
        wire.len += kind;
        wire_u8(&wire, 0);
        wire_fixed(&wire, 1, 60, 4);
        wire_u32(&wire, 0);
        assert_malformed();
    }
}

static void test_names_have_255_bytes_at_most_compressed_or_not(void **state)
{
    (void)state;
    for (size_t label = 60; label <= 63; label++) { /* 3 labels of 63, one more, and "com" */
        begin(1, 0, 0);
        for (size_t i = 0; i < 4; i++) {
            size_t bytes = i < 3 ? 63 : label - 4;
            wire_u8(&wire, (unsigned)bytes);
            memset(wire.data + wire.len, 'x', bytes);
            wire.len += bytes;
        }
        wire_pointer(&wire, 24);
        wire_fixed(&wire, 1, 60, 4);
        wire_u32(&wire, 0);
        if (192 + 1 + label - 4 + 5 <= 255)
            assert_good();
        else
            assert_malformed();
    }
}

static void test_names_reached_by_pointer_are_measured_as_a_whole(void **state)
{
    (void)state;
    for (unsigned labels = 9; labels <= 10; labels++) { /* 17 bytes, and 24 by each label of 23: 233, 257 */
        begin(labels, 0, 0);
        size_t target = MESSAGE_HEADER;
        for (unsigned i = 0; i < labels; i++) {
            size_t owner = wire.len;
            wire_u8(&wire, 23);
            memset(wire.data + wire.len, 'x', 23);
            wire.len += 23;
            wire_pointer(&wire, target);
            wire_fixed(&wire, 1, 60, 4);
            wire_u32(&wire, 0);
            target = owner;
        }
        if (labels == 9)
            assert_good();
        else
            assert_malformed();
    }
}

/* Each owner is a pointer to the previous one. */
static void test_long_chains_of_pointers_are_malformed(void **state)
{
    (void)state;
    for (unsigned records = 255; records <= 256; records++) {
        begin(records, 0, 0);
        size_t target = MESSAGE_HEADER;
        for (unsigned i = 0; i < records; i++) {
            size_t owner = wire.len;
            wire_pointer(&wire, target);
            wire_fixed(&wire, 1, 60, 4);
            wire_u32(&wire, 0);
            target = owner;
        }
        if (records == 255)
            assert_good();
        else
            assert_malformed();
    }
}

/* The recorded lengths of a long chain are correct for each of its links. */
static void test_short_ends_of_a_long_chain_may_be_pointed_at(void **state)
{
    (void)state;
    begin(2 + 100, 0, 0);
    wire_literal(&wire, AT_QUESTION);
    wire_fixed(&wire, 65280, 1, 200 * 2);
    size_t target = wire.len, link = MESSAGE_HEADER;
    for (unsigned i = 0; i < 200; i++) {
        size_t at = wire.len;
        wire_pointer(&wire, link);
        link = at;
    }
    wire_pointer(&wire, link); /* the whole chain, 201 pointers */
    wire_fixed(&wire, 1, 60, 4);
    wire_u32(&wire, 0);
    for (unsigned i = 0; i < 100; i++) { /* its first link, then one more on each */
        size_t owner = wire.len;
        wire_pointer(&wire, target);
        wire_fixed(&wire, 1, 60, 4);
        wire_u32(&wire, 0);
        target = owner;
    }
    assert_good();
}

static void test_scratch_of_a_longer_message_does_no_harm(void **state)
{
    (void)state;
    begin(3, 0, 0);
    wire_record(&wire, 5, 1, "\1a" AT_QUESTION, 4);
    wire_record(&wire, 5, 1, "\1b" AT_QUESTION, 4);
    wire_a(&wire, 1);
    assert_good();
    assert_verdict_with_pointer(35, false);
    assert_verdict_with_pointer(12, true);
}

static void test_as_many_records_as_fit_are_walked(void **state)
{
    (void)state;
    const unsigned records = (MESSAGE_MAX - 17) / 11;
    wire_header(&wire, ANSWER_FLAGS, 1, records, 0, 0);
    wire_question(&wire, "", 1);
    for (unsigned i = 0; i < records; i++) {
        wire_u8(&wire, 0);
        wire_fixed(&wire, 10, i, 0);
    }
    assert_good();
    assert_int_equal(answer.ttl_count, records);
    assert_int_equal(read_u32(wire.data + answer.ttl_offsets[records - 1]), records - 1);
}

static void test_own_answer_is_walked_alike(void **state)
{
    (void)state;
    begin(1, 0, 0);
    wire_a(&wire, 60);
    assert_int_equal(message_own_answer(wire.data, wire.len, &scratch, &answer), 0);
    assert_int_equal(answer.ttl_count, 1);
    assert_int_equal(message_own_answer(wire.data, wire.len - 1, &scratch, &answer), ERROR_MALFORMED);
}

static struct key key_of_query(void)
{
    struct key key = {.type = 1, .class = 1, .name_len = 17, .name = "\3www\7example\3com"};
    return key;
}

static void test_answer_matches_its_query_in_any_letter_case(void **state)
{
    struct key key = key_of_query();
    (void)state;
    wire_header(&wire, ANSWER_FLAGS, 1, 0, 0, 0);
    wire_question(&wire, "wWw.Example.cOM", 1);
    assert_true(message_answers(wire_bytes(&wire), &key));
}

static void test_answer_to_another_query_does_not_match(void **state)
{
    struct key key = key_of_query();
    (void)state;
    begin(0, 0, 0);
    key.type = 28;
    assert_false(message_answers(wire_bytes(&wire), &key));
    key = key_of_query();
    key.class = 3;
    assert_false(message_answers(wire_bytes(&wire), &key));
    key = key_of_query();
    key.name[1] = 'x';
    assert_false(message_answers(wire_bytes(&wire), &key));
    key = key_of_query();
    key.name_len = 13;
    memcpy(key.name, "\7example\3com", 13);
    assert_false(message_answers(wire_bytes(&wire), &key));
}

static void test_answer_without_a_complete_question_does_not_match(void **state)
{
    struct key key = key_of_query();
    (void)state;
    begin(0, 0, 0);
    for (wire.len = MESSAGE_HEADER; wire.len < 33; wire.len++)
        assert_false(message_answers(wire_bytes(&wire), &key));
    assert_true(message_answers(wire_bytes(&wire), &key));
    wire.data[5] = 0; /* QDCOUNT */
    assert_false(message_answers(wire_bytes(&wire), &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_without_opt_is_unchanged),
        cmocka_unit_test(test_truncated_answer_is_marked),
        cmocka_unit_test(test_last_opt_is_cut_off),
        cmocka_unit_test(test_pointers_behind_the_opt_are_moved),
        cmocka_unit_test(test_pointers_into_the_opt_end_the_message),
        cmocka_unit_test(test_names_across_the_opt_end_the_message),
        cmocka_unit_test(test_pointers_to_opaque_data_behind_the_opt_end_the_message),
        cmocka_unit_test(test_opt_elsewhere_than_in_additional_is_malformed),
        cmocka_unit_test(test_a_second_opt_ends_the_message),
        cmocka_unit_test(test_a_broken_record_behind_the_answers_ends_the_message),
        cmocka_unit_test(test_bytes_behind_the_last_record_are_ignored),
        cmocka_unit_test(test_opt_with_an_owner_is_malformed),
        cmocka_unit_test(test_broken_options_end_the_message),
        cmocka_unit_test(test_rcode_has_12_bits),
        cmocka_unit_test(test_extended_errors_are_stored),
        cmocka_unit_test(test_keepalive_timeout_is_read_in_units_of_100_ms),
        cmocka_unit_test(test_signed_answers_are_malformed),
        cmocka_unit_test(test_headers_that_are_no_answer_are_malformed),
        cmocka_unit_test(test_qdcount_other_than_1_is_malformed),
        cmocka_unit_test(test_every_cut_of_the_answers_is_malformed),
        cmocka_unit_test(test_counts_that_lie_are_malformed),
        cmocka_unit_test(test_pointers_lead_to_names_strictly_backwards),
        cmocka_unit_test(test_names_that_read_a_ttl_are_malformed),
        cmocka_unit_test(test_pointers_in_a_circle_are_malformed),
        cmocka_unit_test(test_reserved_label_types_are_malformed),
        cmocka_unit_test(test_names_have_255_bytes_at_most_compressed_or_not),
        cmocka_unit_test(test_names_reached_by_pointer_are_measured_as_a_whole),
        cmocka_unit_test(test_long_chains_of_pointers_are_malformed),
        cmocka_unit_test(test_short_ends_of_a_long_chain_may_be_pointed_at),
        cmocka_unit_test(test_scratch_of_a_longer_message_does_no_harm),
        cmocka_unit_test(test_as_many_records_as_fit_are_walked),
        cmocka_unit_test(test_own_answer_is_walked_alike),
        cmocka_unit_test(test_answer_matches_its_query_in_any_letter_case),
        cmocka_unit_test(test_answer_to_another_query_does_not_match),
        cmocka_unit_test(test_answer_without_a_complete_question_does_not_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
