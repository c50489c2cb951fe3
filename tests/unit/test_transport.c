/* SPDX-License-Identifier: MIT */
/* The interface between the pool and its transports: a group works over plain TCP as over TLS. */
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "dns/codes.h"
#include "fake_net.h"
#include "upstream/group.h"
#include "upstream/report.h"
#include "upstream/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct config *config;
static struct group *group;
static struct fake_ask asked[4];
static struct server_report report[4];

static int setup(void **state)
{
    (void)state;
    fake_begin();
    config = fake_config(1, 2);
    memset(asked, 0, sizeof asked);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        attempt_cancel(&asked[i].attempt);
    fake_group_end(group);
    fake_end();
    return 0;
}

static char root[] = ".", corp_test[] = "corp.test";
static char *everything[] = {root}, *corp[] = {corp_test};

/* Switches the group to plain TCP. */
static void go_over_to_tcp(void)
{
    if (!config->upstreams[0].plain_zones)
        config->upstreams[0].plain_zones = everything;
    config->upstreams[0].plain_zone_count = 1;
    const struct group_definition definition = fake_definition(config, fake.trusts);
    struct group_plan *plan = NULL;
    assert_int_equal(group_plan_new(&plan, &definition), 0);
    for (size_t i = 0; i < plan->server_count; i++) {
        struct server *server = plan->servers[i];
        server->transport->discard(server);
        server->transport_state = NULL;
        addr_set_port(&server->addr, 0);
        assert_int_equal(server_prepare(server, &transport_tcp, NULL), 0);
    }
    group_apply(group, plan);
    fake_turn();
}

static void begin_over_tcp(void)
{
    group = fake_group(config);
    go_over_to_tcp();
}

static void ask(unsigned i, const char *name)
{
    fake_ask(group, &asked[i], name);
    fake_turn();
}

static void take_report(void)
{
    memset(report, 0xee, sizeof report);
    assert_int_equal(group_report(group, report, 4), 2);
}

/* --- the tables --- */

static void every_transport_is_whole(void **state)
{
    (void)state;
    static const struct transport *const all[] = {&transport_dot, &transport_tcp, &transport_udp};
    group = fake_group(config);
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        const struct transport *one = all[i];
        assert_true(one->name && one->name[0] && one->port > 0 && one->tap > 0);
        assert_true(one->prepare && one->discard);
        assert_true(one->start && one->submit && one->cancel && one->flush && one->tick && one->stop && one->opened);
        assert_true(one->usable && one->connected_ms && one->local && one->acknowledged);
        assert_true(!one->each_ticket == !one->take_ticket && !one->each_ticket == !one->drop_tickets);
    }
}

static void plans_use_tls(void **state)
{
    (void)state;
    group = fake_group(config);
    for (size_t i = 0; i < group->server_count; i++) {
        assert_ptr_equal(group->servers[i]->transport, &transport_dot);
        assert_int_equal(addr_port(&group->servers[i]->addr), 853);
    }
}

/* --- over TCP --- */

static void a_query_is_answered_over_tcp(void **state)
{
    (void)state;
    begin_over_tcp();
    ask(0, "a.test");
    struct fake_conn *conn = fake_conn(0);
    assert_ptr_equal(conn->stream->layer, &byte_layer_plain);
    assert_int_equal(addr_port(&conn->to), 53);
    struct fake_frame *frame = fake_take(conn);
    assert_non_null(frame);
    assert_int_not_equal(frame->len % 128, 0); /* padding would hide nothing */
    fake_reply(conn, frame, NULL);
    free(frame);
    assert_int_equal(asked[0].answered, 1);
    assert_int_equal(asked[0].rcode, RCODE_NOERROR);
}

static void only_names_in_the_zones_are_sent_over_tcp(void **state)
{
    (void)state;
    config->upstreams[0].plain_zones = corp;
    begin_over_tcp();
    ask(0, "a.corp.test");
    struct fake_frame *frame = fake_take(fake_conn(0));
    assert_non_null(frame);
    free(frame);
    ask(1, "notcorp.test");
    ask(2, "test");
    fake_turn();
    list_for_each(link, &fake.conns)
        assert_null(fake_take(container_of(link, struct fake_conn, link)));
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(asked[i].ended, 1);
        assert_int_equal(asked[i].status, ERROR_UPSTREAM_ANSWER);
    }
    assert_int_equal(counter_read(&fake.counters, COUNTER_plain_refused), 2);
}

static void servers_with_other_zones_are_other_servers(void **state)
{
    (void)state;
    begin_over_tcp();
    ask(0, "a.test");
    struct server *before = group->servers[0];
    config->upstreams[0].plain_zones = corp;
    struct config_upstream other = config->upstreams[0];
    struct server fake_server = {.entry = &other};
    other.plain_zones = everything;
    assert_false(transport_tcp.same(&fake_server, before));
}

static void a_query_over_tls_is_padded(void **state)
{
    (void)state;
    group = fake_group(config);
    ask(0, "a.test");
    assert_ptr_equal(fake_conn(0)->stream->layer, &byte_layer_tls_client);
    struct fake_frame *frame = fake_take(fake_conn(0));
    assert_int_equal(frame->len % 128, 0);
    free(frame);
}

static void sessions_over_tcp_are_kept_and_end_when_idle(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    begin_over_tcp();
    for (unsigned i = 0; i < 3; i++) {
        ask(i, "a.test");
        assert_int_equal(asked[i].answered, 1);
    }
    assert_int_equal(fake_dials(), 1);
    fake_pass(config->tls.idle_ms + 100);
    assert_int_equal(fake_open(), 0);
    assert_int_equal(fake_conn(0)->close_reason, ERROR_IDLE);
}

static void an_attempt_over_tcp_can_be_cancelled(void **state)
{
    (void)state;
    begin_over_tcp();
    ask(0, "a.test");
    ask(1, "b.test");
    struct fake_frame *first = fake_take(fake_conn(0)), *second = fake_take(fake_conn(0));
    attempt_cancel(&asked[0].attempt);
    fake_reply(fake_conn(0), first, NULL);
    fake_reply(fake_conn(0), second, NULL);
    assert_int_equal(asked[0].ended, 0);
    assert_int_equal(asked[1].answered, 1);
    free(first);
    free(second);
}

static void a_lost_session_over_tcp_is_reported(void **state)
{
    (void)state;
    begin_over_tcp();
    ask(0, "a.test");
    fake_kill(fake_conn(0), -ECONNRESET);
    fake_turn();
    assert_int_equal(asked[0].ended, 1);
    assert_int_equal(asked[0].status, -ECONNRESET);
}

static void a_server_over_tcp_has_no_tls_facts(void **state)
{
    (void)state;
    begin_over_tcp();
    ask(0, "a.test");
    take_report();
    assert_int_equal(report[0].state, SERVER_OPEN);
    assert_int_equal(report[0].opened, 1);
    assert_int_equal(report[0].resumed, 0);
    assert_false(report[0].has_tls);
}

static void must_not_be_called(void *context, const struct ticket *ticket)
{
    (void)context;
    (void)ticket;
    fail();
}

static void a_server_over_tcp_has_no_tickets(void **state)
{
    (void)state;
    begin_over_tcp();
    group_each_ticket(group, must_not_be_called, NULL);
    assert_false(group_take_ticket(group, &(struct ticket){.expires_ms = 1}));
    group_drop_tickets(group);
}

/* --- what TLS offers --- */

/* The server ends the latest dial after its TCP connection was made, and after `received` bytes. */
static void refuse_hello(int reason, uint64_t received)
{
    struct fake_conn *conn = fake_conn(fake_dials() - 1);
    conn->stream->connected_ms = fake_now();
    conn->stream->received = received;
    fake_kill(conn, reason);
    fake_turn();
}

static void begin_with_dials_that_hang(void)
{
    config = fake_config(1, 1);
    group = fake_group(config);
    for (unsigned i = 0; i < 16; i++)
        fake.dial[i] = FAKE_HANGS;
}

static bool offers_alpn(unsigned conn)
{
    return fake_conn(conn)->alpn != NULL;
}

static void a_server_that_refuses_alpn_is_dialled_without_it_at_once(void **state)
{
    (void)state;
    static const struct {
        int reason;
        uint64_t received;
    } refusals[] = {
        {ERROR_TLS_ALPN, 7}, {ERROR_TLS_ALPN, 1000}, {ERROR_TLS_ALERT, 7}, {-ECONNRESET, 0}, {ERROR_CLOSED, 0}};
    for (unsigned i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        begin_with_dials_that_hang();
        unsigned before = fake_dials();
        ask(0, "a.test");
        assert_true(offers_alpn(before));
        refuse_hello(refusals[i].reason, refusals[i].received);
        assert_int_equal(fake_dials(), before + 2);
        assert_false(offers_alpn(before + 1));
        fake_accept(fake_conn(before + 1));
        fake_turn();
        fake_kill(fake_conn(before + 1), ERROR_CLOSED); /* the refusal is remembered */
        fake_turn();
        fake_pass(1000);
        ask(1, "b.test");
        assert_false(offers_alpn(before + 2));
        attempt_cancel(&asked[0].attempt);
        attempt_cancel(&asked[1].attempt);
        if (i + 1 < sizeof refusals / sizeof *refusals)
            fake_group_end(group);
    }
}

static void both_hellos_are_tried_in_turn_under_backoff(void **state)
{
    (void)state;
    begin_with_dials_that_hang();
    asked[0].insists = true;
    ask(0, "a.test");
    refuse_hello(-ECONNRESET, 0);
    assert_int_equal(fake_dials(), 2);
    for (unsigned dial = 1; dial < 6; dial++) {
        assert_int_equal(offers_alpn(dial), dial % 2 == 0);
        refuse_hello(-ECONNRESET, 0);
        assert_int_equal(fake_dials(), dial + 1);
        for (unsigned ms = 0; ms < 1000 && fake_dials() == dial + 1; ms += 10) {
            fake_pass(10);
            if (!attempt_live(&asked[0].attempt))
                ask(0, "a.test");
        }
        assert_int_equal(fake_dials(), dial + 2);
    }
}

static void an_end_after_the_server_hello_is_not_due_to_alpn(void **state)
{
    (void)state;
    static const int reasons[] = {ERROR_TLS_ALERT, -ECONNRESET, ERROR_CLOSED, ERROR_TLS_NAME};
    begin_with_dials_that_hang();
    for (unsigned i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        ask(0, "a.test");
        refuse_hello(reasons[i], 100);
        attempt_cancel(&asked[0].attempt);
        fake_pass(2000);
        assert_int_equal(fake_dials(), i + 1);
        assert_true(offers_alpn(i));
    }
}

static void a_session_verified_early_is_verified_again_when_the_clock_is_set(void **state)
{
    (void)state;
    group = fake_group(config);
    fake.early = true;
    ask(0, "a.test");
    fake.early = false;
    group_clock_changed(group);
    ask(1, "b.test");
    assert_int_equal(fake_dials(), 2);
    assert_int_equal(fake_conn(1)->written, 1);
    struct fake_frame *frame = fake_take(fake_conn(0));
    fake_reply(fake_conn(0), frame, NULL); /* its attempts are still answered */
    free(frame);
    fake_pass(10);
    assert_int_equal(asked[0].answered, 1);
    assert_null(fake_conn(0)->stream);
    group_clock_changed(group);
    fake_pass(10);
    assert_non_null(fake_conn(1)->stream);
}

/* --- from one to the other --- */

static void the_same_address_over_another_transport_is_another_server(void **state)
{
    (void)state;
    group = fake_group(config);
    ask(0, "a.test");
    struct server *over_tls = asked[0].attempt.server;
    struct group_plan *held = upstream_hold(group); /* the attempt refers to the server */
    go_over_to_tcp();
    assert_true(over_tls->left);
    ask(1, "b.test");
    assert_int_equal(fake_dials(), 2);
    assert_ptr_equal(asked[1].attempt.server->transport, &transport_tcp);
    fake.serve = fake_serve_all;
    fake_turn();
    assert_int_equal(asked[0].answered, 1); /* earlier attempts are answered on the old session */
    assert_int_equal(asked[1].answered, 1);
    upstream_release(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_transport_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(plans_use_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_is_answered_over_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(only_names_in_the_zones_are_sent_over_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(servers_with_other_zones_are_other_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_over_tls_is_padded, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_over_tcp_are_kept_and_end_when_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(an_attempt_over_tcp_can_be_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_session_over_tcp_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_over_tcp_has_no_tls_facts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_over_tcp_has_no_tickets, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_refuses_alpn_is_dialled_without_it_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(both_hellos_are_tried_in_turn_under_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_after_the_server_hello_is_not_due_to_alpn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_verified_early_is_verified_again_when_the_clock_is_set, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_same_address_over_another_transport_is_another_server, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
