/* SPDX-License-Identifier: MIT */
/* health.name: the responses while it is set, and while the daemon drains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "policy/steps.h"

static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_health, &step_pass, NULL};

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    asker->edns = true;
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

static void test_without_a_name_all_pass(void **state)
{
    struct asker *asker = *state;
    asker_ask(asker, "", TYPE_A);
    assert_int_equal(asker->passed, 1);
    asker_ask(asker, "health.example", TYPE_A);
    assert_int_equal(asker->passed, 1);
}

static void test_it_is_answered(void **state)
{
    struct asker *asker = *state;
    char name[] = "health.example";
    asker->config.health_name = name;
    asker_ask(asker, "Health.example", TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "Health.example. 0 IN A 127.0.0.1\n");
    asker_ask(asker, "health.example", TYPE_AAAA);
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "health.example. 0 IN AAAA ::1\n");
    asker_ask(asker, "health.example", TYPE_TXT);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANY_NOQUESTION), "");
    asker_ask(asker, "a.health.example", TYPE_A);
    assert_int_equal(asker->passed, 1);
    asker_ask(asker, "healthy.example", TYPE_A);
    assert_int_equal(asker->passed, 1);
}

static void test_draining_refuses_only_this_name(void **state)
{
    struct asker *asker = *state;
    char name[] = "health.example";
    asker->config.health_name = name;
    health_drain(&asker->resolver);
    asker_ask(asker, "health.example", TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_REFUSED));
    assert_int_equal(asker_ede(asker), EDE_OTHER);
    asker_ask(asker, "www.example", TYPE_A);
    assert_int_equal(asker->passed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_name_all_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_draining_refuses_only_this_name, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
