/* SPDX-License-Identifier: MIT */
/* upstream/condition: the table, and when a server is probed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/condition.h"

static struct condition condition;

static int setup(void **state)
{
    (void)state;
    condition = (struct condition){.state = CONDITION_UNKNOWN};
    return 0;
}

static void note(enum condition_event event, uint64_t now_ms)
{
    condition_note(&condition, event, now_ms);
}

static void each_event_has_its_state(void **state)
{
    (void)state;
    enum { N = CONDITION_UNKNOWN, U = CONDITION_USABLE, F = CONDITION_FAILING, A = CONDITION_UNANSWERED };
    /* opened, probed, answered, dial failed, session failed, moved */
    static const uint8_t expected[CONDITIONS][CONDITION_EVENTS] = {
        [N] = {U, U, U, F, A, N}, [U] = {U, U, U, F, A, N}, [F] = {U, U, U, F, A, F}, [A] = {A, U, U, F, A, A}};
    for (unsigned from = 0; from < CONDITIONS; from++)
        for (unsigned event = 0; event < CONDITION_EVENTS; event++) {
            condition = (struct condition){.state = (uint8_t)from, .failures = from == F || from == A};
            note((enum condition_event)event, 1000);
            assert_int_equal(condition.state, expected[from][event]);
            assert_int_equal(condition_is_failing(&condition),
                             expected[from][event] == F || expected[from][event] == A);
        }
}

static void assert_probed_after(uint64_t from_ms, uint64_t length_ms)
{
    uint64_t at_ms = condition_probe_at(&condition, from_ms);
    assert_in_range(at_ms, from_ms + length_ms * 3 / 4, from_ms + length_ms);
    assert_int_equal(condition_probe_at(&condition, from_ms + 1), at_ms); /* it stays */
}

static void a_server_that_was_never_dialled_is_probed_once_in_a_while(void **state)
{
    (void)state;
    assert_probed_after(1000, PROBE_UNKNOWN);
}

static void a_failed_server_is_probed_less_and_less_often(void **state)
{
    (void)state;
    uint64_t length_ms = PROBE_FAILED;
    for (uint64_t now_ms = 1000; now_ms < 300 * 60000; now_ms += 60000) {
        note(CONDITION_DIAL_FAILED, now_ms);
        assert_probed_after(now_ms, length_ms);
        length_ms = length_ms * 2 < PROBE_FAILED_MAX ? length_ms * 2 : PROBE_FAILED_MAX;
    }
    note(CONDITION_PROBED, 99000000);
    assert_probed_after(99000000, PROBE_USABLE);
    note(CONDITION_DIAL_FAILED, 99000001);
    assert_probed_after(99000001, PROBE_FAILED);
}

static void a_change_of_the_network_makes_a_failed_server_due(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        note(CONDITION_DIAL_FAILED, 1000);
    note(CONDITION_MOVED, 2000);
    assert_int_equal(condition_probe_at(&condition, 2000), 2000);
    assert_int_equal(condition.known_ms, 1000);
    note(CONDITION_PROBED, 2100);
    note(CONDITION_MOVED, 3000);
    assert_probed_after(3000, PROBE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_event_has_its_state, setup),
        cmocka_unit_test_setup(a_server_that_was_never_dialled_is_probed_once_in_a_while, setup),
        cmocka_unit_test_setup(a_failed_server_is_probed_less_and_less_often, setup),
        cmocka_unit_test_setup(a_change_of_the_network_makes_a_failed_server_due, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
