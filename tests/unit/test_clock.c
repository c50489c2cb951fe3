/* SPDX-License-Identifier: MIT */
/* base/clock: which system clock is read (the linker replaces clock_gettime), and the fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <time.h>
#include "base/clock.h"

static bool has_boottime = true;

int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    if (id == CLOCK_BOOTTIME && !has_boottime) {
        errno = EINVAL;
        return -1;
    }
    *now = (struct timespec){.tv_sec = 1000 + id, .tv_nsec = 123456789};
    return 0;
}

static int back_to_real(void **state)
{
    (void)state;
    has_boottime = true;
    clock_real();
    return 0;
}

static void durations_count_suspend(void **state)
{
    (void)state;
    assert_int_equal(clock_us(), (1000 + CLOCK_BOOTTIME) * UINT64_C(1000000) + 123456);
    assert_int_equal(clock_ms(), (1000 + CLOCK_BOOTTIME) * UINT64_C(1000) + 123);
}

static void without_a_boot_time_clock_the_monotonic_one_is_used(void **state)
{
    (void)state;
    has_boottime = false;
    assert_int_equal(clock_us(), (1000 + CLOCK_MONOTONIC) * UINT64_C(1000000) + 123456);
}

static void the_wall_clock_is_for_wall_time(void **state)
{
    (void)state;
    assert_int_equal(clock_wall_s(), 1000 + CLOCK_REALTIME);
}

static void the_fake_clock_returns_the_set_times(void **state)
{
    (void)state;
    clock_fake(5000999, -7);
    assert_int_equal(clock_us(), 5000999);
    assert_int_equal(clock_ms(), 5000);
    assert_int_equal(clock_wall_s(), -7);
    clock_fake(1, 2);
    assert_int_equal(clock_us(), 1);
    assert_int_equal(clock_wall_s(), 2);
    clock_real();
    assert_int_equal(clock_wall_s(), 1000 + CLOCK_REALTIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(durations_count_suspend, back_to_real),
        cmocka_unit_test_teardown(without_a_boot_time_clock_the_monotonic_one_is_used, back_to_real),
        cmocka_unit_test_teardown(the_wall_clock_is_for_wall_time, back_to_real),
        cmocka_unit_test_teardown(the_fake_clock_returns_the_set_times, back_to_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
