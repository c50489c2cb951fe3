/* SPDX-License-Identifier: MIT */
/* Which RRsets rotate, and that nothing else changes. */
#include "dns/rotate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dns/codes.h"
#include "wire.h"

enum { CNAME = 5, MX = 15 };

static struct wire wire;
static struct answer_scratch scratch;
static struct answer answer;
static unsigned counts[3];

static void begin(const char *name)
{
    wire_header(&wire, ANSWER_FLAGS, 1, 0, 0, 0);
    wire_question(&wire, name, TYPE_A);
    memset(counts, 0, sizeof counts);
}

/* An owner of "" is a pointer to the name in the Question section. */
static void owner(unsigned section, const char *name)
{
    counts[section]++;
    if (*name)
        wire_name(&wire, name);
    else
        wire_literal(&wire, AT_QUESTION);
}

static void add(unsigned section, const char *name, uint16_t type, const char *data, unsigned len)
{
    owner(section, name);
    wire_fixed(&wire, type, 60, len);
    wire_raw(&wire, data, len);
}

static void add_a(const char *name, unsigned last)
{
    const char data[] = {11, 0, 0, (char)last};
    add(0, name, TYPE_A, data, sizeof data);
}

static bool may_rotate(void)
{
    struct answer_transport unused;
    for (unsigned i = 0; i < 3; i++)
        write_u16(wire.data + 6 + 2 * i, (uint16_t)counts[i]);
    assert_int_equal(message_walk_answer(wire.data, wire.len, &scratch, &answer, &unused), 0);
    return rotate_is_possible(&answer);
}

static void each_record_comes_first(void **state)
{
    (void)state;
    begin("a.example");
    for (unsigned i = 1; i <= 4; i++)
        add_a("", i);
    add(0, "", TYPE_RRSIG, "\0\1\5\2\0\0\0\74\0\0\0\0\0\0\0\0\0\1\0x", 20);
    assert_true(may_rotate());
    for (unsigned turn = 0; turn < 4; turn++) {
        static uint8_t out[MESSAGE_MAX];
        memcpy(out, answer.wire, answer.len);
        rotate_rrset(out, answer.wire, answer.ttl_offsets, turn << 30 | 5);
        for (unsigned i = 0; i < 4; i++) {
            uint8_t *data = out + answer.ttl_offsets[i] + 6;
            assert_int_equal(data[3], 1 + (turn + i) % 4);
            data[3] = (uint8_t)(i + 1);
        }
        assert_memory_equal(out, answer.wire, answer.len);
    }
}

static void chain_stays(void **state)
{
    (void)state;
    begin("a.example");
    owner(0, "");
    wire_fixed(&wire, CNAME, 60, 3);
    size_t target = wire.len;
    wire_literal(&wire, "\1t\0");
    for (unsigned i = 1; i <= 2; i++) {
        counts[0]++;
        wire_pointer(&wire, target);
        wire_fixed(&wire, TYPE_A, 60, 4);
        wire_raw(&wire, i == 1 ? "\1\1\1\1" : "\2\2\2\2", 4);
    }
    assert_true(may_rotate());
    static uint8_t out[MESSAGE_MAX];
    memcpy(out, answer.wire, answer.len);
    rotate_rrset(out, answer.wire, answer.ttl_offsets, UINT32_MAX);
    assert_memory_equal(out, answer.wire, answer.ttl_offsets[1]);
    assert_memory_equal(out + answer.ttl_offsets[1] + 6, "\2\2\2\2", 4);
    assert_memory_equal(out + answer.ttl_offsets[2] + 6, "\1\1\1\1", 4);
}

static void owners_are_written_in_several_ways(void **state)
{
    (void)state;
    begin("a.example");
    add_a("a.example", 1);
    add_a("a.example", 2);
    assert_true(may_rotate());
    begin("a.example");
    size_t first = wire.len;
    add_a("a.example", 1);
    counts[0]++;
    wire_pointer(&wire, first);
    wire_fixed(&wire, TYPE_A, 60, 4);
    wire_literal(&wire, "\1\1\1\1");
    assert_true(may_rotate());
    begin("a.example");
    add_a("", 1);
    add_a("b.example", 2); /* of another RRset */
    assert_false(may_rotate());
}

static void mail_servers_rotate(void **state)
{
    (void)state;
    begin("a.example");
    add(0, "", MX, "\0\12\2m1\300\014", 7);
    add(0, "", MX, "\0\12\2m2\300\014", 7);
    assert_true(may_rotate());
    add(0, "", MX, "\0\12\3m10\300\014", 8);
    assert_false(may_rotate());
}

static void data_that_names_lie_in_stays(void **state)
{
    (void)state;
    begin("a.example");
    add(0, "", MX, "\0\12\2m1\300\014", 7);
    size_t name = wire.len - 5;
    add(0, "", MX, "\0\12\2m2\300\014", 7);
    assert_true(may_rotate());
    counts[2]++;
    wire_pointer(&wire, name);
    wire_fixed(&wire, TYPE_A, 60, 4);
    wire_literal(&wire, "\1\1\1\1");
    assert_false(may_rotate()); /* the owner of an additional record */
    begin("a.example");
    add(0, "", MX, "\0\12\2m1\300\014", 7);
    name = wire.len - 5;
    owner(0, "");
    wire_fixed(&wire, MX, 60, 7);
    wire_literal(&wire, "\0\12\2m2");
    wire_pointer(&wire, name);
    assert_false(may_rotate()); /* m2.m1.a.example */
}

static void names_that_lead_there_by_detours_count(void **state)
{
    (void)state;
    begin("a.example");
    size_t data = wire.len + 12;
    add(0, "", TYPE_A, "\1x\0\0", 4);
    add(0, "", TYPE_A, "\1y\0\0", 4);
    size_t detour = wire.len + 12;
    add(0, "", 65280, "\1d\300\0", 4);
    write_u16(wire.data + detour + 2, (uint16_t)(0xC000 | data));
    assert_true(may_rotate()); /* data of an unknown type holds no name */
    counts[2]++;
    wire_pointer(&wire, detour);
    wire_fixed(&wire, TYPE_A, 60, 4);
    wire_literal(&wire, "\1\1\1\1");
    assert_false(may_rotate());
}

static void single_records_and_other_types_stay(void **state)
{
    (void)state;
    begin("a.example");
    add_a("", 1);
    assert_false(may_rotate());
    add(0, "", TYPE_TXT, "\1a", 2);
    add(0, "", TYPE_TXT, "\1b", 2);
    assert_false(may_rotate());
    begin("a.example");
    add_a("", 1);
    add(1, "", TYPE_A, "\1\1\1\1", 4); /* of another section */
    assert_false(may_rotate());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_comes_first),
        cmocka_unit_test(chain_stays),
        cmocka_unit_test(owners_are_written_in_several_ways),
        cmocka_unit_test(mail_servers_rotate),
        cmocka_unit_test(data_that_names_lie_in_stays),
        cmocka_unit_test(names_that_lead_there_by_detours_count),
        cmocka_unit_test(single_records_and_other_types_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
