/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "upstream/transport/letter_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t name[] = "\5az-19\77abcdefghijklmnopqrstuvwxyz0123456789_abcdefghijklmnopqrstuvwxyz\3com";

static void case_is_drawn_and_nothing_else_changes(void **state)
{
    (void)state;
    unsigned upper[sizeof name] = {0};
    for (unsigned round = 0; round < 1000; round++) {
        uint8_t mixed[sizeof name];
        memcpy(mixed, name, sizeof name);
        letter_case_mix(mixed, sizeof name);
        for (size_t i = 0; i < sizeof name; i++) {
            bool is_letter = name[i] >= 'a' && name[i] <= 'z';
            assert_true(mixed[i] == name[i] || (is_letter && mixed[i] == name[i] - 0x20));
            upper[i] += mixed[i] != name[i];
        }
    }
    for (size_t i = 0; i < sizeof name; i++)
        if (name[i] >= 'a' && name[i] <= 'z')
            assert_in_range(upper[i], 400, 600);
}

static void a_few_responses_in_another_case_end_it_for_a_while(void **state)
{
    (void)state;
    struct letter_case known = {0};
    assert_true(letter_case_is_mixed(&known, 0));
    for (unsigned i = 0; i < 20; i++) { /* forged ones, between correct ones */
        assert_false(letter_case_note(&known, false, 1000));
        assert_false(letter_case_note(&known, false, 1000));
        assert_false(letter_case_note(&known, true, 1000));
    }
    assert_true(letter_case_is_mixed(&known, 1000));
    for (unsigned i = 1; i <= LETTER_CASE_CHANGED; i++)
        assert_int_equal(letter_case_note(&known, false, 1000), i == LETTER_CASE_CHANGED);
    assert_false(letter_case_is_mixed(&known, 1000 + LETTER_CASE_RETEST - 1));
    assert_true(letter_case_is_mixed(&known, 1000 + LETTER_CASE_RETEST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_is_drawn_and_nothing_else_changes),
        cmocka_unit_test(a_few_responses_in_another_case_end_it_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
