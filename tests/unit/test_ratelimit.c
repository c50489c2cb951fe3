/* SPDX-License-Identifier: MIT */
/* rate-limit.responses: the rate, the clients it applies to, and the responses above it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "asker.h"
#include "policy/steps.h"

static bool proven; /* of the next queries */

/* In place of step_cookies. */
static enum verdict prove(struct query *query, void *state)
{
    (void)state;
    query->address_proven = proven;
    return NEXT;
}

static const struct step step_prove = {.name = "prove", .run = prove};
static const struct step step_pass = {.name = "pass", .run = asker_pass};
static const struct step *const steps[] = {&step_prove, &step_rate_limit, &step_pass, NULL};

enum { RATE = 20 };

static struct prefix everybody[2];

static int setup(void **state)
{
    struct asker *asker = mem_zalloc(1, sizeof *asker);
    asker_open(asker, steps);
    assert_int_equal(prefix_parse(&everybody[0], "0.0.0.0/0"), 0);
    assert_int_equal(prefix_parse(&everybody[1], "::/0"), 0);
    asker->config.access.allow = everybody;
    asker->config.access.allow_count = 2;
    asker->config.rate_limit_responses = RATE;
    asker->edns = true;
    asker->loop.now_ms = 100000;
    asker_from(asker, "192.0.2.1");
    proven = false;
    *state = asker;
    return 0;
}

static int teardown(void **state)
{
    asker_close(*state);
    mem_free(*state);
    return 0;
}

/* The number of these queries that pass; the others get TC. */
static unsigned passed(struct asker *asker, unsigned queries)
{
    unsigned count = 0;
    for (unsigned i = 0; i < queries; i++) {
        asker_ask(asker, "www.example", TYPE_A);
        count += asker->passed;
        assert_int_equal(asker->passed + asker->replies, 1);
        assert_true(asker->passed || ldns_pkt_tc(asker->packet));
    }
    return count;
}

static void test_as_many_as_allowed_each_second(void **state)
{
    struct asker *asker = *state;
    assert_int_equal(passed(asker, 100), RATE);
    assert_int_equal(counter_read(&asker->counters, COUNTER_responses_limited), 100 - RATE);
    for (unsigned second = 0; second < 10; second++) {
        unsigned count = 0;
        for (unsigned step = 0; step < 10; step++) {
            asker->loop.now_ms += 100;
            count += passed(asker, 10);
        }
        assert_int_equal(count, RATE);
    }
    asker->loop.now_ms += 3600000;
    assert_int_equal(passed(asker, 100), RATE); /* idle time adds nothing */
}

static void test_a_network_shares_its_limit(void **state)
{
    struct asker *asker = *state;
    static const struct {
        const char *address;
        unsigned passed;
    } clients[] = {{"192.0.2.1", RATE},         {"192.0.2.255", 0},          {"::ffff:192.0.2.7", 0},
                   {"192.0.3.0", RATE},         {"2001:db8:0:100::1", RATE}, {"2001:db8:0:1ff:ffff::1", 0},
                   {"2001:db8:0:200::1", RATE}, {"::c000:201", RATE}};
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        asker_from(asker, clients[i].address);
        assert_int_equal(passed(asker, RATE + 5), clients[i].passed);
    }
}

static void test_clients_whose_address_is_known_are_not_limited(void **state)
{
    struct asker *asker = *state;
    assert_int_equal(passed(asker, 100), RATE);
    asker->tcp = true;
    assert_int_equal(passed(asker, 100), 100);
    asker->tcp = false;
    proven = true;
    assert_int_equal(passed(asker, 100), 100);
    proven = false;
    assert_int_equal(passed(asker, 10), 0);
    asker_from(asker, "127.0.0.1");
    assert_int_equal(passed(asker, 100), 100);
    asker_from(asker, "::1");
    assert_int_equal(passed(asker, 100), 100);
}

/* They get REFUSED, which is as small as the limited response. */
static void test_clients_that_are_not_allowed_learn_nothing(void **state)
{
    struct asker *asker = *state;
    assert_int_equal(prefix_parse(&everybody[0], "192.0.3.0/24"), 0);
    assert_int_equal(passed(asker, 100), 100);
    assert_int_equal(counter_read(&asker->counters, COUNTER_responses_limited), 0);
    asker_from(asker, "192.0.3.1");
    assert_int_equal(passed(asker, 100), RATE);
}

/* A limited network stays limited, however many other networks there are. */
static void test_other_networks_do_not_free_a_limited_one(void **state)
{
    struct asker *asker = *state;
    char address[32];
    assert_int_equal(passed(asker, 100), RATE);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(address, sizeof address, "%u.%u.%u.1", 10 + i / 65536, i / 256 % 256, i % 256);
        asker_from(asker, address);
        passed(asker, 1);
    }
    asker_from(asker, "192.0.2.1");
    assert_int_equal(passed(asker, 100), 0);
}

static void test_a_rate_may_be_large_or_off(void **state)
{
    struct asker *asker = *state;
    asker->config.rate_limit_responses = 1000000;
    assert_int_equal(passed(asker, 20000), 20000);
    asker->config.rate_limit_responses = 1;
    asker->loop.now_ms += 1000;
    assert_int_equal(passed(asker, 10), 1);
    asker->config.rate_limit_responses = 0;
    assert_int_equal(passed(asker, 1000), 1000);
    assert_ptr_equal(asker->resolver.active[1].run, step_pass.run);
}

int main(void)
{
    static const uint8_t key[16] = "0123456789abcde";
    hash_init_fixed(key);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_as_many_as_allowed_each_second),
        TEST(test_a_network_shares_its_limit),
        TEST(test_clients_whose_address_is_known_are_not_limited),
        TEST(test_clients_that_are_not_allowed_learn_nothing),
        TEST(test_other_networks_do_not_free_a_limited_one),
        TEST(test_a_rate_may_be_large_or_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
