/* SPDX-License-Identifier: MIT */
/* upstream/losses: sessions that ended together, queries that were lost together, hedges to a silent server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/losses.h"

/* --- ends of sessions --- */

static void no_end_coincides_with_nothing(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    assert_false(losses_coincide(&losses, 0, 0));
    assert_false(losses_coincide(&losses, 1000, 1010));
}

static void an_end_that_others_shared_explains_those_begun_before(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    losses_note_shared_end(&losses, 2000);
    assert_true(losses_coincide(&losses, 1000, 1500));
    assert_true(losses_coincide(&losses, 1999, 2000 + NOTICE_SPAN)); /* noticed a little earlier than it was sent */
    assert_false(losses_coincide(&losses, 1999, 2001 + NOTICE_SPAN));
    assert_false(losses_coincide(&losses, 2000, 2000)); /* begun after it */
}

static void many_ends_of_any_kind_explain_one_as_well(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    losses_note_end(&losses, 2000);
    losses_note_end(&losses, 2001);
    assert_false(losses_coincide(&losses, 1000, 1500));
    losses_note_end(&losses, 2002);
    assert_true(losses_coincide(&losses, 1000, 1500));
    assert_false(losses_coincide(&losses, 2000, 2000)); /* only two since then */
    losses_note_end(&losses, 2003);
    assert_true(losses_coincide(&losses, 2000, 2000));
}

static void a_lost_session_leaves_doubt_about_those_that_were_open_and_are_not_heard(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    assert_false(losses_leave_doubt(&losses, 0, 0, 0, 10));
    losses_note_lost(&losses, 2000);
    assert_true(losses_leave_doubt(&losses, 1000, 1050, 1900, 2000));
    assert_true(losses_leave_doubt(&losses, 1000, 1050, 2000 + NOTICE_SPAN, 2050)); /* what it sent before the end */
    assert_false(losses_leave_doubt(&losses, 1000, 1050, 2001 + NOTICE_SPAN, 2050));
    assert_false(losses_leave_doubt(&losses, 1000, 2001, 0, 2050)); /* opened since */
    assert_false(losses_leave_doubt(&losses, 2000, 2000, 0, 2050)); /* dialled since, and opened at once */
    assert_true(losses_leave_doubt(&losses, 1000, 1050, 1900, 1999 + DOUBT_SPAN));
    assert_false(losses_leave_doubt(&losses, 1000, 1050, 1900, 2000 + DOUBT_SPAN));
}

/* --- unanswered queries --- */

static void few_unanswered_queries_are_no_loss(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    losses_note_unanswered(&losses, 5000, LOSS_MIN - 1);
    assert_false(losses_cover(&losses, 5000));
}

static void many_unanswered_queries_cover_those_sent_at_the_same_time(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    losses_note_unanswered(&losses, 5000, LOSS_MIN);
    assert_true(losses_cover(&losses, 5000 - LOSS_SPAN));
    assert_true(losses_cover(&losses, 5000 + LOSS_SPAN));
    assert_false(losses_cover(&losses, 5000 - LOSS_SPAN - 1));
    assert_false(losses_cover(&losses, 5000 + LOSS_SPAN + 1));
}

static void a_loss_grows_in_both_directions(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    losses_note_unanswered(&losses, 5000, LOSS_MIN);
    losses_note_unanswered(&losses, 5100, LOSS_MIN);
    losses_note_unanswered(&losses, 4900, LOSS_MIN);
    assert_int_equal(losses.from_ms, 4900);
    assert_int_equal(losses.to_ms, 5100);
    losses_note_unanswered(&losses, 5000, LOSS_MIN);
    assert_int_equal(losses.from_ms, 4900);
    assert_int_equal(losses.to_ms, 5100);
}

static void the_latest_loss_replaces_one_at_another_time(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    losses_note_unanswered(&losses, 5000, LOSS_MIN);
    losses_note_unanswered(&losses, 5101, LOSS_MIN);
    assert_false(losses_cover(&losses, 5000));
    assert_true(losses_cover(&losses, 5101));
    losses_note_unanswered(&losses, 4000, LOSS_MIN);
    assert_true(losses_cover(&losses, 4000));
    assert_false(losses_cover(&losses, 5101));
}

/* --- responses and hedges --- */

static void the_latest_query_that_was_answered_is_known(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    losses_note_response(&losses, 3000);
    losses_note_response(&losses, 2000);
    assert_int_equal(losses.answered_sent_ms, 3000);
}

static void hedges_to_a_silent_server_come_in_pairs_each_later_than_the_last(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    uint64_t now_ms = 1000, wait_ms = 40;
    for (unsigned pair = 0; pair < 12; pair++) {
        for (unsigned i = 0; i < PROBES; i++) {
            assert_true(losses_may_probe(&losses, now_ms));
            losses_note_probe(&losses, now_ms, 40);
        }
        assert_false(losses_may_probe(&losses, now_ms));
        assert_false(losses_may_probe(&losses, now_ms + wait_ms - 1));
        now_ms += wait_ms;
        if (pair < 8)
            wait_ms *= 2;
    }
}

static void a_response_allows_hedges_again(void **state)
{
    (void)state;
    struct losses losses = {.ends = 0};
    for (unsigned i = 0; i < PROBES; i++)
        losses_note_probe(&losses, 1000, 40);
    assert_false(losses_may_probe(&losses, 1000));
    losses_note_response(&losses, 900);
    assert_true(losses_may_probe(&losses, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_end_coincides_with_nothing),
        cmocka_unit_test(an_end_that_others_shared_explains_those_begun_before),
        cmocka_unit_test(many_ends_of_any_kind_explain_one_as_well),
        cmocka_unit_test(a_lost_session_leaves_doubt_about_those_that_were_open_and_are_not_heard),
        cmocka_unit_test(few_unanswered_queries_are_no_loss),
        cmocka_unit_test(many_unanswered_queries_cover_those_sent_at_the_same_time),
        cmocka_unit_test(a_loss_grows_in_both_directions),
        cmocka_unit_test(the_latest_loss_replaces_one_at_another_time),
        cmocka_unit_test(the_latest_query_that_was_answered_is_known),
        cmocka_unit_test(hedges_to_a_silent_server_come_in_pairs_each_later_than_the_last),
        cmocka_unit_test(a_response_allows_hedges_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
