/* SPDX-License-Identifier: MIT */
/* upstream/transport/silence: when several responses are overdue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/transport/silence.h"

static void few_queries_are_no_silence(void **state)
{
    (void)state;
    struct silence silence = {.queries = 0};
    assert_int_equal(silence_due(&silence, 60), UINT64_MAX);
    for (unsigned i = 1; i < SILENCE_SEVERAL; i++)
        silence_note_query(&silence, 1000 + i);
    assert_int_equal(silence_due(&silence, 60), UINT64_MAX);
}

static void several_are_once_the_last_of_them_is_overdue(void **state)
{
    (void)state;
    struct silence silence = {.queries = 0};
    for (unsigned i = 0; i < SILENCE_SEVERAL; i++)
        silence_note_query(&silence, 1000 + 10 * i);
    assert_int_equal(silence.first_ms, 1000);
    assert_int_equal(silence_due(&silence, 60), 1000 + 10 * (SILENCE_SEVERAL - 1) + 60);
    silence_note_query(&silence, 5000); /* further queries do not postpone it */
    assert_int_equal(silence_due(&silence, 60), 1000 + 10 * (SILENCE_SEVERAL - 1) + 60);
}

static void a_received_message_restarts_silence(void **state)
{
    (void)state;
    struct silence silence = {.queries = 0};
    for (unsigned i = 0; i < SILENCE_SEVERAL; i++)
        silence_note_query(&silence, 1000);
    silence_note_heard(&silence);
    assert_int_equal(silence_due(&silence, 60), UINT64_MAX);
    for (unsigned i = 0; i < SILENCE_SEVERAL; i++)
        silence_note_query(&silence, 2000);
    assert_int_equal(silence_due(&silence, 60), 2060);
}

/* Slow names that come one at a time. */
static void queries_far_apart_are_not_several(void **state)
{
    (void)state;
    struct silence silence = {.queries = 0};
    for (unsigned i = 0; i < 10; i++)
        silence_note_query(&silence, 1000 + i * (SILENCE_SPAN + 1));
    assert_int_equal(silence.queries, 1);
    for (unsigned i = 0; i < SILENCE_SEVERAL; i++)
        silence_note_query(&silence, 9000 + i * SILENCE_SPAN / (SILENCE_SEVERAL - 1));
    assert_int_equal(silence.first_ms, 9000);
    assert_int_equal(silence_due(&silence, 60), 9000 + SILENCE_SPAN + 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_queries_are_no_silence),
        cmocka_unit_test(several_are_once_the_last_of_them_is_overdue),
        cmocka_unit_test(a_received_message_restarts_silence),
        cmocka_unit_test(queries_far_apart_are_not_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
