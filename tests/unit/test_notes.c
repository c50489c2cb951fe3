/* SPDX-License-Identifier: MIT */
/* upstream/notes: the facts about a server for reports and the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "upstream/notes.h"

static void sessions_are_counted_and_the_last_one_described(void **state)
{
    (void)state;
    struct notes notes = {.opened = 0};
    notes_add_opened(&notes, 1000, false);
    notes_add_opened(&notes, 2000, true);
    assert_int_equal(notes.opened, 2);
    assert_int_equal(notes.resumed, 1);
    assert_int_equal(notes.opened_ms, 2000);
}

static void phases_of_dials_are_counted_apart(void **state)
{
    (void)state;
    struct notes notes = {.opened = 0};
    notes_add_dial(&notes, 3, 40);
    notes_add_dial(&notes, 5, 60);
    assert_int_equal(histogram_count(&notes.connect), 2);
    assert_int_equal(notes.connect.sum, 8);
    assert_int_equal(notes.handshake.sum, 100);
}

static void a_failure_is_remembered_and_counted(void **state)
{
    (void)state;
    struct notes notes = {.opened = 0};
    notes_add_failure(&notes, 1000, -ECONNREFUSED);
    notes_add_failure(&notes, 1001, -ETIMEDOUT);
    notes_add_failure(&notes, 1002, -ETIMEDOUT);
    assert_int_equal(notes.last_error, -ETIMEDOUT);
    assert_int_equal(notes.failed_ms, 1002);
    assert_int_equal(notes.failing_since_ms, 1000);
    assert_int_equal(reasons_top(&notes.failures)->count, 2);
    notes_add_recovery(&notes);
    assert_int_equal(notes.failing_since_ms, 0);
    assert_int_equal(notes.failed_ms, 1002); /* the last failure is remembered */
    notes_add_failure(&notes, 2000, -ECONNREFUSED);
    assert_int_equal(notes.failing_since_ms, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_counted_and_the_last_one_described),
        cmocka_unit_test(phases_of_dials_are_counted_apart),
        cmocka_unit_test(a_failure_is_remembered_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
