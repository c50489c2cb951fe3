/* SPDX-License-Identifier: MIT */
/* base/reasons: counting, merging, differences. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/errors.h"
#include "base/reasons.h"

static void each_reason_has_a_count(void **state)
{
    (void)state;
    struct reasons reasons = {.others = 0};
    assert_null(reasons_top(&reasons));
    reasons_note(&reasons, ERROR_TLS_NAME);
    reasons_note(&reasons, -ECONNREFUSED);
    reasons_note(&reasons, -ECONNREFUSED);
    assert_string_equal(reasons.item[0].text, error_text(ERROR_TLS_NAME));
    assert_int_equal(reasons.item[0].count, 1);
    assert_string_equal(reasons_top(&reasons)->text, error_text(-ECONNREFUSED));
    assert_int_equal(reasons_top(&reasons)->count, 2);
    assert_null(reasons.item[2].text);
}

static void errors_with_one_text_are_one_reason(void **state)
{
    (void)state;
    struct reasons reasons = {.others = 0};
    reasons_note(&reasons, -1900);
    reasons_note(&reasons, -1901);
    assert_string_equal(error_text(-1900), error_text(-1901));
    assert_int_equal(reasons.item[0].count, 2);
}

static void what_has_no_room_is_counted_together(void **state)
{
    (void)state;
    struct reasons reasons = {.others = 0}, other = {.others = 0};
    for (int error = -1; error >= -REASONS_MAX - 3; error--)
        reasons_note(&reasons, error);
    assert_int_equal(reasons.others, 3);
    reasons_note(&other, ERROR_IDLE);
    reasons_note(&other, -1);
    reasons_merge(&reasons, &other);
    assert_int_equal(reasons.others, 4);
    assert_int_equal(reasons.item[0].count, 2);
}

static void a_difference_leaves_the_newer_counts(void **state)
{
    (void)state;
    struct reasons before = {.others = 0};
    reasons_note(&before, -ECONNREFUSED);
    reasons_note(&before, ERROR_TLS_NAME);
    struct reasons now = before;
    reasons_note(&now, ERROR_TLS_NAME);
    reasons_note(&now, ERROR_SILENT);
    reasons_subtract(&now, &before);
    assert_int_equal(now.item[0].count, 0);
    assert_int_equal(now.item[1].count, 1);
    assert_int_equal(now.item[2].count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_has_a_count),
        cmocka_unit_test(errors_with_one_text_are_one_reason),
        cmocka_unit_test(what_has_no_room_is_counted_together),
        cmocka_unit_test(a_difference_leaves_the_newer_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
