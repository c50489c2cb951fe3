/* SPDX-License-Identifier: MIT */
/* Queries over several routes: each name gets its group's answers, in lookups and in the cache, also when routes
 * change. */
#include "base/mem.h"
#include "fake_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct client clients[8];
static uint8_t suffix[NAME_MAX_WIRE];

static int setup(void **state)
{
    (void)state;
    memset(clients, 0, sizeof clients);
    fake_begin();
    resolver_begin(3, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_end();
    fake_end();
    return 0;
}

/* Upstream `root` serves the root group, upstream `corp` the names at and below corp.test; corp < 0: no such group. */
static void apply(int root, int corp)
{
    struct group_definition definitions[] = {
        {.name = GROUP_ROOT, .upstreams = &config->upstreams[root], .upstream_count = 1, .trusts = &fake.trusts[root]},
        {.name = "corp", .upstream_count = 1}};
    struct name_route lead = {.suffix = suffix, .group = 1};
    struct groups_change change;
    struct routes *routes = NULL;
    size_t count = corp < 0 ? 0 : 1;
    assert_true(name_from_text(suffix, "corp.test") > 0);
    if (count) {
        definitions[1].upstreams = &config->upstreams[corp];
        definitions[1].trusts = &fake.trusts[corp];
    }
    assert_int_equal(routes_new(&routes, &group_ids, config, definitions, 1 + count, &lead, count), 0);
    assert_int_equal(groups_change_new(&change, routes), 0);
    groups_apply(&groups, &change);
    routes_unref(routes);
}

static unsigned entry_of(unsigned conn)
{
    return (ntohl(fake_conn(conn)->to.in.sin_addr.s_addr) & 0xff) - 1;
}

static unsigned written(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fake_dials(); i++)
        count += (unsigned)fake_conn(i)->written;
    return count;
}

static void ask(unsigned i, const char *name)
{
    clients[i] = (struct client){.id = (uint16_t)i};
    client_ask(&clients[i], name);
}

static void ask_and_wait(unsigned i, const char *name)
{
    ask(i, name);
    fake_turn();
    assert_int_equal(clients[i].replies, 1);
    assert_int_equal(clients[i].rcode, RCODE_NOERROR);
}

static void each_name_has_its_groups_servers(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    apply(0, 1);
    ask_and_wait(0, "WWW.Corp.Test");
    ask_and_wait(1, "www.other.test");
    assert_int_equal(entry_of(0), 1);
    assert_int_equal(entry_of(1), 0);
    ask_and_wait(2, "www.corp.test");
    ask_and_wait(3, "WWW.other.test");
    assert_int_equal(written(), 2);
    assert_int_equal(fake_counted(COUNTER_cache_hits), 2);
}

static void answers_are_their_groups(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    apply(0, -1);
    ask_and_wait(0, "a.corp.test");
    apply(0, 1); /* a new route: the root group's answer is no longer served, */
    ask_and_wait(1, "a.corp.test");
    assert_int_equal(written(), 2);
    apply(0, -1); /* and is served again without the route */
    ask_and_wait(2, "a.corp.test");
    assert_int_equal(written(), 2);
}

static void one_name_is_looked_up_in_two_groups(void **state)
{
    (void)state;
    apply(0, -1);
    ask(0, "a.corp.test");
    apply(0, 1);
    ask(1, "a.corp.test"); /* does not join the lookup of the other group */
    ask(2, "a.corp.test");
    assert_int_equal(fake_counted(COUNTER_lookups_started), 2);
    assert_int_equal(fake_counted(COUNTER_lookups_joined), 1);
    fake.serve = fake_serve_all;
    fake_turn();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(clients[i].replies, 1);
    assert_int_equal(written(), 2);
}

static void responses_after_a_change_are_not_cached(void **state)
{
    (void)state;
    apply(0, -1);
    ask(0, "a.test"); /* will be answered by another server */
    fake_turn();
    ask(1, "b.test");
    apply(1, -1);
    apply(0, -1); /* back to the first routes */
    fake.serve = fake_serve_all;
    fake_pass(3000);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[1].replies, 1);
    assert_int_equal(fake_counted(COUNTER_cache_stored), 0);
    assert_int_equal(fake_counted(COUNTER_cache_not_stored), 2);
    ask_and_wait(2, "a.test");
    ask_and_wait(3, "b.test");
    assert_int_equal(fake_counted(COUNTER_cache_stored), 2);
}

static void policy_alone_changes_nothing(void **state)
{
    (void)state;
    apply(0, -1);
    ask(0, "a.test");
    fake_turn();
    config->upstreams[0].max_qps = 1000;
    apply(0, -1);
    fake.serve = fake_serve_all;
    fake_turn();
    ask_and_wait(1, "a.test");
    assert_int_equal(fake_counted(COUNTER_cache_hits), 1);
    assert_int_equal(written(), 1);
}

/* A removed group finishes its lookups, under its own id; the last one ends it. */
static void a_removed_group_still_answers(void **state)
{
    (void)state;
    apply(0, 1);
    ask(0, "a.corp.test");
    fake_turn();
    apply(0, -1);
    fake_turn();
    assert_false(list_empty(&groups.leaving));
    fake.serve = fake_serve_all;
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
    assert_true(list_empty(&groups.leaving));
    ask_and_wait(1, "a.corp.test"); /* the root group serves it */
    assert_int_equal(written(), 2);
    apply(0, 1);
    ask_and_wait(2, "a.corp.test"); /* its answers are stored under its own id */
    assert_int_equal(written(), 2);
}

/* The routes change between query_take and the lookup step. */
static void a_query_whose_group_was_removed_is_routed_again(void **state)
{
    struct query query;
    (void)state;
    fake.serve = fake_serve_all;
    apply(0, 1);
    clients[0].id = 7;
    client_write(&clients[0], "a.corp.test");
    assert_true(client_take(&clients[0], &query));
    apply(2, -1);
    query_run_all(&query, 1);
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(entry_of(0), 2);
    ask_and_wait(1, "a.corp.test");
    assert_int_equal(fake_counted(COUNTER_cache_hits), 1);
}

static void a_refresh_is_its_groups(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    apply(0, 1);
    ask_and_wait(0, "a.corp.test");
    config->cache.prefetch = true;
    fake_pass(290000);
    ask_and_wait(1, "a.corp.test"); /* a hit, which is refreshed */
    assert_int_equal(fake_counted(COUNTER_refreshes), 1);
    fake_turn();
    for (unsigned i = 0; i < fake_dials(); i++)
        if (fake_conn(i)->written > 0) /* else a probe */
            assert_int_equal(entry_of(i), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_name_has_its_groups_servers),
        TEST(answers_are_their_groups),
        TEST(one_name_is_looked_up_in_two_groups),
        TEST(responses_after_a_change_are_not_cached),
        TEST(policy_alone_changes_nothing),
        TEST(a_removed_group_still_answers),
        TEST(a_query_whose_group_was_removed_is_routed_again),
        TEST(a_refresh_is_its_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
