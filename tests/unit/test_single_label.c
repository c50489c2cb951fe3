/* SPDX-License-Identifier: MIT */
/* single-label: which queries it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "policy/steps.h"

static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_special, &step_single_label, &step_pass, NULL};

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

static const struct {
    const char *name;
    uint16_t type;
    bool refused;
} rows[] = {
    {"printer", TYPE_A, true},    {"Printer", TYPE_AAAA, true}, {"printer", TYPE_HTTPS, true},
    {"printer", TYPE_SVCB, true}, {"com", TYPE_DS, false},      {"com", 48 /* DNSKEY */, false},
    {"com", TYPE_NS, false},      {"com", TYPE_SOA, false},     {"printer", TYPE_TXT, false},
    {"", TYPE_A, false},          {"", TYPE_NS, false},         {"printer.example", TYPE_A, false},
};

static void test_forward_passes_all(void **state)
{
    struct asker *asker = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        asker_ask(asker, rows[i].name, rows[i].type);
        assert_int_equal(asker->passed, 1);
    }
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_single_label), 0);
}

static void test_refuse_is_for_hosts_of_one_label(void **state)
{
    struct asker *asker = *state;
    unsigned refused = 0;
    asker->config.single_label = SINGLE_LABEL_REFUSE;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        asker_ask(asker, rows[i].name, rows[i].type);
        assert_int_equal(asker->passed, !rows[i].refused);
        if (!rows[i].refused)
            continue;
        assert_true(asker_was_answered(asker, RCODE_REFUSED));
        assert_int_equal(asker_ede(asker), EDE_PROHIBITED);
        refused++;
    }
    assert_int_equal(counter_read(&asker->counters, COUNTER_queries_single_label), refused);
}

static void test_localhost_is_answered(void **state)
{
    struct asker *asker = *state;
    asker->config.single_label = SINGLE_LABEL_REFUSE;
    asker_ask(asker, "localhost", TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forward_passes_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuse_is_for_hosts_of_one_label, setup, teardown),
        cmocka_unit_test_setup_teardown(test_localhost_is_answered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
