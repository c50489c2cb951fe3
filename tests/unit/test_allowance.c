/* SPDX-License-Identifier: MIT */
/* upstream/allowance: the number of queries after which a server closes a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include "upstream/allowance.h"
#include "upstream/transport/ids.h"

static void any_number_at_first(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_int_equal(allowance_now(&allowance, 1000), UINT_MAX);
}

static void it_is_what_the_last_session_answered(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    allowance_note_end(&allowance, 1000, 20, 7, false);
    assert_int_equal(allowance_now(&allowance, 1000), 7);
}

/* Responses may have been on their way when it ended. */
static void it_is_an_eighth_of_what_was_given_at_least(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    allowance_note_end(&allowance, 1000, 80, 3, false);
    assert_int_equal(allowance_now(&allowance, 1000), 10);
}

static void a_session_without_any_response_is_an_accident_once(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_false(allowance_note_end(&allowance, 1000, 3, 0, false));
    assert_int_equal(allowance_now(&allowance, 1000), UINT_MAX);
    assert_false(allowance_note_end(&allowance, 1000, 3, 0, true));
    assert_int_equal(allowance_now(&allowance, 1000), 1);
}

static void it_doubles_while_nothing_confirms_it(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    allowance_note_end(&allowance, 1000, 5, 5, false);
    assert_int_equal(allowance_now(&allowance, 1000 + ALLOWANCE_DOUBLES - 1), 5);
    assert_int_equal(allowance_now(&allowance, 1000 + ALLOWANCE_DOUBLES), 10);
    assert_int_equal(allowance_now(&allowance, 1000 + 15 * ALLOWANCE_DOUBLES), 5u << 15);
    assert_int_equal(allowance_now(&allowance, 1000 + 16 * ALLOWANCE_DOUBLES), UINT_MAX);
}

static void a_session_that_outlived_it_shows_that_it_is_too_low(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    allowance_note_end(&allowance, 1000, 5, 5, false);
    allowance_note_outlived(&allowance, 1200, 5);
    assert_int_equal(allowance_now(&allowance, 1200 + ALLOWANCE_DOUBLES - 1), 10);
    allowance_note_outlived(&allowance, 1200, IDS_MAX / 2);
    assert_int_equal(allowance_now(&allowance, 1200), UINT_MAX);
}

static void two_sessions_with_as_many_responses_are_the_servers_way(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_false(allowance_note_end(&allowance, 1000, 9, 4, false));
    assert_true(allowance_note_end(&allowance, 2000, 6, 4, false));
    assert_false(allowance_note_end(&allowance, 3000, 6, 5, false));
    assert_false(allowance_note_end(&allowance, 4000, 6, 0, false));
    assert_false(allowance_note_end(&allowance, 5000, 6, 0, true)); /* a session without any response gives no number */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_at_first),
        cmocka_unit_test(it_is_what_the_last_session_answered),
        cmocka_unit_test(it_is_an_eighth_of_what_was_given_at_least),
        cmocka_unit_test(a_session_without_any_response_is_an_accident_once),
        cmocka_unit_test(it_doubles_while_nothing_confirms_it),
        cmocka_unit_test(a_session_that_outlived_it_shows_that_it_is_too_low),
        cmocka_unit_test(two_sessions_with_as_many_responses_are_the_servers_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
