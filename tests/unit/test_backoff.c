/* SPDX-License-Identifier: MIT */
/* upstream/backoff: when a server that failed may be dialled again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/hash.h"
#include "upstream/backoff.h"

static void it_doubles_up_to_its_limit_less_a_random_quarter(void **state)
{
    (void)state;
    static const unsigned lengths[] = {50, 100, 200, 400, 700, 700, 700};
    for (unsigned round = 0; round < 200; round++) {
        struct backoff backoff = {.failures = 0};
        for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            uint64_t begun_ms = 10000 * (i + 1);
            backoff_note_dial(&backoff, begun_ms, false);
            assert_int_equal(backoff.failures, i + 1);
            assert_in_range(backoff.retry_at_ms, begun_ms + lengths[i] - lengths[i] / 4, begun_ms + lengths[i]);
        }
    }
}

/* A refused certificate is not repaired within seconds. */
static void a_distrusted_server_is_dialled_less_often(void **state)
{
    (void)state;
    static const unsigned lengths[] = {50, 100, 200, 400, 700, 700, 700, 700, 1400, 2800, 5600, 10000, 10000};
    struct backoff backoff = {.failures = 0};
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint64_t begun_ms = 10000 * (i + 1);
        backoff_note_dial(&backoff, begun_ms, true);
        assert_in_range(backoff.retry_at_ms, begun_ms + lengths[i] - lengths[i] / 4, begun_ms + lengths[i]);
    }
    backoff_note_dial(&backoff, 200000, false);
    assert_in_range(backoff.retry_at_ms, 200000 + BACKOFF_MAX * 3 / 4, 200000 + BACKOFF_MAX);
}

static void workers_do_not_return_together(void **state)
{
    (void)state;
    uint64_t earliest = UINT64_MAX, latest = 0;
    for (unsigned i = 0; i < 200; i++) {
        struct backoff backoff = {.failures = 4};
        backoff_note_dial(&backoff, 0, false);
        earliest = backoff.retry_at_ms < earliest ? backoff.retry_at_ms : earliest;
        latest = backoff.retry_at_ms > latest ? backoff.retry_at_ms : latest;
    }
    assert_true(latest - earliest > BACKOFF_MAX / 8);
}

/* Dials overlap: an earlier one that fails later does not bring the next dial forward. */
static void it_is_never_shortened(void **state)
{
    (void)state;
    struct backoff backoff = {.failures = 3};
    backoff_note_dial(&backoff, 5000, false);
    uint64_t retry_at_ms = backoff.retry_at_ms;
    backoff_note_dial(&backoff, 1000, false);
    assert_int_equal(backoff.retry_at_ms, retry_at_ms);
    assert_int_equal(backoff.failures, 5);
}

static void the_first_session_without_a_response_delays_nothing(void **state)
{
    (void)state;
    struct backoff backoff = {.failures = 0};
    backoff_note_session(&backoff, 1000);
    assert_int_equal(backoff.retry_at_ms, 0);
    assert_int_equal(backoff.failures, 1);
    backoff_note_session(&backoff, 1000);
    assert_in_range(backoff.retry_at_ms, 1000 + BACKOFF_FIRST * 3 / 4, 1000 + BACKOFF_FIRST);
    backoff_note_session(&backoff, 2000);
    assert_in_range(backoff.retry_at_ms, 2000 + 2 * BACKOFF_FIRST * 3 / 4, 2000 + 2 * BACKOFF_FIRST);
}

/* A server that asked for a rest gets it while others answer; alone it is dialled like one that failed. */
static void a_rest_is_short_for_a_server_that_is_alone(void **state)
{
    (void)state;
    struct backoff backoff = {.failures = 1};
    backoff_rest(&backoff, 1000, 600000);
    assert_int_equal(backoff.retry_at_ms, 601000);
    assert_int_equal(backoff.alone_at_ms, 1000 + BACKOFF_ALONE);
    backoff_note_dial(&backoff, 5000, false);
    assert_int_equal(backoff.retry_at_ms, 601000);
    assert_in_range(backoff.alone_at_ms, 5000 + BACKOFF_FIRST, 5000 + 2 * BACKOFF_FIRST);
    backoff_note_dial(&backoff, 700000, false);
    assert_in_range(backoff.retry_at_ms, 700000 + BACKOFF_FIRST, 700000 + BACKOFF_MAX);
    assert_int_equal(backoff.alone_at_ms, 0);
    backoff_rest(&backoff, 1000, 1000);
    assert_int_equal(backoff.alone_at_ms, 2000);
}

static int setup(void **state)
{
    (void)state;
    return hash_init();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_doubles_up_to_its_limit_less_a_random_quarter),
        cmocka_unit_test(a_distrusted_server_is_dialled_less_often),
        cmocka_unit_test(workers_do_not_return_together),
        cmocka_unit_test(it_is_never_shortened),
        cmocka_unit_test(the_first_session_without_a_response_delays_nothing),
        cmocka_unit_test(a_rest_is_short_for_a_server_that_is_alone),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
