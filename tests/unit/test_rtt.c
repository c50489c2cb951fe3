/* SPDX-License-Identifier: MIT */
/* upstream/rtt: the expected response time of a server, and when a response is late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/rtt.h"

static void note_many(struct rtt *rtt, unsigned count, uint64_t took_ms)
{
    for (unsigned i = 0; i < count; i++)
        rtt_note(rtt, rtt->sampled_ms + 10, took_ms);
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    assert_int_equal(rtt_expected(&rtt, 5), UNKNOWN_RTT_MS * 16);
    assert_int_equal(rtt_patience(&rtt), PATIENCE_UNKNOWN);
    assert_int_equal(rtt_silence(&rtt), SILENCE_MIN);
}

static void the_first_time_counts_whole_and_further_ones_an_eighth(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    rtt_note(&rtt, 1000, 80);
    assert_int_equal(rtt_expected(&rtt, 1000), 80 * 16 + 8);
    rtt_note(&rtt, 1000, 0);
    assert_int_equal(rtt_expected(&rtt, 1000), 1288 - 1288 / 8 + 8 / 8);
}

/* The missing response would have taken even longer. */
static void an_overtaken_attempt_weighs_twice_and_gives_no_quantile(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    rtt_note(&rtt, 1000, 80);
    rtt_note_overtaken(&rtt, 1000, 800);
    assert_int_equal(rtt_expected(&rtt, 1000), 1288 - 1288 / 4 + (800 * 16 + 8) / 4);
    assert_int_equal(rtt.sample_count, 1);
}

static void an_old_time_counts_half_after_a_minute(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    rtt_note(&rtt, 1000, 100);
    assert_int_equal(rtt_expected(&rtt, 61000), (100 * 16 + 8) / 2);
}

static void patience_is_known_after_four_times(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    note_many(&rtt, 3, 100);
    assert_int_equal(rtt_patience(&rtt), PATIENCE_UNKNOWN);
    note_many(&rtt, 1, 100);
    assert_int_equal(rtt_patience(&rtt), 125);
    assert_int_equal(rtt_silence(&rtt), 400);
}

static void patience_is_not_below_nine_tenths_of_the_times(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    note_many(&rtt, 50, 10);
    note_many(&rtt, 14, 90); /* 22 in a hundred */
    assert_int_equal(rtt.sample_count, SAMPLES);
    assert_int_equal(rtt_patience(&rtt), 91);
    assert_int_equal(rtt.median_ms, 10);
}

static void few_slow_names_do_not_lengthen_patience(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    note_many(&rtt, 3, 3000);
    note_many(&rtt, 61, 40);
    assert_int_equal(rtt_patience(&rtt), 50);
}

static void only_the_latest_times_count(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    note_many(&rtt, SAMPLES, 500);
    note_many(&rtt, SAMPLES, 40);
    assert_int_equal(rtt_patience(&rtt), 50);
}

static void overdue_is_three_medians_within_limits(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0}, fast = rtt, slow = rtt;
    assert_int_equal(rtt_overdue(&rtt), PATIENCE_UNKNOWN);
    rtt_note(&rtt, 1000, 50);
    assert_int_equal(rtt_overdue(&rtt), 151); /* of the smoothed time, before there is a median */
    note_many(&rtt, SAMPLES, 20);
    assert_int_equal(rtt_overdue(&rtt), 60);
    note_many(&fast, SAMPLES, 1);
    assert_int_equal(rtt_overdue(&fast), OVERDUE_MIN);
    note_many(&slow, SAMPLES, 2000);
    assert_int_equal(rtt_overdue(&slow), SILENCE_MAX);
}

static void patience_and_silence_have_limits(void **state)
{
    (void)state;
    struct rtt fast = {.smoothed_ms16 = 0}, slow = {.smoothed_ms16 = 0};
    note_many(&fast, SAMPLES, 0);
    assert_int_equal(rtt_patience(&fast), PATIENCE_MIN);
    assert_int_equal(rtt_silence(&fast), SILENCE_MIN);
    note_many(&slow, SAMPLES, 1000000);
    assert_int_equal(rtt_patience(&slow), UINT16_MAX);
    assert_int_equal(rtt_silence(&slow), SILENCE_MAX);
}

/* Sorting is expensive: under load it happens once in 50 ms. */
static void quantiles_are_not_taken_at_each_response(void **state)
{
    (void)state;
    struct rtt rtt = {.smoothed_ms16 = 0};
    for (unsigned i = 0; i < 4; i++)
        rtt_note(&rtt, 1000, 40);
    for (unsigned i = 4; i < SAMPLES; i++)
        rtt_note(&rtt, 1049, 400);
    assert_int_equal(rtt_patience(&rtt), 50);
    for (unsigned i = 0; i < 16; i++)
        rtt_note(&rtt, 1050, 400);
    assert_int_equal(rtt_patience(&rtt), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(the_first_time_counts_whole_and_further_ones_an_eighth),
        cmocka_unit_test(an_overtaken_attempt_weighs_twice_and_gives_no_quantile),
        cmocka_unit_test(an_old_time_counts_half_after_a_minute),
        cmocka_unit_test(patience_is_known_after_four_times),
        cmocka_unit_test(patience_is_not_below_nine_tenths_of_the_times),
        cmocka_unit_test(few_slow_names_do_not_lengthen_patience),
        cmocka_unit_test(only_the_latest_times_count),
        cmocka_unit_test(overdue_is_three_medians_within_limits),
        cmocka_unit_test(patience_and_silence_have_limits),
        cmocka_unit_test(quantiles_are_not_taken_at_each_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
