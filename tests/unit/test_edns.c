/* SPDX-License-Identifier: MIT */
/* upstream/edns: which servers are sent queries without OPT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dns/codes.h"
#include "upstream/edns.h"

static void a_server_that_responds_only_without_opt_is_remembered_for_a_while(void **state)
{
    (void)state;
    struct edns edns = {.refusals = 0};
    assert_true(edns_is_sent(&edns, 1000));
    assert_true(edns_note_error(&edns, RCODE_FORMERR, false));
    assert_true(edns_is_sent(&edns, 1000)); /* the query may be the reason */
    edns_note_usable(&edns, 1000, false);
    assert_false(edns_is_sent(&edns, 1000));
    edns_note_usable(&edns, 2000, false);
    assert_false(edns_is_sent(&edns, 1000 + EDNS_RETEST - 1));
    assert_true(edns_is_sent(&edns, 1000 + EDNS_RETEST));
}

static void a_failure_is_due_to_the_opt_if_it_is_repeated(void **state)
{
    (void)state;
    struct edns edns = {.refusals = 0};
    for (unsigned i = 0; i < EDNS_REFUSALS; i++) {
        assert_true(edns_is_sent(&edns, 1000));
        assert_true(edns_note_error(&edns, RCODE_SERVFAIL, false));
        edns_note_usable(&edns, 1000, false);
    }
    assert_false(edns_is_sent(&edns, 1000));
}

static void errors_that_may_be_due_to_an_opt(void **state)
{
    (void)state;
    struct edns edns = {.refusals = 0};
    assert_true(edns_note_error(&edns, RCODE_NOTIMP, true));
    assert_true(edns_note_error(&edns, RCODE_BADVERS, true));
    assert_true(edns_note_error(&edns, RCODE_SERVFAIL, false));
    assert_true(edns_note_error(&edns, RCODE_REFUSED, false));
    assert_false(edns_note_error(&edns, RCODE_SERVFAIL, true));
    assert_false(edns_note_error(&edns, RCODE_NXDOMAIN, false));
    edns_note_usable(&edns, 1000, true);
    assert_false(edns_note_error(&edns, RCODE_SERVFAIL, false));
    assert_false(edns_note_error(&edns, RCODE_REFUSED, false));
    assert_true(edns_note_error(&edns, RCODE_FORMERR, false));
}

static void a_server_that_supports_opt_keeps_it_after_one_error(void **state)
{
    (void)state;
    struct edns edns = {.refusals = 0};
    edns_note_usable(&edns, 1000, true);
    for (unsigned i = 1; i < EDNS_REFUSALS; i++) {
        assert_true(edns_note_error(&edns, RCODE_FORMERR, false));
        edns_note_usable(&edns, 1000, false);
        assert_true(edns_is_sent(&edns, 1000));
    }
    edns_note_error(&edns, RCODE_FORMERR, false);
    edns_note_usable(&edns, 1000, false);
    assert_false(edns_is_sent(&edns, 1000));
}

static void a_response_without_opt_proves_nothing_unless_one_was_refused(void **state)
{
    (void)state;
    struct edns edns = {.refusals = 0};
    edns_note_usable(&edns, 1000, false);
    assert_true(edns_is_sent(&edns, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_responds_only_without_opt_is_remembered_for_a_while),
        cmocka_unit_test(a_failure_is_due_to_the_opt_if_it_is_repeated),
        cmocka_unit_test(errors_that_may_be_due_to_an_opt),
        cmocka_unit_test(a_server_that_supports_opt_keeps_it_after_one_error),
        cmocka_unit_test(a_response_without_opt_proves_nothing_unless_one_was_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
