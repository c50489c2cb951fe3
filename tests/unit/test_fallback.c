/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/errors.h"
#include "upstream/fallback.h"

static struct fallback fallback;
static uint64_t now_ms;

static int begin(void **state)
{
    (void)state;
    fallback = (struct fallback){.state = FALLBACK_OFF};
    now_ms = 1000;
    return 0;
}

static void note(enum fallback_event event, enum fallback_state expected)
{
    (void)fallback_note(&fallback, event, 0, now_ms);
    assert_int_equal(fallback.state, expected);
}

static void https_is_used_only_once_it_works(void **state)
{
    (void)state;
    note(FALLBACK_HTTPS_OPENED, FALLBACK_OFF);
    note(FALLBACK_DOT_FAILED, FALLBACK_DOUBT);
    note(FALLBACK_DOT_FAILED, FALLBACK_DOUBT);
    note(FALLBACK_DOT_OPENED, FALLBACK_OFF);
    note(FALLBACK_DOT_HANGS, FALLBACK_DOUBT);
    note(FALLBACK_HTTPS_OPENED, FALLBACK_ON);
}

static void a_session_alone_does_not_end_bad_behaviour(void **state)
{
    (void)state;
    note(FALLBACK_DOT_LATE, FALLBACK_BAD);
    note(FALLBACK_DOT_OPENED, FALLBACK_BAD);
    note(FALLBACK_EXPIRED, FALLBACK_OFF);
    note(FALLBACK_DOT_LOST, FALLBACK_BAD);
    note(FALLBACK_HTTPS_OPENED, FALLBACK_ON);
}

static void dns_over_tls_must_prove_itself(void **state)
{
    (void)state;
    note(FALLBACK_DOT_FAILED, FALLBACK_DOUBT);
    note(FALLBACK_HTTPS_OPENED, FALLBACK_ON);
    note(FALLBACK_DOT_OPENED, FALLBACK_PROVING);
    note(FALLBACK_TEST_FAILED, FALLBACK_ON);
    note(FALLBACK_DOT_OPENED, FALLBACK_PROVING);
    note(FALLBACK_PROVEN, FALLBACK_OFF);
}

static void another_network_is_another_start(void **state)
{
    (void)state;
    for (enum fallback_state from = FALLBACK_OFF; from < FALLBACK_STATES; from++) {
        fallback = (struct fallback){.state = (uint8_t)from, .failures = 3, .lost = 2};
        note(FALLBACK_MOVED, FALLBACK_OFF);
        assert_int_equal(fallback.failures, 0);
        assert_int_equal(fallback.lost, 0);
    }
}

/* With the longest interval and the proof, DNS over TLS is in use again within 60 s of its return. */
static void probes_back_off_and_come_in_time(void **state)
{
    uint64_t longest = 0;
    (void)state;
    note(FALLBACK_DOT_FAILED, FALLBACK_DOUBT);
    note(FALLBACK_HTTPS_OPENED, FALLBACK_ON);
    for (unsigned i = 0; i < 300; i++) {
        uint64_t wait = fallback.probe_ms - now_ms;
        assert_true(wait >= FALLBACK_PROBE_FIRST * 3 / 4 && wait <= FALLBACK_PROBE_MAX);
        assert_true(i > 0 || wait <= FALLBACK_PROBE_FIRST);
        longest = wait > longest ? wait : longest;
        now_ms = fallback.probe_ms;
        assert_false(fallback_note(&fallback, FALLBACK_DOT_FAILED, -110, now_ms));
        assert_int_equal(fallback.error, -110);
    }
    assert_true(longest > FALLBACK_PROBE_MAX * 3 / 4);
    assert_true(FALLBACK_PROBE_MAX + FALLBACK_PROOF + 2 * FALLBACK_TEST_STEP < 60000);
}

static void three_losses_within_a_minute_are_too_many(void **state)
{
    (void)state;
    assert_false(fallback_note_loss(&fallback, now_ms));
    assert_false(fallback_note_loss(&fallback, now_ms + 10)); /* the same event */
    note(FALLBACK_DOT_OPENED, FALLBACK_OFF);                  /* the next session */
    assert_false(fallback_note_loss(&fallback, now_ms + 30000));
    assert_true(fallback_note_loss(&fallback, now_ms + 59000));
    assert_false(fallback_note_loss(&fallback, now_ms + 91000));
    assert_true(fallback_note_loss(&fallback, now_ms + 92000));
}

static void the_reason_is_that_of_the_failure(void **state)
{
    (void)state;
    (void)fallback_note(&fallback, FALLBACK_DOT_FAILED, ERROR_TLS_UNTRUSTED, now_ms);
    (void)fallback_note(&fallback, FALLBACK_HTTPS_OPENED, 0, now_ms);
    assert_int_equal(fallback.error, ERROR_TLS_UNTRUSTED);
    assert_true(fallback_is_on(&fallback));
    (void)fallback_note(&fallback, FALLBACK_DOT_OPENED, 0, now_ms);
    assert_true(fallback_is_on(&fallback));
    (void)fallback_note(&fallback, FALLBACK_TEST_FAILED, ERROR_UNANSWERED, now_ms);
    assert_int_equal(fallback.error, ERROR_UNANSWERED);
    assert_int_equal(fallback.failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(https_is_used_only_once_it_works, begin),
        cmocka_unit_test_setup(a_session_alone_does_not_end_bad_behaviour, begin),
        cmocka_unit_test_setup(dns_over_tls_must_prove_itself, begin),
        cmocka_unit_test_setup(another_network_is_another_start, begin),
        cmocka_unit_test_setup(probes_back_off_and_come_in_time, begin),
        cmocka_unit_test_setup(three_losses_within_a_minute_are_too_many, begin),
        cmocka_unit_test_setup(the_reason_is_that_of_the_failure, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
