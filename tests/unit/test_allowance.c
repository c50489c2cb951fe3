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

static void it_is_the_number_of_responses_of_the_last_session(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    allowance_note_end(&allowance, 1000, 20, 7, false);
    assert_int_equal(allowance_now(&allowance, 1000), 7);
}

/* Responses may have been on their way when it ended. */
static void it_is_at_least_an_eighth_of_the_queries_sent(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    allowance_note_end(&allowance, 1000, 80, 3, false);
    assert_int_equal(allowance_now(&allowance, 1000), 10);
}

static void a_single_session_without_a_response_is_a_coincidence(void **state)
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

static void two_sessions_with_equal_responses_show_a_limit(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_false(allowance_note_end(&allowance, 1000, 9, 4, false));
    assert_true(allowance_note_end(&allowance, 2000, 6, 4, false));
    assert_false(allowance_note_end(&allowance, 3000, 6, 5, false));
    assert_false(allowance_note_end(&allowance, 4000, 6, 0, false));
    assert_false(allowance_note_end(&allowance, 5000, 6, 0, true)); /* a session without any response gives no number */
}

/* --- sessions that fall silent --- */

static void one_silent_session_says_nothing(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_false(allowance_note_silence(&allowance, 1060, 5, 500, 1000));
    assert_int_equal(allowance_now(&allowance, 1060), UINT_MAX);
}

static void two_silent_sessions_with_as_many_responses_say_where_others_will_be(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_false(allowance_note_silence(&allowance, 1060, 5, 500, 1000));
    assert_false(allowance_note_silence(&allowance, 2060, 6, 1050, 2000));
    assert_true(allowance_note_silence(&allowance, 3060, 6, 2050, 3000));
    assert_int_equal(allowance_now(&allowance, 3060), 6);
}

static void sessions_that_fell_silent_together_are_one_event(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_false(allowance_note_silence(&allowance, 1060, 1, 500, 1000));
    assert_false(allowance_note_silence(&allowance, 1070, 1, 600, 1001)); /* dialled before the first one was silent */
    assert_int_equal(allowance_now(&allowance, 1070), UINT_MAX);
}

static void sessions_without_any_response_tell_no_allowance(void **state)
{
    (void)state;
    struct allowance allowance = {.queries = 0};
    assert_false(allowance_note_silence(&allowance, 1060, 0, 500, 1000));
    assert_false(allowance_note_silence(&allowance, 2060, 0, 1050, 2000));
    assert_int_equal(allowance_now(&allowance, 2060), UINT_MAX);
}

static void learn_from_silence(struct allowance *allowance)
{
    *allowance = (struct allowance){.queries = 0};
    assert_false(allowance_note_silence(allowance, 1060, 5, 500, 1000));
    assert_true(allowance_note_silence(allowance, 2000, 5, 1050, 1900));
}

static void what_silence_tells_is_probed_by_one_query_and_ever_less_often(void **state)
{
    (void)state;
    struct allowance allowance;
    uint64_t now_ms = 2000, pause_ms = ALLOWANCE_PROBED;
    learn_from_silence(&allowance);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(allowance_now(&allowance, now_ms + pause_ms - 1), 5);
        assert_int_equal(allowance_now(&allowance, now_ms + pause_ms), 6);
        now_ms += pause_ms;
        allowance_note_probe(&allowance, now_ms);
        assert_int_equal(allowance_now(&allowance, now_ms), 5);
        now_ms += 100;
        assert_true(allowance_note_silence(&allowance, now_ms, 5, now_ms - 200, now_ms - 100));
        if (i < ALLOWANCE_CONFIRMED_MAX - 1)
            pause_ms *= 2;
    }
}

static void a_session_that_is_heard_again_was_not_silent(void **state)
{
    (void)state;
    struct allowance allowance;
    learn_from_silence(&allowance);
    allowance_forget_silence(&allowance);
    assert_int_equal(allowance_now(&allowance, 2000), UINT_MAX);
    assert_false(allowance_note_silence(&allowance, 3000, 5, 2500, 2900));
    allowance_note_end(&allowance, 4000, 3, 3, false);
    allowance_forget_silence(&allowance); /* what ends of sessions tell stays */
    assert_int_equal(allowance_now(&allowance, 4000), 3);
}

static void a_session_that_lives_on_is_spent_where_sessions_fall_silent(void **state)
{
    (void)state;
    struct allowance closing = {.queries = 5, .set_ms = 1000}, silent;
    assert_false(allowance_is_spent(&closing, 1000, 4, 4, false));
    assert_true(allowance_is_spent(&closing, 1000, 5, 5, false));
    assert_false(allowance_is_spent(&closing, 1000, 5, 5, true));
    assert_false(allowance_is_spent(&closing, 1000, 10, 10, false));
    learn_from_silence(&silent);
    assert_false(allowance_is_spent(&silent, 2000, 4, 4, true));
    assert_true(allowance_is_spent(&silent, 2000, 5, 5, true));
    assert_true(allowance_is_spent(&silent, 2000, 9, 5, false));
    assert_false(allowance_is_spent(&silent, 2000, 9, 6, true)); /* more than any other */
    assert_true(allowance_is_exhausted(&silent, 5) && !allowance_is_exhausted(&silent, 4));
    assert_false(allowance_is_exhausted(&closing, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_at_first),
        cmocka_unit_test(it_is_the_number_of_responses_of_the_last_session),
        cmocka_unit_test(it_is_at_least_an_eighth_of_the_queries_sent),
        cmocka_unit_test(a_single_session_without_a_response_is_a_coincidence),
        cmocka_unit_test(it_doubles_while_nothing_confirms_it),
        cmocka_unit_test(a_session_that_outlived_it_shows_that_it_is_too_low),
        cmocka_unit_test(two_sessions_with_equal_responses_show_a_limit),
        cmocka_unit_test(one_silent_session_says_nothing),
        cmocka_unit_test(two_silent_sessions_with_as_many_responses_say_where_others_will_be),
        cmocka_unit_test(sessions_that_fell_silent_together_are_one_event),
        cmocka_unit_test(sessions_without_any_response_tell_no_allowance),
        cmocka_unit_test(what_silence_tells_is_probed_by_one_query_and_ever_less_often),
        cmocka_unit_test(a_session_that_is_heard_again_was_not_silent),
        cmocka_unit_test(a_session_that_lives_on_is_spent_where_sessions_fall_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
