/* SPDX-License-Identifier: MIT */
/* upstream/idle: the idle time after which a session ends, and whether to open another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/idle.h"

#define WANTED 30000

static void it_is_our_own_limit_until_the_servers_is_known(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 0};
    assert_int_equal(idle_lifetime(&idle, WANTED, 0), WANTED);
    assert_int_equal(idle_lifetime(&idle, WANTED, 100000), WANTED);
}

static void it_ends_a_twentieth_before_the_server_says(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 0};
    assert_int_equal(idle_lifetime(&idle, WANTED, 10000), 9500);
    assert_int_equal(idle_lifetime(&idle, WANTED, 400), 350); /* but 50 ms at least */
    assert_int_equal(idle_lifetime(&idle, WANTED, 20), 1);
}

static void three_closes_after_the_same_time_are_a_habit(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 0};
    idle_note_close(&idle, 10000);
    idle_note_close(&idle, 11000);
    assert_int_equal(idle_lifetime(&idle, WANTED, 0), WANTED);
    idle_note_close(&idle, 10500);
    assert_int_equal(idle_lifetime(&idle, WANTED, 0), 9500);
    assert_int_equal(idle_lifetime(&idle, 5000, 0), 5000);
    assert_int_equal(idle_lifetime(&idle, WANTED, 2000), 1900);
}

static void closes_after_different_times_are_none(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 0};
    idle_note_close(&idle, 10000);
    idle_note_close(&idle, 12001);
    idle_note_close(&idle, 10000);
    assert_int_equal(idle.limit_ms, 0);
    idle_note_close(&idle, 10000); /* replaces the first: 12001 still counts, */
    assert_int_equal(idle.limit_ms, 0);
    idle_note_close(&idle, 10000); /* now it does not */
    assert_int_equal(idle.limit_ms, 10000);
}

/* Such closes are coincidences, or the server allows no idle sessions. */
static void closes_after_almost_no_time_are_ignored(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 0};
    for (unsigned i = 0; i < 5; i++)
        idle_note_close(&idle, 100);
    assert_int_equal(idle.limit_ms, 0);
}

static void it_grows_when_we_always_end_first(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 8000};
    for (unsigned i = 0; i < 9; i++)
        idle_note_end(&idle);
    assert_int_equal(idle.limit_ms, 8000);
    idle_note_end(&idle);
    assert_int_equal(idle.limit_ms, 10000);
}

static void a_close_starts_the_count_again(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 8000};
    for (unsigned i = 0; i < 9; i++)
        idle_note_end(&idle);
    idle_note_close(&idle, 8000);
    for (unsigned i = 0; i < 9; i++)
        idle_note_end(&idle);
    assert_int_equal(idle.limit_ms, 8000);
}

/* Queries every 1.5 s, sessions kept for 1 s. */
static void a_session_is_opened_ahead_after_six_short_pauses(void **state)
{
    (void)state;
    struct idle idle = {.limit_ms = 0};
    uint64_t now_ms = 1000;
    idle_note_query(&idle, now_ms);
    for (unsigned i = 0; i < 6; i++) {
        assert_false(idle_wanted_again(&idle, 1000));
        idle_note_query(&idle, now_ms += 1500);
    }
    assert_true(idle_wanted_again(&idle, 1000));
    idle_note_query(&idle, now_ms += 2000); /* a second session would have ended before it */
    assert_false(idle_wanted_again(&idle, 1000));
}

static void pauses_within_a_session_are_ignored(void **state)
{
    (void)state;
    struct idle idle = {.returns = 0x3f, .kept_ms = 1000, .asked_ms = 1000};
    idle_note_query(&idle, 2000);
    assert_int_equal(idle.returns, 0x3f);
    idle_note_query(&idle, 3001);
    assert_int_equal(idle.returns, 0x7f);
    idle_note_query(&idle, 9000);
    assert_int_equal(idle.returns, 0xfe);
}

static void a_network_change_forgets_the_servers_limit_only(void **state)
{
    (void)state;
    struct idle idle = {.returns = 0x3f, .kept_ms = 1000, .asked_ms = 1000};
    for (unsigned i = 0; i < 3; i++)
        idle_note_close(&idle, 10000);
    idle_forget_server(&idle);
    assert_int_equal(idle_lifetime(&idle, WANTED, 0), WANTED);
    idle_note_close(&idle, 10000); /* three new ones are needed */
    idle_note_close(&idle, 10000);
    assert_int_equal(idle_lifetime(&idle, WANTED, 0), WANTED);
    assert_true(idle_wanted_again(&idle, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_our_own_limit_until_the_servers_is_known),
        cmocka_unit_test(it_ends_a_twentieth_before_the_server_says),
        cmocka_unit_test(three_closes_after_the_same_time_are_a_habit),
        cmocka_unit_test(closes_after_different_times_are_none),
        cmocka_unit_test(closes_after_almost_no_time_are_ignored),
        cmocka_unit_test(it_grows_when_we_always_end_first),
        cmocka_unit_test(a_close_starts_the_count_again),
        cmocka_unit_test(a_session_is_opened_ahead_after_six_short_pauses),
        cmocka_unit_test(pauses_within_a_session_are_ignored),
        cmocka_unit_test(a_network_change_forgets_the_servers_limit_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
