/* SPDX-License-Identifier: MIT */
#include "dns/records.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <ldns/ldns.h>

static const struct key asked = {.type = 255, .class = 1, .name_len = 3, .name = {1, 'a', 0}};

static int answer_one(uint8_t *out, size_t cap, const struct key *key, const struct record_text *record)
{
    return records_answer(out, cap, key, 0, record, 1, NULL, 0);
}

static void an_answer_is_built_from_presentation_form(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0,    0,   0x80, 0,  0,   1, 0, 1, 0,    0,    0, 0,                                          /* header */
        1,    'a', 0,    0,  255, 0, 1,                                                               /* question */
        0xc0, 12,  0,    13, 0,   1, 0, 0, 0x0e, 0x10, 0, 9, 7, 'R', 'F', 'C', '8', '4', '8', '2', 0, /* RFC 8482 */
    };
    static const struct record_text hinfo = {NULL, "HINFO", 3600, "\"RFC8482\" \"\""};
    uint8_t out[512];
    assert_int_equal(answer_one(out, sizeof(out), &asked, &hinfo), sizeof(expected));
    assert_memory_equal(out, expected, sizeof(expected));
}

static void every_record_has_the_class_of_the_key(void **state)
{
    (void)state;
    static const struct record_text text = {NULL, "TXT", 0, "\"two words\" more"};
    static const uint8_t expected[] = {0xc0, 12,  0,   16,  0,   3,   0,   0,   0, 0,   0,   15,  9,  't',
                                       'w',  'o', ' ', 'w', 'o', 'r', 'd', 's', 4, 'm', 'o', 'r', 'e'};
    struct key chaos = asked;
    uint8_t out[512];
    chaos.class = 3;
    assert_int_equal(answer_one(out, sizeof(out), &chaos, &text), 19 + sizeof(expected));
    assert_memory_equal(out + 19, expected, sizeof(expected));
    assert_int_equal(read_u16(out + 17), 3);
}

static void authority_records_come_with_their_own_owner(void **state)
{
    (void)state;
    static const struct record_text soa = {"LocalHost.", "SOA", 86400, ". nobody.invalid. 1 3600 1200 604800 10800"};
    static const uint8_t owner[] = {9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0, 0, 6, 0, 1, 0, 1, 0x51, 0x80};
    uint8_t out[512];
    struct answer_scratch *scratch = test_calloc(1, sizeof(*scratch));
    struct answer answer;
    int len = records_answer(out, sizeof(out), &asked, 3, NULL, 0, &soa, 1);
    assert_int_equal(len, 19 + sizeof(owner) + 2 + 1 + 16 + 20);
    assert_memory_equal(out + 19, owner, sizeof(owner));
    assert_int_equal(read_u16(out + 6), 0);
    assert_int_equal(read_u16(out + 8), 1);
    assert_int_equal(read_u32(out + len - 4), 10800);
    assert_int_equal(message_own_answer(out, (size_t)len, scratch, &answer), 0);
    assert_int_equal(answer.rcode, 3);
    assert_int_equal(answer.ttl_count, 1);
    test_free(scratch);
}

static void an_answer_may_have_no_records(void **state)
{
    (void)state;
    uint8_t out[19];
    assert_int_equal(records_answer(out, sizeof(out), &asked, 0, NULL, 0, NULL, 0), sizeof(out));
    assert_int_equal(read_u16(out + MESSAGE_FLAGS), FLAG_QR);
}

static void invalid_records_are_refused(void **state)
{
    (void)state;
    static const struct record_text bad[] = {
        {NULL, "A", 60, "192.0.2"},       {NULL, "A", 60, ""},
        {NULL, "AAAA", 60, "::1 ::2"},    {NULL, "NONSENSE", 60, "1"},
        {"a..b.", "A", 60, "192.0.2.1"},  {NULL, "TXT", 60, "\\# 3 00"},
        {NULL, "SOA", 60, ". . 1 2 3 4"}, {NULL, "NONSENSE", 60, "\\# 1 00"},
    };
    uint8_t out[512];
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(answer_one(out, sizeof(out), &asked, &bad[i]), -EINVAL);
    char *endless = test_malloc(5000);
    for (size_t i = 0; i < 5000; i++)
        endless[i] = i % 2 ? ' ' : 'x';
    endless[4999] = 0;
    assert_int_equal(answer_one(out, sizeof(out), &asked, &(struct record_text){NULL, "TXT", 60, endless}), -EINVAL);
    test_free(endless);
}

static void too_large_answers_are_refused(void **state)
{
    (void)state;
    static const struct record_text address = {NULL, "A", 60, "192.0.2.1"};
    uint8_t out[19 + 16];
    assert_int_equal(answer_one(out, sizeof(out), &asked, &address), sizeof(out));
    for (size_t cap = 0; cap < sizeof(out); cap++)
        assert_int_equal(answer_one(out, cap, &asked, &address), -ENOSPC);
}

static void types_have_names(void **state)
{
    (void)state;
    char out[TYPE_TEXT];
    assert_string_equal(records_type_text(28, out), "AAAA");
    assert_string_equal(records_type_text(65, out), "HTTPS");
    assert_string_equal(records_type_text(51, out), "NSEC3PARAM");
    assert_string_equal(records_type_text(255, out), "ANY");
    assert_string_equal(records_type_text(65280, out), "TYPE65280");
}

static void types_have_numbers(void **state)
{
    (void)state;
    assert_int_equal(records_type_number("AAAA"), 28);
    assert_int_equal(records_type_number("https"), 65);
    assert_int_equal(records_type_number("TYPE65280"), 65280);
    assert_int_equal(records_type_number("NONSENSE"), -EINVAL);
    assert_int_equal(records_type_number(""), -EINVAL);
}

static void rcodes_have_names(void **state)
{
    (void)state;
    char out[RCODE_TEXT];
    assert_string_equal(records_rcode_text(3, out), "NXDOMAIN");
    assert_string_equal(records_rcode_text(4000, out), "RCODE4000");
}

struct shown {
    char text[1024];
    unsigned count;
};

static void show_record(void *context, const struct record_view *record)
{
    struct shown *shown = context;
    size_t len = strlen(shown->text);
    snprintf(shown->text + len, sizeof shown->text - len, "%s %s %u %s %s\n", record->section, record->owner,
             record->ttl, record->type, record->rdata);
    shown->count++;
}

static void records_are_shown_as_text(void **state)
{
    (void)state;
    static const struct record_text answer[] = {{NULL, "CNAME", 60, "b.example."},
                                                {"b.example.", "TXT", 30, "\"a\\255b\" \"c\""},
                                                {"b.example.", "MX", 30, "10 mail.b.example."}};
    static const struct record_text authority[] = {{"example.", "SOA", 5, "ns.example. host.example. 1 2 3 4 5"}};
    struct key key = {.name = "\1a\7example", .name_len = 11, .type = 1, .class = 1};
    struct shown shown = {.count = 0};
    uint8_t wire[512];
    int len = records_answer(wire, sizeof wire, &key, 0, answer, 3, authority, 1);
    assert_true(len > 0);
    assert_int_equal(records_each((struct bytes){wire, (size_t)len}, show_record, &shown), 0);
    assert_string_equal(shown.text, "answer a.example. 60 CNAME b.example.\n"
                                    "answer b.example. 30 TXT \"a\\255b\" \"c\"\n"
                                    "answer b.example. 30 MX 10 mail.b.example.\n"
                                    "authority example. 5 SOA ns.example. host.example. 1 2 3 4 5\n");
    for (size_t cut = 0; cut < (size_t)len; cut++)
        assert_int_equal(records_each((struct bytes){wire, cut}, show_record, &shown), -EINVAL);
    assert_int_equal(shown.count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_shown_as_text),
        cmocka_unit_test(types_have_numbers),
        cmocka_unit_test(rcodes_have_names),
        cmocka_unit_test(an_answer_is_built_from_presentation_form),
        cmocka_unit_test(every_record_has_the_class_of_the_key),
        cmocka_unit_test(authority_records_come_with_their_own_owner),
        cmocka_unit_test(an_answer_may_have_no_records),
        cmocka_unit_test(invalid_records_are_refused),
        cmocka_unit_test(too_large_answers_are_refused),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
