/* upstream/report: what is told of servers. */
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "fake_net.h"
#include "upstream/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct config *config;
static struct group *group;
static struct fake_ask asked[3];
static struct server_report report[4];

static int setup(void **state)
{
    (void)state;
    fake_begin();
    memset(asked, 0, sizeof asked);
    config = fake_config(2, 2);
    group = fake_group(config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        exchange_cancel(&asked[i].exchange);
    fake_group_end(group);
    fake_end();
    return 0;
}

static void take_report(void)
{
    memset(report, 0xee, sizeof report);
    group_report(group, report);
}

static void servers_come_in_the_order_of_the_configuration(void **state)
{
    (void)state;
    take_report();
    for (unsigned i = 0; i < 4; i++) {
        assert_ptr_equal(report[i].upstream, config->upstreams[i / 2].name);
        assert_true(addr_equal(&report[i].addr, &config->upstreams[i / 2].addresses[i % 2]));
        assert_int_equal(report[i].state, SERVER_IDLE);
        assert_int_equal(report[i].latency_us, 0);
        assert_int_equal(report[i].opened_ms, 0);
        assert_int_equal(report[i].last_error, 0);
    }
}

static void an_open_session_and_its_questions_are_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        fake_ask(group, &asked[i], "a.test");
    fake_turn();
    take_report();
    assert_int_equal(report[0].state, SERVER_OPEN);
    assert_int_equal(report[0].open, 1);
    assert_int_equal(report[0].in_flight, 3);
    assert_int_equal(report[0].opened, 1);
    assert_int_equal(report[0].opened_ms, fake_now());
    assert_string_equal(report[0].tls.version, "TLS1.3");
    fake_pass(20);
    fake.serve = fake_serve_all;
    fake_turn();
    take_report();
    assert_int_equal(report[0].in_flight, 0);
    assert_in_range(report[0].latency_us, 20000, 20500);
    assert_int_equal(report[1].state, SERVER_IDLE);
}

static void why_a_server_failed_is_remembered(void **state)
{
    (void)state;
    fake.dial[1] = FAKE_REFUSES;
    fake.serve = fake_serve_all;
    fake_ask(group, &asked[0], "a.test");
    fake_pass(500);
    assert_int_equal(asked[0].answered, 1);
    take_report();
    assert_int_equal(report[0].state, SERVER_FAILING);
    assert_int_equal(report[0].last_error, -ECONNREFUSED);
    assert_true(report[0].failures > 0 && report[0].failed_ms > 0);
    assert_int_equal(report[1].state, SERVER_OPEN);
    assert_int_equal(report[1].last_error, 0);
}

static void a_hanging_dial_is_connecting(void **state)
{
    (void)state;
    fake.dial[1] = FAKE_HANGS;
    fake_ask(group, &asked[0], "a.test");
    fake_turn();
    take_report();
    assert_int_equal(report[0].state, SERVER_CONNECTING);
    assert_int_equal(report[0].dialing, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(servers_come_in_the_order_of_the_configuration),
        TEST(an_open_session_and_its_questions_are_told),
        TEST(why_a_server_failed_is_remembered),
        TEST(a_hanging_dial_is_connecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
