/* SPDX-License-Identifier: MIT */
/* base/histogram: the bucket of a value, and merging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/histogram.h"

static void a_bucket_counts_values_up_to_its_bound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        struct histogram histogram = {.sum = 0};
        histogram_add(&histogram, histogram_bounds[i], 1);
        histogram_add(&histogram, histogram_bounds[i] + 1u, 3);
        assert_int_equal(histogram.bucket[i], 1);
        assert_int_equal(histogram.bucket[i + 1], 3);
        assert_int_equal(histogram.sum, histogram_bounds[i] + 3 * (histogram_bounds[i] + 1u));
        assert_int_equal(histogram_count(&histogram), 4);
    }
}

static void bounds_rise_in_small_steps(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bounds[i] > histogram_bounds[i - 1]);
    for (unsigned i = 2; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bounds[i] * 3 <= histogram_bounds[i - 1] * 5);
}

static void merging_adds_bucket_by_bucket(void **state)
{
    (void)state;
    struct histogram one = {.sum = 0}, other = {.sum = 0};
    histogram_add(&one, 0, 1);
    histogram_add(&one, 1000000, 1);
    histogram_add(&other, 1000000, 2);
    histogram_merge(&one, &other);
    assert_int_equal(one.bucket[0], 1);
    assert_int_equal(one.bucket[HISTOGRAM_BOUNDS], 3);
    assert_int_equal(one.sum, 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_counts_values_up_to_its_bound),
        cmocka_unit_test(bounds_rise_in_small_steps),
        cmocka_unit_test(merging_adds_bucket_by_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
