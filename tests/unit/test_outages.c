/* SPDX-License-Identifier: MIT */
/* upstream/outages: which failures get a line, and how many servers it speaks of. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "upstream/outages.h"

static const char what[] = "cannot open a session to";
static struct addr servers[6];
static unsigned others;

static int setup(void **state)
{
    (void)state;
    outages_reset();
    for (unsigned i = 0; i < 6; i++) {
        servers[i] = (struct addr){.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201 + i)}};
        addr_set_port(&servers[i], 853);
    }
    return 0;
}

static bool fails(unsigned server, int reason, uint64_t now_ms)
{
    return outages_note_failure(&servers[server], what, reason, now_ms, &others);
}

static void several_servers_share_a_line(void **state)
{
    (void)state;
    assert_true(fails(0, -ENETUNREACH, 1000));
    assert_int_equal(others, 0);
    for (unsigned i = 1; i < 6; i++)
        assert_false(fails(i, -ENETUNREACH, 1000 + 250 * i));
    assert_false(fails(3, -ENETUNREACH, 10999));
    assert_true(fails(3, -ENETUNREACH, 11000)); /* not named yet */
    assert_int_equal(others, 5);
}

static void a_day_of_an_unchanged_outage_has_few_lines(void **state)
{
    (void)state;
    unsigned lines = 0;
    for (uint64_t now_ms = 1; now_ms < 24 * 3600 * UINT64_C(1000); now_ms += 500)
        lines += fails(now_ms / 500 % 6, -ENETUNREACH, now_ms);
    assert_in_range(lines, 24, 40);
}

static void reasons_that_alternate_stay_below_a_hundred_lines_a_day(void **state)
{
    (void)state;
    static const int reasons[] = {-ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH};
    unsigned lines = 0;
    for (uint64_t n = 0; n < 24 * 3600 * 2; n++)
        lines += fails(0, reasons[n % 3], 1 + n * 500);
    assert_in_range(lines, 3, 100);
}

static void another_reason_is_told_at_once(void **state)
{
    (void)state;
    assert_true(fails(0, -ENETUNREACH, 1000));
    assert_true(fails(1, -ECONNREFUSED, 1001));
    assert_int_equal(others, 0);
    assert_true(outages_note_failure(&servers[2], "no answer from", -ECONNREFUSED, 1002, &others));
}

static void only_a_named_server_recovers_in_the_log(void **state)
{
    (void)state;
    assert_true(fails(0, -ENETUNREACH, 1000));
    assert_false(fails(1, -ENETUNREACH, 1001));
    assert_true(outages_note_recovery(&servers[0]));
    assert_false(outages_note_recovery(&servers[0]));
    assert_false(outages_note_recovery(&servers[1]));
    assert_true(fails(1, -ENETUNREACH, 12000));
    assert_int_equal(others, 0);
}

static void a_server_that_flaps_stays_below_a_hundred_lines_a_day(void **state)
{
    (void)state;
    unsigned lines = 0;
    for (uint64_t now_ms = 1; now_ms < 24 * 3600 * UINT64_C(1000); now_ms += 5000) {
        lines += fails(0, -ECONNREFUSED, now_ms);
        lines += outages_note_recovery(&servers[0]);
    }
    assert_in_range(lines, 2, 100);
}

static void servers_that_nobody_dials_any_more_are_not_counted(void **state)
{
    (void)state;
    assert_true(fails(0, -ENETUNREACH, 1000));
    assert_false(fails(1, -ENETUNREACH, 1001));
    assert_true(fails(1, -ENETUNREACH, 400000));
    assert_int_equal(others, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(several_servers_share_a_line, setup),
        cmocka_unit_test_setup(a_day_of_an_unchanged_outage_has_few_lines, setup),
        cmocka_unit_test_setup(reasons_that_alternate_stay_below_a_hundred_lines_a_day, setup),
        cmocka_unit_test_setup(another_reason_is_told_at_once, setup),
        cmocka_unit_test_setup(only_a_named_server_recovers_in_the_log, setup),
        cmocka_unit_test_setup(a_server_that_flaps_stays_below_a_hundred_lines_a_day, setup),
        cmocka_unit_test_setup(servers_that_nobody_dials_any_more_are_not_counted, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
