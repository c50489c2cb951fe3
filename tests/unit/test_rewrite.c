/* SPDX-License-Identifier: MIT */
/* Compression of responses from servers that do not compress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/rewrite.h"
#include "wire.h"

enum { A = 1, NS = 2, CNAME = 5, SRV = 33 };

static struct wire wire, expected;
static struct answer_scratch scratch, expected_scratch;
static struct rewrite rewrite;
static struct answer answer;

static void begin(struct wire *message, unsigned answers, unsigned authorities)
{
    wire_header(message, ANSWER_FLAGS, 1, answers, authorities, 0);
    wire_question(message, "www.example.com", A);
}

static void put_a(struct wire *message, const char *owner)
{
    wire_name(message, owner);
    wire_fixed(message, A, 300, 4);
    wire_literal(message, "\300\000\002\001");
}

static void walk(struct wire *message)
{
    struct answer_transport transport;
    assert_int_equal(message_walk_answer(message->data, message->len, &scratch, &answer, &transport), 0);
}

/* The compressed message is the expected one, whose TTLs and sections are known as well. */
static void assert_compressed(void)
{
    struct answer same;
    walk(&wire);
    assert_true(answer.uncompressed);
    assert_true(rewrite_compress(&answer, &rewrite));
    assert_int_equal(answer.len, expected.len);
    assert_memory_equal(answer.wire, expected.data, expected.len);
    assert_int_equal(message_own_answer(expected.data, expected.len, &expected_scratch, &same), 0);
    assert_int_equal(answer.ttl_count, same.ttl_count);
    assert_memory_equal(answer.ttl_offsets, same.ttl_offsets, same.ttl_count * sizeof *same.ttl_offsets);
    assert_int_equal(answer.additional, same.additional);
}

static void assert_left_alone(void)
{
    uint8_t before[512];
    assert_true(wire.len <= sizeof before);
    memcpy(before, wire.data, wire.len);
    walk(&wire);
    assert_false(rewrite_compress(&answer, &rewrite));
    assert_ptr_equal(answer.wire, wire.data);
    assert_int_equal(answer.len, wire.len);
    assert_memory_equal(before, wire.data, wire.len);
}

static void owner_that_repeats_the_question(void **state)
{
    (void)state;
    begin(&wire, 1, 0);
    put_a(&wire, "www.example.com");
    begin(&expected, 1, 0);
    wire_literal(&expected, AT_QUESTION);
    wire_fixed(&expected, A, 300, 4);
    wire_literal(&expected, "\300\000\002\001");
    assert_compressed();
}

/* "example.com" is at 16 and "com" at 24 in the question. */
static void names_in_data_and_common_suffixes(void **state)
{
    (void)state;
    begin(&wire, 2, 1);
    wire_name(&wire, "www.example.com");
    wire_fixed(&wire, CNAME, 300, 13);
    wire_name(&wire, "cdn.net.com");
    put_a(&wire, "cdn.net.com");
    wire_name(&wire, "example.com");
    wire_fixed(&wire, NS, 60, 16);
    wire_name(&wire, "ns.example.com");
    begin(&expected, 2, 1);
    wire_literal(&expected, AT_QUESTION);
    wire_fixed(&expected, CNAME, 300, 10);
    size_t target = expected.len;
    wire_literal(&expected, "\3cdn\3net\300\030");
    wire_pointer(&expected, target);
    wire_fixed(&expected, A, 300, 4);
    wire_literal(&expected, "\300\000\002\001\300\020");
    wire_fixed(&expected, NS, 60, 5);
    wire_literal(&expected, "\2ns\300\020");
    assert_compressed();
}

/* RFC 3597 section 4. */
static void data_that_must_not_be_compressed(void **state)
{
    (void)state;
    begin(&wire, 1, 0);
    wire_name(&wire, "www.example.com");
    wire_fixed(&wire, SRV, 300, 6 + 17);
    wire_literal(&wire, "\0\1\0\1\0\65");
    wire_name(&wire, "www.example.com");
    begin(&expected, 1, 0);
    wire_literal(&expected, AT_QUESTION);
    wire_fixed(&expected, SRV, 300, 6 + 17);
    wire_literal(&expected, "\0\1\0\1\0\65");
    wire_name(&expected, "www.example.com");
    assert_compressed();
}

static void other_letter_case_is_kept(void **state)
{
    (void)state;
    begin(&wire, 1, 0);
    put_a(&wire, "WWW.EXAMPLE.COM");
    assert_left_alone();
    assert_true(answer.uncompressed);
}

static void compressed_message(void **state)
{
    (void)state;
    begin(&wire, 2, 0);
    for (unsigned i = 0; i < 2; i++) {
        wire_literal(&wire, AT_QUESTION);
        wire_fixed(&wire, A, 300, 4);
        wire_literal(&wire, "\300\000\002\001");
    }
    assert_left_alone();
    assert_false(answer.uncompressed);
}

/* The root, and a name of which only the suffix is a pointer, are as short as they can be. */
static void short_owners_are_no_sign(void **state)
{
    (void)state;
    begin(&wire, 2, 0);
    put_a(&wire, "");
    wire_literal(&wire, "\2ns\300\020");
    wire_fixed(&wire, A, 300, 4);
    wire_literal(&wire, "\300\000\002\001");
    assert_left_alone();
    assert_false(answer.uncompressed);
}

/* More labels than are remembered, and each name twice. */
static void many_names(void **state)
{
    enum { NAMES = 2 * REWRITE_LABELS };
    char name[32];
    (void)state;
    begin(&wire, 2 * NAMES, 0);
    for (unsigned i = 0; i < 2 * NAMES; i++) {
        snprintf(name, sizeof name, "n%03u.example.com", i / 2);
        put_a(&wire, name);
    }
    walk(&wire);
    assert_true(rewrite_compress(&answer, &rewrite));
    struct answer again;
    size_t len = answer.len;
    assert_int_equal(message_own_answer(answer.wire, len, &expected_scratch, &again), 0);
    assert_int_equal(again.len, len);
    assert_int_equal(again.ttl_count, 2 * NAMES);
    assert_true(len < wire.len - 2 * NAMES * 11); /* "example.com" is never repeated */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_that_repeats_the_question),
        cmocka_unit_test(names_in_data_and_common_suffixes),
        cmocka_unit_test(data_that_must_not_be_compressed),
        cmocka_unit_test(other_letter_case_is_kept),
        cmocka_unit_test(compressed_message),
        cmocka_unit_test(short_owners_are_no_sign),
        cmocka_unit_test(many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
