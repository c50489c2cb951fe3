/* SPDX-License-Identifier: MIT */
/* Which records of a response stay, and in which order they leave.
 *
 * A response is written as text: "a CNAME b, b A 1 / z SOA / b A 2" are answer, authority and additional section. Names end in
 * "example." unless they end with a dot. Each is tried with names written in full and compressed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/errors.h"
#include "dns/chain.h"
#include "dns/codes.h"
#include "wire.h"

static struct wire wire;
static struct answer_scratch walk_scratch, again_scratch;
static struct rewrite scratch, again_rewrite;
static struct answer answer;
static bool dnssec_ok = true;

/* --- from text --- */

static const struct {
    const char *text;
    uint16_t type;
} types[] = {{"A", 1},    {"NS", 2},     {"CNAME", 5},  {"SOA", 6},   {"MX", 15},    {"TXT", 16}, {"AAAA", 28},
             {"SRV", 33}, {"DNAME", 39}, {"RRSIG", 46}, {"NSEC", 47}, {"HTTPS", 65}, {"ANY", 255}};

static uint16_t type_of(const char *text)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].text, text) == 0)
            return types[i].type;
    fail_msg("no type %s", text);
    return 0;
}

static const char *type_text(uint16_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].text;
    return "?";
}

static bool compressed;
static struct {
    char name[300];
    size_t at;
} known[200];
static unsigned known_count;

static void put_labels(const char *name, bool may_point)
{
    while (*name && strcmp(name, ".") != 0) {
        for (unsigned i = 0; may_point && compressed && i < known_count; i++) {
            if (strcmp(known[i].name, name) == 0) {
                wire_pointer(&wire, known[i].at);
                return;
            }
        }
        assert_true(known_count < 200);
        snprintf(known[known_count].name, sizeof known[0].name, "%s", name);
        known[known_count++].at = wire.len;
        size_t label = strcspn(name, ".");
        wire_u8(&wire, (unsigned)label);
        wire_raw(&wire, name, label);
        name += label + 1;
    }
    wire_u8(&wire, 0);
}

static void put_name(const char *name, bool may_point)
{
    char full[300];
    bool absolute = name[strlen(name) - 1] == '.';
    snprintf(full, sizeof full, "%s%s", name, absolute ? "" : ".example.");
    put_labels(full, may_point);
}

static void put_record(const char *text)
{
    char owner[100], type[20], data[100] = "1";
    assert_true(sscanf(text, "%99s %19s %99s", owner, type, data) >= 2);
    put_name(owner, true);
    uint16_t number = type_of(type);
    wire_fixed(&wire, number, 300, 0);
    size_t start = wire.len;
    if (number == 1 || number == 28) {
        for (int i = 0; i < (number == 1 ? 3 : 15); i++)
            wire_u8(&wire, 0);
        wire_u8(&wire, (unsigned)atoi(data));
    } else if (number == 5 || number == 2 || number == 39) {
        put_name(data, number != 39);
    } else if (number == 6) {
        put_name("ns", true);
        put_name("who", true);
        for (int i = 0; i < 20; i++)
            wire_u8(&wire, 1);
    } else if (number == 15 || number == 65) {
        wire_u16(&wire, 1);
        put_name(data, number == 15);
    } else if (number == 33) {
        wire_u16(&wire, 1);
        wire_u32(&wire, 1);
        put_name(data, false);
    } else if (number == 46) {
        char *signer = strchr(data, ':');
        if (signer)
            *signer++ = '\0';
        wire_u16(&wire, type_of(data));
        for (int i = 0; i < 16; i++)
            wire_u8(&wire, 2);
        put_name(signer ? signer : "example.", false);
        wire_u8(&wire, 7);
    } else if (number == 47) {
        put_name(data, false);
        wire_raw(&wire, "\0\1\100", 3);
    } else {
        wire_raw(&wire, "\1x", 2);
    }
    write_u16(wire.data + start - 2, (uint16_t)(wire.len - start));
}

static void build(const char *name, uint16_t type, const char *text)
{
    char copy[4000], *section_at = copy;
    snprintf(copy, sizeof copy, "%s", text);
    known_count = 0;
    wire_header(&wire, ANSWER_FLAGS, 1, 0, 0, 0);
    put_name(name, false);
    wire_u16(&wire, type);
    wire_u16(&wire, CLASS_IN);
    for (int section = 0; section < 3 && section_at; section++) {
        char *next = strchr(section_at, '/'), *save = NULL;
        if (next)
            *next++ = '\0';
        for (char *record = strtok_r(section_at, ",", &save); record; record = strtok_r(NULL, ",", &save)) {
            if (strspn(record, " ") == strlen(record))
                continue;
            put_record(record);
            write_u16(wire.data + 6 + 2 * section, (uint16_t)(read_u16(wire.data + 6 + 2 * section) + 1));
        }
        section_at = next;
    }
}

/* --- to text --- */

static size_t print_name(char *out, size_t at)
{
    char full[400] = "";
    size_t end = 0;
    for (;;) {
        if (answer.wire[at] >= 0xC0) {
            end = end ? end : at + 2;
            at = read_u16(answer.wire + at) & 0x3FFF;
        } else if (answer.wire[at] == 0) {
            end = end ? end : at + 1;
            break;
        } else {
            snprintf(full + strlen(full), sizeof full - strlen(full), "%.*s.", answer.wire[at],
                     (const char *)answer.wire + at + 1);
            at += 1u + answer.wire[at];
        }
    }
    size_t len = strlen(full);
    if (len > 9 && strcmp(full + len - 9, ".example.") == 0)
        full[len - 9] = '\0';
    strcat(out, len ? full : ".");
    return end;
}

static const char *print(void)
{
    static char out[8000];
    unsigned record = 0;
    size_t at = MESSAGE_HEADER;
    char unused[400] = "";
    out[0] = '\0';
    at = print_name(unused, at) + 4;
    for (int section = 0; section < 3; section++) {
        if (section > 0)
            strcat(out, "/");
        for (unsigned left = read_u16(answer.wire + 6 + 2 * section), first = 1; left; left--, first = 0) {
            if (!first)
                strcat(out, ",");
            at = print_name(out, at);
            uint16_t type = read_u16(answer.wire + at), len = read_u16(answer.wire + at + 8);
            assert_int_equal(answer.ttl_offsets[record++], at + 4);
            sprintf(out + strlen(out), " %s", type_text(type));
            at += 10;
            if (type == 1 || type == 28)
                sprintf(out + strlen(out), " %u", answer.wire[at + len - 1]);
            if (type == 5 || type == 2 || type == 39) {
                strcat(out, " ");
                assert_int_equal(print_name(out, at), at + len);
            }
            if (type == 46)
                sprintf(out + strlen(out), " %s", type_text(read_u16(answer.wire + at)));
            at += len;
        }
    }
    assert_int_equal(record, answer.ttl_count);
    assert_int_equal(at, answer.len);
    return out;
}

/* The result is a message that walks, and that a second pass leaves as it is. */
static void tidy(const char *name, const char *type, const char *text)
{
    build(name, type_of(type), text);
    struct answer_transport unused;
    size_t len = wire.len;
    assert_int_equal(message_walk_answer(wire.data, wire.len, &walk_scratch, &answer, &unused), 0);
    assert_int_equal(chain_tidy(&answer, type_of(type), dnssec_ok, &scratch), 0);
    assert_true(answer.len <= len + 64);
    static uint8_t copy[MESSAGE_MAX];
    struct answer again;
    memcpy(copy, answer.wire, answer.len);
    assert_int_equal(message_own_answer(copy, answer.len, &again_scratch, &again), 0);
    assert_int_equal(again.additional, answer.additional);
    assert_int_equal(again.ttl_count, answer.ttl_count);
    assert_memory_equal(again.ttl_offsets, answer.ttl_offsets, again.ttl_count * sizeof(uint16_t));
    assert_int_equal(chain_tidy(&again, type_of(type), dnssec_ok, &again_rewrite), 0);
    assert_int_equal(again.len, answer.len);
    assert_memory_equal(again.wire, answer.wire, answer.len);
}

static void expect(const char *name, const char *type, const char *text, const char *wanted)
{
    for (int way = 0; way < 2; way++) {
        compressed = way;
        tidy(name, type, text);
        assert_string_equal(print(), wanted);
    }
}

static void expect_unchanged(const char *name, const char *type, const char *text)
{
    for (int way = 0; way < 2; way++) {
        compressed = way;
        tidy(name, type, text);
        assert_ptr_equal(answer.wire, wire.data);
        assert_string_equal(print(), text);
    }
}

/* --- tests --- */

static void test_ordinary_responses_are_left_alone(void **state)
{
    (void)state;
    expect_unchanged("a", "A", "a A 1,a A 2//");
    expect_unchanged("a", "A", "a CNAME b,b CNAME c,c A 1,c A 2//");
    expect_unchanged("a", "A", "a CNAME b,a RRSIG CNAME,b A 1,b RRSIG A//");
    expect_unchanged("a", "A", "/example. SOA/");
    expect_unchanged("x.a", "A", "a DNAME b,a RRSIG DNAME,x.a CNAME x.b,x.b A 1//");
    expect_unchanged("a", "ANY", "a A 1,a CNAME b,a TXT//");
    expect_unchanged("a", "CNAME", "a CNAME b//");
}

static void test_chain_order(void **state)
{
    (void)state;
    expect("a", "A", "b A 1,a CNAME b", "a CNAME b,b A 1//");
    expect("a", "A", "d A 1,c CNAME d,b CNAME c,a CNAME b", "a CNAME b,b CNAME c,c CNAME d,d A 1//");
    expect("a", "A", "b CNAME c,a CNAME b,c A 2,c A 1", "a CNAME b,b CNAME c,c A 2,c A 1//");
    expect("a", "AAAA", "c AAAA 1,a CNAME b,b CNAME c", "a CNAME b,b CNAME c,c AAAA 1//");
}

static void test_signatures_stay_with_their_rrset(void **state)
{
    (void)state;
    expect("a", "A", "b A 1,a CNAME b,b RRSIG A,a RRSIG CNAME,b A 2",
           "a CNAME b,a RRSIG CNAME,b A 1,b A 2,b RRSIG A//");
    expect("a", "A", "z A 9,a RRSIG A,a A 1", "a A 1,a RRSIG A//");
}

static void test_strangers_are_dropped(void **state)
{
    (void)state;
    expect("a", "A", "z A 9,a A 1", "a A 1//");
    expect("a", "A", "a A 1,z A 9", "a A 1//");
    expect("a", "A", "a CNAME b,z A 9,b A 1", "a CNAME b,b A 1//");
    expect("a", "A", "z A 9", "//");
    expect("a", "A", "a CNAME b,c A 1", "a CNAME b//");
    expect("a", "A", "z A 9/example. SOA", "/example. SOA/");
    expect("a", "A", "a A 1/example. NS ns,other. NS ns.other.,z A 3/ns A 1,z A 2,ns.other. A 3",
           "a A 1/example. NS ns/ns A 1");
    expect("a", "MX", "a MX m//m A 1,m RRSIG A,z A 2,y.a A 3", "a MX//m A 1,m RRSIG A,y.a A 3");
    expect("a", "SRV", "a SRV m//m AAAA 1,z A 2", "a SRV//m AAAA 1");
    expect("a", "HTTPS", "a HTTPS m//m A 1,z A 2", "a HTTPS//m A 1");
}

static void test_letter_case_is_ignored(void **state)
{
    (void)state;
    expect("a", "A", "B A 1,A CNAME b", "A CNAME b,B A 1//");
}

static void test_proofs_stay(void **state)
{
    (void)state;
    expect_unchanged("m", "A", "/example. SOA,example. RRSIG SOA,b NSEC,b RRSIG NSEC/");
    expect("m", "A", "m A 1/b NSEC c,b RRSIG NSEC:example.,b.other. NSEC c.other.,b.other. RRSIG NSEC:other.",
           "m A 1/b NSEC,b RRSIG NSEC/");
    expect("m.nowhere.", "A", "/. SOA,b. NSEC c.,b. RRSIG NSEC:.,z A 1", "/. SOA,b. NSEC,b. RRSIG NSEC/");
}

static void test_records_that_need_do_are_removed_without_it(void **state)
{
    (void)state;
    dnssec_ok = false;
    expect("m", "A", "m A 1,m RRSIG A/b NSEC,b RRSIG NSEC,example. NS b/b A 1,b RRSIG A", "m A 1/example. NS b/b A 1");
    expect("m", "A", "m CNAME b,m RRSIG CNAME,b A 1", "m CNAME b,b A 1//");
    expect("m", "A", "/example. SOA,example. RRSIG SOA,b NSEC/", "/example. SOA/");
    expect_unchanged("m", "A", "m CNAME b,b A 1/example. NS ns/");
    expect_unchanged("m", "ANY", "m A 1,m RRSIG A,m NSEC//");
    expect("m", "NSEC", "m NSEC,m RRSIG NSEC", "m NSEC//");
    expect_unchanged("m", "RRSIG", "m RRSIG A//");
    dnssec_ok = true;
}

static void test_dname(void **state)
{
    (void)state;
    expect("x.a", "A", "x.b A 1,x.a CNAME x.b,a DNAME b,a RRSIG DNAME",
           "a DNAME b,a RRSIG DNAME,x.a CNAME x.b,x.b A 1//");
    expect("x.a", "A", "a DNAME b,x.b A 1,y.b A 2", "a DNAME b,x.b A 1//"); /* without the CNAME that it makes */
    expect("x.a", "A", "a DNAME b,b DNAME c.,x.c. A 1,z A 1", "a DNAME b,b DNAME c.,x.c. A 1//");
    expect("a", "A", "a DNAME b,a A 1,b A 2", "a DNAME b,a A 1//"); /* it leads on below its owner only */
}

static void test_loops_end(void **state)
{
    (void)state;
    expect("a", "A", "a CNAME a", "a CNAME a//");
    expect("a", "A", "b CNAME a,a CNAME b", "a CNAME b,b CNAME a//");
}

/* A chain as long as a message holds is cut, not followed for ever. */
static void test_long_chain(void **state)
{
    char text[4000] = "";
    (void)state;
    for (int i = 0; i < 60; i++)
        sprintf(text + strlen(text), "%sn%d CNAME n%d", i ? "," : "", i, i + 1);
    compressed = true;
    tidy("n0", "A", text);
    assert_int_equal(answer.ttl_count, 32);
}

/* Thousands of records whose names differ in the last label compared: the work is bounded. */
static void test_work_is_bounded(void **state)
{
    (void)state;
    char label[64];
    memset(label, 'a', 63);
    label[63] = '\0';
    wire_header(&wire, ANSWER_FLAGS, 1, 0, 0, 0);
    for (int i = 0; i < 3; i++) {
        wire_u8(&wire, 63);
        wire_raw(&wire, label, 63);
    }
    wire_u8(&wire, 0);
    wire_u16(&wire, 1);
    wire_u16(&wire, 1);
    unsigned count = 0;
    size_t tails[60];
    for (int i = 0; i < 60; i++) { /* suffixes that differ in their last byte */
        tails[i] = wire.len;
        wire_u8(&wire, 63);
        wire_raw(&wire, label, 63);
        wire_u8(&wire, 63);
        wire_raw(&wire, label, 62);
        wire_u8(&wire, (unsigned)(i + 1));
        wire_u8(&wire, 0);
        wire_fixed(&wire, 1, 60, 4);
        wire_raw(&wire, "\1\2\3\4", 4);
        count++;
    }
    while (wire.len < 64000) {
        wire_u8(&wire, 63);
        wire_raw(&wire, label, 63);
        wire_pointer(&wire, tails[count % 60]);
        wire_fixed(&wire, 1, 60, 4);
        wire_raw(&wire, "\1\2\3\4", 4);
        count++;
    }
    write_u16(wire.data + 6, (uint16_t)count);
    struct answer_transport unused;
    assert_int_equal(message_walk_answer(wire.data, wire.len, &walk_scratch, &answer, &unused), 0);
    int status = chain_tidy(&answer, 1, dnssec_ok, &scratch);
    assert_true(status == ERROR_MALFORMED || answer.ttl_count == 0);
}

/* Thousands of signatures by zones that their owner is not in: none tells a zone. */
static void test_foreign_signatures_are_bounded(void **state)
{
    static uint8_t signature[20] = {[19] = 1};
    (void)state;
    wire_header(&wire, ANSWER_FLAGS, 1, 0, 0, 0);
    wire_name(&wire, "a");
    wire_u16(&wire, 1);
    wire_u16(&wire, 1);
    size_t owner = wire.len;
    for (int i = 0; i < 100; i++) {
        wire_u8(&wire, 1);
        wire_u8(&wire, 'b');
    }
    wire_u8(&wire, 0);
    unsigned count = 0;
    for (; wire.len < 65000; count++) {
        if (count > 0)
            wire_pointer(&wire, owner);
        wire_fixed(&wire, 46, 60, sizeof signature + 2);
        wire_raw(&wire, signature, 18);
        wire_raw(&wire, "\1c\0x", 4);
    }
    write_u16(wire.data + 8, (uint16_t)count);
    struct answer_transport unused;
    assert_int_equal(message_walk_answer(wire.data, wire.len, &walk_scratch, &answer, &unused), 0);
    clock_t begun = clock();
    assert_int_equal(chain_tidy(&answer, 1, true, &scratch), ERROR_MALFORMED);
    assert_true(clock() - begun < CLOCKS_PER_SEC / 2);
}

/* Thousands of types with one owner, which are grouped by type if another record is left out. */
static void test_many_types_are_bounded(void **state)
{
    (void)state;
    wire_header(&wire, ANSWER_FLAGS, 1, 0, 0, 0);
    wire_name(&wire, "a");
    wire_u16(&wire, 255);
    wire_u16(&wire, 1);
    unsigned count = 0;
    for (; wire.len < 65000; count++) {
        wire_pointer(&wire, 12);
        wire_fixed(&wire, 1000 + count, 60, 0);
    }
    wire_name(&wire, "z");
    wire_fixed(&wire, 1000, 60, 0);
    write_u16(wire.data + 6, (uint16_t)(count + 1));
    struct answer_transport unused;
    assert_int_equal(message_walk_answer(wire.data, wire.len, &walk_scratch, &answer, &unused), 0);
    assert_int_equal(chain_tidy(&answer, 255, true, &scratch), ERROR_MALFORMED);
}

/* A response that does not fit after the order was changed is malformed, and is not changed. */
static void test_too_long_to_rewrite(void **state)
{
    (void)state;
    compressed = true;
    build("a", 1, "a A 1,z A 9");
    unsigned count = 2;
    wire_u8(&wire, 0);
    wire_fixed(&wire, 16, 60, 17000); /* beyond the reach of pointers from here on */
    for (int i = 0; i < 17000; i += 100) {
        wire_u8(&wire, 99);
        wire_raw(&wire, known[0].name, 99);
    }
    count++;
    while (wire.len < 65400) {
        wire_pointer(&wire, known[0].at);
        wire_fixed(&wire, 1, 60, 4);
        wire_raw(&wire, "\1\2\3\4", 4);
        count++;
    }
    write_u16(wire.data + 6, (uint16_t)count);
    struct answer_transport unused;
    assert_int_equal(message_walk_answer(wire.data, wire.len, &walk_scratch, &answer, &unused), 0);
    assert_int_equal(chain_tidy(&answer, 1, dnssec_ok, &scratch), 0);
    assert_int_equal(answer.ttl_count, count - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary_responses_are_left_alone),
        cmocka_unit_test(test_chain_order),
        cmocka_unit_test(test_signatures_stay_with_their_rrset),
        cmocka_unit_test(test_strangers_are_dropped),
        cmocka_unit_test(test_letter_case_is_ignored),
        cmocka_unit_test(test_proofs_stay),
        cmocka_unit_test(test_records_that_need_do_are_removed_without_it),
        cmocka_unit_test(test_dname),
        cmocka_unit_test(test_loops_end),
        cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_work_is_bounded),
        cmocka_unit_test(test_foreign_signatures_are_bounded),
        cmocka_unit_test(test_many_types_are_bounded),
        cmocka_unit_test(test_too_long_to_rewrite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
