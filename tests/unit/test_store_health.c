/* SPDX-License-Identifier: MIT */
#include "store/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void waits_for_a_server_that_answers(void **state)
{
    (void)state;
    struct store_health health = {0};
    for (uint64_t now = 1000; now < 2000; now += 10) {
        assert_int_equal(health_use(&health, now, 0), HEALTH_WAIT);
        health_note_in_time(&health, now, false);
    }
    assert_int_equal(health_use(&health, 2000, HEALTH_SILENT_MS - 1), HEALTH_WAIT);
    assert_int_equal(health_use(&health, 2000, HEALTH_SILENT_MS), HEALTH_LEAVE);
}

static void one_late_reply_is_enough(void **state)
{
    (void)state;
    struct store_health health = {0};
    health_note_late(&health, 1000, false);
    assert_int_equal(health_use(&health, 1000, 0), HEALTH_LEAVE);
    health_note_in_time(&health, 1010, false); /* of a get that was sent before */
    health_note_late(&health, 1020, false);
    assert_int_equal(health_use(&health, 1249, 0), HEALTH_LEAVE);
    assert_int_equal(health_use(&health, 1250, 0), HEALTH_TRY);
    assert_int_equal(health_use(&health, 1251, 0), HEALTH_LEAVE); /* one try at a time */
    health_note_in_time(&health, 1252, true);
    assert_int_equal(health_use(&health, 1252, 0), HEALTH_WAIT);
}

static void pauses_double_and_end(void **state)
{
    (void)state;
    struct store_health health = {0};
    uint64_t now = 1000, pause = HEALTH_FIRST_MS;
    health_note_late(&health, now, false);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(health_use(&health, now + pause - 1, 0), HEALTH_LEAVE);
        now += pause;
        assert_int_equal(health_use(&health, now, 0), HEALTH_TRY);
        health_note_late(&health, now, true);
        pause = pause * 2 < HEALTH_LONGEST_MS ? pause * 2 : HEALTH_LONGEST_MS;
    }
    now += pause;
    assert_int_equal(health_use(&health, now, 0), HEALTH_TRY);
    health_note_in_time(&health, now, true);
    /* Late again at once: the pause goes on doubling. */
    health_note_late(&health, now + 1000, false);
    assert_int_equal(health_use(&health, now + 1000 + HEALTH_LONGEST_MS - 1, 0), HEALTH_LEAVE);
    now += 1000 + HEALTH_LONGEST_MS;
    assert_int_equal(health_use(&health, now, 0), HEALTH_TRY);
    health_note_in_time(&health, now, true);
    /* Late after a good time: it counts as the first. */
    now += HEALTH_PROVEN_MS;
    health_note_late(&health, now, false);
    assert_int_equal(health_use(&health, now + HEALTH_FIRST_MS, 0), HEALTH_TRY);
}

static void a_hiccup_is_pardoned_once_in_a_while(void **state)
{
    (void)state;
    struct store_health health = {0};
    uint64_t now = HEALTH_CALM_MS;
    for (int i = 0; i < 3; i++) {
        for (uint64_t late = 0; late < HEALTH_HICCUP_MS; late += 20) {
            health_note_late(&health, now + late, false);
            assert_int_equal(health_use(&health, now + late, 0), HEALTH_WAIT);
        }
        now += HEALTH_CALM_MS;
    }
    /* It goes on: an outage, or a slow server. */
    health_note_late(&health, now, false);
    health_note_late(&health, now + HEALTH_HICCUP_MS, false);
    assert_int_equal(health_use(&health, now + HEALTH_HICCUP_MS, 0), HEALTH_LEAVE);
    now += HEALTH_HICCUP_MS + HEALTH_FIRST_MS;
    assert_int_equal(health_use(&health, now, 0), HEALTH_TRY);
    health_note_in_time(&health, now, true);
    /* It has just recovered. */
    health_note_late(&health, now + HEALTH_CALM_MS - 1, false);
    assert_int_equal(health_use(&health, now + HEALTH_CALM_MS - 1, 0), HEALTH_LEAVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_a_server_that_answers),
        cmocka_unit_test(one_late_reply_is_enough),
        cmocka_unit_test(pauses_double_and_end),
        cmocka_unit_test(a_hiccup_is_pardoned_once_in_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
