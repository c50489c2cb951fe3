/* SPDX-License-Identifier: MIT */
/* Switching plans: which servers move to the new plan, which leave, and when they are freed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "fake_net.h"
#include "upstream/group.h"
#include "upstream/ask.h"
#include "upstream/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct config *first;
static struct config second;
static struct config_upstream second_upstreams[4];
static struct group *group;
static struct fake_ask asked[8];

static int setup(void **state)
{
    (void)state;
    fake_begin();
    memset(asked, 0, sizeof asked);
    first = fake_config(4, 1);
    second = *first;
    second.upstreams = second_upstreams;
    second.upstream_count = 0;
    return 0;
}

/* Begins with the first `count` upstreams of the first configuration. */
static void begin(size_t count)
{
    first->upstream_count = count;
    group = fake_group(first);
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        attempt_cancel(&asked[i].attempt);
    fake_group_end(group);
    assert_int_equal(first->refs, 1);
    assert_int_equal(second.refs, 1);
    fake_end();
    return 0;
}

static struct config_upstream *name_entry(unsigned entry)
{
    struct config_upstream *upstream = &second_upstreams[second.upstream_count++];
    *upstream = first->upstreams[entry];
    return upstream;
}

/* trusts[i]: for the i-th upstream of the second configuration. */
static void apply_with(struct tls_trust *const *trusts)
{
    struct group_definition definition = fake_definition(&second, trusts);
    struct group_plan *plan = NULL;
    assert_int_equal(group_plan_new(&plan, &definition), 0);
    group_apply(group, plan);
}

static void ask(unsigned i, const char *name)
{
    fake_ask(group, &asked[i], name);
}

static void answer(struct fake_conn *conn)
{
    struct fake_frame *frame = fake_take(conn);
    assert_non_null(frame);
    fake_reply(conn, frame, NULL);
    free(frame);
}

static void the_same_server_keeps_its_session(void **state)
{
    (void)state;
    begin(2);
    ask(0, "a.test");
    fake_turn();
    struct server *server = asked[0].attempt.server;
    static char name[] = "renamed";
    unsigned entry = server == group->servers[0] ? 0 : 1;
    struct config_upstream *upstream = name_entry(entry);
    upstream->name = name;
    upstream->max_qps = 7;
    apply_with(&fake.trusts[entry]);
    fake_turn();
    assert_ptr_equal(group->servers[0], server);
    assert_string_equal(upstream_name(server), "renamed");
    assert_int_equal(server->budget->limit, 7);
    answer(fake_conn(0));
    fake_turn();
    assert_int_equal(asked[0].answered, 1);
    ask(1, "b.test");
    fake_turn();
    assert_int_equal(fake_dials(), 1);
    assert_int_equal(first->refs, 1); /* the first plan was freed */
}

static void another_address_source_or_trust_is_another_server(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 3; what++) {
        begin(1);
        second.upstream_count = 0;
        ask(0, "a.test");
        fake_turn();
        struct config_upstream *upstream = name_entry(what == 0 ? 1 : 0);
        if (what == 1) {
            upstream->has_source = true;
            assert_int_equal(addr_parse(&upstream->source, "192.0.2.99", 0), 0);
        }
        struct server *before = group->servers[0];
        apply_with(&fake.trusts[what == 2 ? 1 : 0]);
        fake_turn();
        assert_ptr_not_equal(group->servers[0], before);
        assert_true(before->left);
        ask(1, "b.test");
        fake_turn();
        assert_int_equal(fake_open(), 2); /* the session with the query, and one to the new server */
        answer(fake_conn(fake_dials() - 2));
        answer(fake_conn(fake_dials() - 1));
        fake_pass(1);
        assert_int_equal(asked[0].answered + asked[1].answered, 2);
        assert_int_equal(fake_open(), 1);
        assert_int_equal(first->refs, 1);
        memset(asked, 0, sizeof asked);
        fake_group_end(group);
    }
    begin(1);
}

static void waiting_attempts_go_to_the_new_servers(void **state)
{
    (void)state;
    begin(1);
    fake.dial[1] = FAKE_HANGS;
    ask(0, "a.test");
    fake_turn();
    name_entry(1);
    apply_with(&fake.trusts[1]);
    fake_turn();
    assert_int_equal(asked[0].attempt.state, ATTEMPT_SENT);
    assert_ptr_equal(asked[0].attempt.server, group->servers[0]);
    answer(fake_conn(fake_dials() - 1));
    assert_int_equal(asked[0].answered, 1);
    fake_pass(1);
    assert_int_equal(fake_open(), 1); /* the hanging dial was given up */
}

static void servers_of_a_lookup_stay(void **state)
{
    (void)state;
    begin(1);
    struct group_plan *held = upstream_hold(group);
    ask(0, "a.test");
    fake_turn();
    answer(fake_conn(0));
    const struct server *server = asked[0].attempt.server;
    name_entry(1);
    apply_with(&fake.trusts[1]);
    fake_pass(100000);
    assert_int_equal(fake_open(), 0);
    assert_int_equal(first->refs, 2);
    assert_string_equal(upstream_name(server), "entry0");
    struct group_plan *held_too = upstream_hold(group);
    second.upstream_count = 0;
    name_entry(2);
    apply_with(&fake.trusts[2]);
    upstream_release(held_too);
    fake_turn();
    assert_int_equal(second.refs, 3); /* behind the plan that is held */
    upstream_release(held);
    fake_turn();
    assert_int_equal(first->refs, 1);
    assert_int_equal(second.refs, 2);
}

static void a_failure_of_a_server_that_left_is_forgotten(void **state)
{
    const struct server *where;
    (void)state;
    begin(1);
    fake.dial[1] = FAKE_REFUSES;
    fake_pass(2000);
    ask(0, "a.test");
    fake_pass(2000);
    assert_int_equal(asked[0].status, -ECONNREFUSED);
    (void)upstream_last_error(group, &where);
    assert_ptr_equal(where, group->servers[0]);
    name_entry(1);
    apply_with(&fake.trusts[1]);
    (void)upstream_last_error(group, &where);
    assert_null(where);
    ask(1, "b.test");
    fake_turn();
    answer(fake_conn(fake_dials() - 1));
    assert_int_equal(asked[1].answered, 1);
}

static void a_dial_of_a_freed_server_has_a_time_and_no_name(void **state)
{
    struct attempt_times times;
    (void)state;
    begin(1);
    fake.dial[1] = FAKE_HANGS;
    ask(0, "a.test");
    fake_pass(200);
    name_entry(1);
    apply_with(&fake.trusts[1]);
    fake_pass(10);
    assert_int_equal(first->refs, 1); /* it is gone */
    attempt_report(&asked[0].attempt, 0, &times);
    assert_int_equal(times.connect, 200);
    assert_null(times.dialed);
    assert_int_equal(times.answer, 10);
}

static void a_session_of_a_removed_server_may_end(void **state)
{
    (void)state;
    begin(1);
    ask(0, "a.test");
    fake_turn();
    name_entry(1);
    apply_with(&fake.trusts[1]);
    fake_turn();
    fake_kill(fake_conn(0), -ECONNRESET);
    fake_turn();
    assert_int_equal(asked[0].status, -ECONNRESET); /* its lookup retries */
    assert_int_equal(first->refs, 1);
    ask(0, "a.test");
    fake_turn();
    assert_ptr_equal(asked[0].attempt.server, group->servers[0]);
}

static void idle_time_is_limited_at_once(void **state)
{
    (void)state;
    begin(1);
    ask(0, "a.test");
    fake_turn();
    answer(fake_conn(0));
    second.tls.idle_ms = 1000;
    name_entry(0);
    apply_with(fake.trusts);
    fake_pass(900);
    assert_int_equal(fake_open(), 1);
    fake_pass(200);
    assert_int_equal(fake_open(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_server_keeps_its_session),
        TEST(another_address_source_or_trust_is_another_server),
        TEST(waiting_attempts_go_to_the_new_servers),
        TEST(servers_of_a_lookup_stay),
        TEST(a_failure_of_a_server_that_left_is_forgotten),
        TEST(a_dial_of_a_freed_server_has_a_time_and_no_name),
        TEST(a_session_of_a_removed_server_may_end),
        TEST(idle_time_is_limited_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
