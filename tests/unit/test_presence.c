/* SPDX-License-Identifier: MIT */
/* The names by which dotstubctl recognises dotstub: which names are valid, and which clients get an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "dns/presence.h"
#include "policy/steps.h"

static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_refuse, &step_special, &step_pass, NULL};

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

static void expect_present(struct asker *asker)
{
    char name[PRESENCE_TEXT];
    asker_ask(asker, presence_name(0x0aF1, name), TYPE_A);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER),
                        "0af1.presence.dotstub.test. 0 IN A 198.18.10.241\n");
}

static void test_the_address_follows_from_the_name(void **state)
{
    struct asker *asker = *state;
    expect_present(asker);
    asker_ask(asker, "FFFF.Presence.DotStub.test", TYPE_A);
    assert_non_null(strstr(asker_section(asker, LDNS_SECTION_ANSWER), "A 198.18.255.255\n"));
    asker_ask(asker, "ffff.presence.dotstub.test", TYPE_AAAA);
    assert_true(asker_was_answered(asker, RCODE_NOERROR));
    assert_string_equal(asker_section(asker, LDNS_SECTION_ANSWER), "");
}

static void test_other_names_below_test_do_not_exist(void **state)
{
    static const char *const others[] = {"presence.dotstub.test",         "dotstub.test",
                                         "00g0.presence.dotstub.test",    "00000.presence.dotstub.test",
                                         "a.0000.presence.dotstub.test",  "000.presence.dotstub.test",
                                         "0000.presence.dotstub.invalid", "0000.presencx.dotstub.test"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        asker_ask(*state, others[i], TYPE_A);
        if (!asker_was_answered(*state, RCODE_NXDOMAIN))
            fail_msg("%s exists", others[i]);
    }
}

static void from(struct asker *asker, const char *address)
{
    assert_int_equal(addr_parse(&asker->client, address, 5353), 0);
}

/* This machine is recognised by loopback and by the addresses that dotstub listens at. */
static void test_this_machine_gets_it_whatever_access_says(void **state)
{
    struct asker *asker = *state;
    struct addr listen;
    assert_int_equal(addr_parse(&listen, "192.0.2.1", 53), 0);
    asker->config.listen = &listen;
    asker->config.listen_count = 1;
    assert_int_equal(prefix_parse(&asker->allowed, "10.0.0.0/8"), 0);
    for (int deny = DENY_REFUSE; deny <= DENY_DROP; deny++) {
        asker->config.access.deny = (enum config_deny)deny;
        from(asker, "127.0.0.1");
        expect_present(asker);
        from(asker, "::1");
        expect_present(asker);
        from(asker, "192.0.2.1");
        expect_present(asker);
        from(asker, "192.0.2.2");
        asker_ask(asker, "0000.presence.dotstub.test", TYPE_A);
        assert_int_equal(asker->replies, deny == DENY_REFUSE);
        assert_true(deny == DENY_DROP || asker_was_answered(asker, RCODE_REFUSED));
    }
    from(asker, "10.1.2.3");
    expect_present(asker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_address_follows_from_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_names_below_test_do_not_exist, setup, teardown),
        cmocka_unit_test_setup_teardown(test_this_machine_gets_it_whatever_access_says, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
