/* SPDX-License-Identifier: MIT */
/* upstream/report: reports about servers. */
#include <errno.h>
#include <string.h>
#include "base/errors.h"
#include "fake_net.h"
#include "upstream/group.h"
#include "upstream/ask.h"
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
        attempt_cancel(&asked[i].attempt);
    fake_group_end(group);
    fake_end();
    return 0;
}

static void take_report(void)
{
    memset(report, 0xee, sizeof report);
    (void)group_report(group, report, sizeof report / sizeof *report);
}

static void servers_come_in_the_order_of_the_configuration(void **state)
{
    (void)state;
    take_report();
    for (unsigned i = 0; i < 4; i++) {
        assert_string_equal(report[i].upstream, config->upstreams[i / 2].name);
        assert_true(addr_equal(&report[i].addr, &config->upstreams[i / 2].addresses[i % 2]));
        assert_int_equal(report[i].state, SERVER_UNKNOWN);
        assert_int_equal(report[i].latency_us, 0);
        assert_int_equal(report[i].opened_ms, 0);
        assert_false(report[i].has_tls);
        assert_int_equal(report[i].last_error, 0);
    }
}

static void an_open_session_and_its_queries_are_reported(void **state)
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
    assert_true(report[0].has_tls);
    assert_string_equal(report[0].tls.version, "TLS1.3");
    fake_pass(20);
    fake.serve = fake_serve_all;
    fake_turn();
    take_report();
    assert_int_equal(report[0].in_flight, 0);
    assert_in_range(report[0].latency_us, 20000, 20500);
    assert_int_equal(report[1].state, SERVER_UNKNOWN);
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

/* --- where time goes --- */

static struct attempt_times times_of(const struct fake_ask *ask)
{
    struct attempt_times times;
    memset(&times, 0xee, sizeof times);
    attempt_report(&ask->attempt, 0, &times);
    return times;
}

/* TCP is connected: the handshake begins. */
static void connect_tcp(struct fake_conn *conn)
{
    conn->stream->connected_ms = fake_now();
}

static void each_phase_has_its_time(void **state)
{
    (void)state;
    fake.dial[1] = FAKE_HANGS;
    fake_ask(group, &asked[0], "a.test");
    fake_pass(30);
    connect_tcp(fake_conn(0));
    fake_pass(50);
    fake_accept(fake_conn(0));
    fake_pass(70);
    struct attempt_times times = times_of(&asked[0]);
    assert_int_equal(times.connect, 30);
    assert_int_equal(times.handshake, 50);
    assert_int_equal(times.answer, 70);
    assert_int_equal(times.place + times.write, 0);
    assert_true(addr_equal(server_address(times.dialed), &config->upstreams[0].addresses[0]));
    assert_true(asked[0].attempt.opened);
    take_report();
    assert_int_equal(report[0].connect.sum, 30);
    assert_int_equal(report[0].handshake.sum, 50);
    assert_int_equal(histogram_count(&report[0].answer), 0);
    fake_ask(group, &asked[1], "b.test");
    fake_pass(10);
    assert_false(asked[1].attempt.opened);
    assert_int_equal(times_of(&asked[1]).answer, 10);
    fake.serve = fake_serve_all;
    fake_turn();
    assert_int_equal(times_of(&asked[0]).answer, 80); /* the same after the end */
    take_report();
    assert_int_equal(histogram_count(&report[0].answer), 2);
    assert_int_equal(report[0].answer.sum, 90);
}

static void waiting_attempts_report_their_dial(void **state)
{
    (void)state;
    fake.dial[1] = FAKE_HANGS;
    fake_ask(group, &asked[0], "a.test");
    fake_pass(40);
    assert_int_equal(times_of(&asked[0]).connect, 40);
    connect_tcp(fake_conn(0));
    fake_pass(60);
    struct attempt_times times = times_of(&asked[0]);
    assert_int_equal(times.connect, 40);
    assert_int_equal(times.handshake, 60);
    assert_int_equal(times.place + times.write + times.answer, 0);
    assert_true(addr_equal(server_address(times.dialed), &config->upstreams[0].addresses[0]));
}

static void a_dial_that_hung_and_was_overlapped_counts(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 4; i++)
        fake.dial[i] = FAKE_HANGS;
    fake_ask(group, &asked[0], "a.test");
    fake_pass(900);
    assert_true(fake_dials() > 1);
    fake_accept(fake_conn(fake_dials() - 1)); /* the newest one: the others are dropped */
    fake_turn();
    fake_pass(10);
    struct attempt_times times = times_of(&asked[0]);
    assert_int_equal(times.connect, 900);
    assert_int_equal(times.place + times.handshake + times.write, 0);
    assert_int_equal(times.answer, 10);
}

static void a_back_off_is_waiting_for_a_place(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 4; i++)
        fake.dial[i] = FAKE_REFUSES;
    fake_ask(group, &asked[0], "a.test");
    fake_pass(1000);
    struct attempt_times times = times_of(&asked[0]);
    assert_int_equal(times.place, 1000);
    assert_int_equal(times.connect + times.handshake + times.write + times.answer, 0);
}

static void output_beyond_the_send_buffer_is_writing(void **state)
{
    (void)state;
    fake_ask(group, &asked[0], "a.test");
    fake_turn();
    fake_conn(0)->blocked = true;
    fake_ask(group, &asked[1], "b.test");
    fake_turn();
    fake_ask(group, &asked[2], "c.test");
    fake_pass(90);
    struct attempt_times times = times_of(&asked[2]);
    assert_int_equal(times.write, 90);
    assert_int_equal(times.place + times.connect + times.handshake + times.answer, 0);
    fake_unblock(fake_conn(0));
    fake_pass(20);
    times = times_of(&asked[2]);
    assert_int_equal(times.write, 90);
    assert_int_equal(times.answer, 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(servers_come_in_the_order_of_the_configuration),
        TEST(an_open_session_and_its_queries_are_reported),
        TEST(why_a_server_failed_is_remembered),
        TEST(a_hanging_dial_is_connecting),
        TEST(each_phase_has_its_time),
        TEST(waiting_attempts_report_their_dial),
        TEST(a_dial_that_hung_and_was_overlapped_counts),
        TEST(a_back_off_is_waiting_for_a_place),
        TEST(output_beyond_the_send_buffer_is_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
