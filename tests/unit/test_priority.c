/* SPDX-License-Identifier: MIT */
/* upstream/priority: when a server is deprioritized. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/priority.h"

static void fail_times(struct priority *priority, unsigned times, uint64_t now_ms)
{
    for (unsigned i = 0; i < times; i++)
        priority_note_failure(priority, now_ms);
}

static void three_failures_in_a_row_deprioritize_for_a_second(void **state)
{
    (void)state;
    struct priority priority = {.failures = 0};
    fail_times(&priority, DEPRIORITIZED_AFTER - 1, 1000);
    assert_false(priority_is_low(&priority, 1000));
    fail_times(&priority, 1, 1000);
    assert_true(priority_is_low(&priority, 1000));
    assert_true(priority_is_low(&priority, 1000 + DEPRIORITIZED_FIRST - 1));
    assert_false(priority_is_low(&priority, 1000 + DEPRIORITIZED_FIRST));
}

static void success_restarts_the_count(void **state)
{
    (void)state;
    struct priority priority = {.failures = 0};
    for (unsigned i = 0; i < 10; i++) {
        fail_times(&priority, DEPRIORITIZED_AFTER - 1, 1000);
        priority_note_success(&priority);
    }
    assert_false(priority_is_low(&priority, 1000));
}

static void each_further_failure_doubles_the_time_up_to_a_limit(void **state)
{
    (void)state;
    static const unsigned lengths[] = {1000, 2000, 4000, 8000, 8000, 8000};
    struct priority priority = {.failures = DEPRIORITIZED_AFTER - 1};
    uint64_t now_ms = 1000;
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fail_times(&priority, 1, now_ms);
        assert_int_equal(priority.low_until_ms, now_ms + lengths[i]);
        fail_times(&priority, 5, now_ms + 1); /* while it is deprioritized: not counted */
        now_ms = priority.low_until_ms;
    }
}

static void success_does_not_end_it_early(void **state)
{
    (void)state;
    struct priority priority = {.failures = 0};
    fail_times(&priority, DEPRIORITIZED_AFTER, 1000);
    priority_note_success(&priority);
    assert_true(priority_is_low(&priority, 1500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_failures_in_a_row_deprioritize_for_a_second),
        cmocka_unit_test(success_restarts_the_count),
        cmocka_unit_test(each_further_failure_doubles_the_time_up_to_a_limit),
        cmocka_unit_test(success_does_not_end_it_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
