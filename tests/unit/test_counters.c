/* SPDX-License-Identifier: MIT */
/* base/counters: adding, reading, and the texts of the list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/counters.h"

static void each_counter_counts_for_itself(void **state)
{
    (void)state;
    static struct counters counters;
    for (int i = 0; i < COUNTER_COUNT; ++i)
        counter_add(&counters, (enum counter)i, (uint64_t)i);
    counter_add(&counters, COUNTER_cache_hits, UINT64_C(1) << 40);
    for (int i = 0; i < COUNTER_COUNT; ++i) {
        const uint64_t more = i == COUNTER_cache_hits ? UINT64_C(1) << 40 : 0;
        assert_int_equal(counter_read(&counters, (enum counter)i), (uint64_t)i + more);
    }
}

static void each_counter_has_its_own_name_and_help(void **state)
{
    (void)state;
    assert_string_equal(counter_name(COUNTER_udp_received), "udp_received");
    assert_string_equal(counter_help(COUNTER_udp_received), "datagrams read from UDP clients");
    assert_string_equal(counter_name(COUNTER_memory_failed), "memory_failed");
    assert_string_equal(counter_help(COUNTER_memory_failed),
                        "memory allocations of dotstub that failed; those of libraries are not counted");
}

/* The names become names of metrics: [a-z0-9_], no duplicates. */
static void names_are_fit_for_metrics(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_COUNT; ++i) {
        const char *name = counter_name((enum counter)i);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (int j = 0; j < i; ++j)
            assert_string_not_equal(name, counter_name((enum counter)j));
        assert_null(strpbrk(counter_help((enum counter)i), "\n\\"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_counter_counts_for_itself),
        cmocka_unit_test(each_counter_has_its_own_name_and_help),
        cmocka_unit_test(names_are_fit_for_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
