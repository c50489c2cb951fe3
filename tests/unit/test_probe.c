/* SPDX-License-Identifier: MIT */
/* upstream/probe: which servers are dialled without a query, and when not. */
#include <string.h>
#include "base/errors.h"
#include "fake_net.h"
#include "upstream/group.h"
#include "upstream/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct fake_ask asks[4000];
static unsigned asked;
static struct group *group;
static struct server_report report[4];

static int setup(void **state)
{
    (void)state;
    memset(asks, 0, sizeof asks);
    asked = 0;
    fake_begin();
    fake.serve = fake_serve_all;
    group = fake_group(fake_config(2, 1));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_group_end(group);
    fake_end();
    return 0;
}

/* A client's query that is a hit: no upstream sees it. */
static void receive(void)
{
    counter_add(&fake.counters, COUNTER_queries_received, 1);
}

/* A client's query each second; each tenth one is a miss. */
static void pass_with_traffic(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        receive();
        if (i % 10 == 0)
            fake_ask(group, &asks[asked++], "a.test");
        fake_pass(1000);
    }
}

static enum server_state state_of(unsigned server)
{
    assert_int_equal(group_report(group, report, 4), 2);
    return report[server].state;
}

static unsigned dials_to(unsigned last_byte)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fake_dials(); i++)
        count += (ntohl(fake_conn(i)->to.in.sin_addr.s_addr) & 0xff) == last_byte;
    return count;
}

static void a_spare_that_was_never_used_is_known_within_half_a_minute(void **state)
{
    (void)state;
    pass_with_traffic(10);
    assert_int_equal(state_of(0), SERVER_OPEN);
    assert_int_equal(state_of(1), SERVER_UNKNOWN);
    pass_with_traffic(21);
    assert_int_equal(state_of(1), SERVER_IDLE);
    assert_int_equal(dials_to(2), 1);
    assert_int_equal(fake_open(), 1); /* the probe is closed, and no query went there */
    assert_int_equal(histogram_count(&report[1].answer), 0);
}

static void a_broken_spare_is_known_before_it_is_needed(void **state)
{
    (void)state;
    fake.dial[2] = FAKE_REFUSES;
    pass_with_traffic(31);
    assert_int_equal(state_of(1), SERVER_FAILING);
    unsigned ended = 0;
    for (unsigned i = 0; i < asked; i++)
        ended += asks[i].answered;
    assert_int_equal(ended, asked); /* queries do not notice */
}

static void a_spare_that_recovers_is_seen_within_a_minute(void **state)
{
    (void)state;
    fake.dial[2] = FAKE_REFUSES;
    pass_with_traffic(3600);
    assert_int_equal(state_of(1), SERVER_FAILING);
    assert_in_range(dials_to(2), 100, 200); /* each half minute */
    fake.dial[2] = FAKE_ACCEPTS;
    pass_with_traffic(60);
    assert_int_equal(state_of(1), SERVER_IDLE);
}

static void a_spare_that_breaks_while_idle_is_known_within_ten_minutes(void **state)
{
    (void)state;
    pass_with_traffic(31);
    fake.dial[2] = FAKE_REFUSES;
    pass_with_traffic(620);
    assert_int_equal(state_of(1), SERVER_FAILING);
    assert_in_range(dials_to(2), 2, 12);
}

static void without_client_queries_nothing_is_probed(void **state)
{
    (void)state;
    fake.dial[2] = FAKE_REFUSES;
    pass_with_traffic(61);
    fake_pass(75000);
    unsigned dials = fake_dials();
    fake_pass(24 * 3600 * UINT64_C(1000));
    assert_int_equal(fake_dials(), dials);
    assert_int_equal(fake.loop.wake_at, LOOP_NEVER); /* the loop sleeps */
    pass_with_traffic(60);
    assert_true(dials_to(2) > dials - dials_to(1));
}

/* A machine without IPv6 is not broken; once there is a route the server is probed. */
static void a_server_without_a_route_is_not_probed(void **state)
{
    (void)state;
    group->servers[1]->route.reach = LINK_NO_WAY;
    fake.dial[2] = FAKE_REFUSES;
    pass_with_traffic(600);
    assert_int_equal(dials_to(2), 0);
    assert_int_equal(state_of(1), SERVER_UNKNOWN);
    group->servers[1]->route.reach = LINK_WAY;
    pass_with_traffic(60);
    assert_int_equal(state_of(1), SERVER_FAILING);
}

static void hits_are_traffic_too(void **state)
{
    (void)state;
    fake.dial[2] = FAKE_REFUSES;
    pass_with_traffic(1);
    for (unsigned i = 0; i < 120; i++) {
        receive();
        fake_pass(1000);
    }
    assert_int_equal(state_of(1), SERVER_FAILING);
}

static void a_probe_serves_queries_if_there_is_no_other_session(void **state)
{
    (void)state;
    fake.dial[1] = fake.dial[2] = FAKE_REFUSES;
    pass_with_traffic(30);
    assert_int_equal(state_of(0), SERVER_FAILING);
    fake.dial[2] = FAKE_ACCEPTS;
    for (unsigned i = 0; i < 60 && state_of(1) != SERVER_OPEN; i++) {
        receive();
        fake_pass(1000);
    }
    assert_int_equal(state_of(1), SERVER_OPEN);
    fake_ask(group, &asks[asked], "a.test");
    fake_turn();
    assert_int_equal(asks[asked].answered, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_spare_that_was_never_used_is_known_within_half_a_minute),
        TEST(a_broken_spare_is_known_before_it_is_needed),
        TEST(a_spare_that_recovers_is_seen_within_a_minute),
        TEST(a_spare_that_breaks_while_idle_is_known_within_ten_minutes),
        TEST(without_client_queries_nothing_is_probed),
        TEST(a_server_without_a_route_is_not_probed),
        TEST(hits_are_traffic_too),
        TEST(a_probe_serves_queries_if_there_is_no_other_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
