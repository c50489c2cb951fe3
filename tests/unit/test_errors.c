/* SPDX-License-Identifier: MIT */
/* base/errors: every number has a short text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "base/errors.h"

static void our_errors_have_the_text_of_the_list(void **state)
{
    (void)state;
#define CHECK(name, number, text)                                                                                      \
    assert_int_equal(name, number);                                                                                    \
    assert_string_equal(error_text(name), text);
    ERRORS(CHECK)
#undef CHECK
}

static void the_systems_errors_have_the_systems_text(void **state)
{
    (void)state;
    assert_string_equal(error_text(-ECONNREFUSED), "Connection refused");
    assert_string_equal(error_text(-ENOMEM), "Cannot allocate memory");
    assert_string_equal(error_text(0), "Success");
}

static void unknown_numbers_have_a_text_too(void **state)
{
    (void)state;
    static const int unknown[] = {-1999, -2999, -4095, INT_MIN, INT_MAX, ENOMEM};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); ++i)
        assert_string_equal(error_text(unknown[i]), "unknown error");
}

static void every_text_fits_an_extended_error(void **state)
{
    (void)state;
    for (int error = -5000; error <= 0; ++error) {
        const char *text = error_text(error);
        assert_in_range(strlen(text), 1, 48);
        assert_int_not_equal(text[strlen(text) - 1], '.');
        for (; *text != '\0'; ++text)
            assert_in_range(*text, 0x20, 0x7e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_errors_have_the_text_of_the_list),
        cmocka_unit_test(the_systems_errors_have_the_systems_text),
        cmocka_unit_test(unknown_numbers_have_a_text_too),
        cmocka_unit_test(every_text_fits_an_extended_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
