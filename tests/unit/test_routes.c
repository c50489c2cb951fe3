/* SPDX-License-Identifier: MIT */
/* Routes and the groups of a worker: which group serves a name, ids of definitions, and switching snapshots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/mem.h"
#include "dns/codes.h"
#include "fake_net.h"
#include "upstream/group.h"
#include "upstream/groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ENTRIES 6

static struct config *config;
static struct group_ids ids;
static struct groups groups;
static unsigned closed;
static struct group_definition wanted[8]; /* the next snapshot */
static size_t wanted_count;
static struct name_route leads[8];
static uint8_t suffixes[8][NAME_MAX_WIRE];
static size_t lead_count;
static struct fake_ask asked[16];

static void count_closed(void *context)
{
    ++*(unsigned *)context;
}

static int setup(void **state)
{
    (void)state;
    fake_begin();
    config = fake_config(ENTRIES, 1);
    memset(asked, 0, sizeof asked);
    closed = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (groups.routes) {
        for (unsigned i = 0; i < 16; i++)
            attempt_cancel(&asked[i].attempt);
        groups_stop(&groups, count_closed, &closed);
        fake_turn();
        assert_int_equal(closed, 1);
        groups_fini(&groups);
    }
    group_ids_fini(&ids);
    assert_int_equal(config->refs, 1);
    fake_end(); /* no hook and no reference to a trust is left */
    return 0;
}

/* --- making snapshots --- */

static void want_nothing(void)
{
    wanted_count = lead_count = 0;
}

/* A group of upstreams, from `first` on. Returns its index. */
static size_t want(const char *name, unsigned first, unsigned count)
{
    wanted[wanted_count] = (struct group_definition){
        .name = name, .upstreams = &config->upstreams[first], .upstream_count = count, .trusts = &fake.trusts[first]};
    return wanted_count++;
}

static void lead(const char *suffix, size_t group)
{
    assert_true(name_from_text(suffixes[lead_count], suffix) > 0);
    leads[lead_count] = (struct name_route){.suffix = suffixes[lead_count], .group = group};
    lead_count++;
}

static int make(struct routes **out)
{
    return routes_new(out, &ids, config, wanted, wanted_count, leads, lead_count);
}

static void apply(void)
{
    struct groups_change change;
    struct routes *routes = NULL;
    assert_int_equal(make(&routes), 0);
    if (groups.routes) {
        assert_int_equal(groups_change_new(&change, routes), 0);
        groups_apply(&groups, &change);
        groups_change_free(&change); /* everything was freed */
    } else {
        assert_int_equal(groups_init(&groups, &fake.loop, &fake.counters, routes), 0);
    }
    routes_unref(routes);
}

/* Applies the root group and two more. */
static void apply_three(void)
{
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    lead("corp.test", want("corp", 1, 1));
    lead("lab.corp.test", want("lab", 2, 1));
    apply();
}

static uint32_t route(const char *text)
{
    struct key key = {.type = TYPE_A};
    int len = name_from_text(key.name, text);
    assert_true(len > 0);
    key.name_len = (uint8_t)len;
    return groups_route(&groups, 0, &key);
}

/* Sends an attempt to the group that serves the name. */
static void ask(unsigned i, const char *name)
{
    fake_ask(groups_find(&groups, route(name)), &asked[i], name);
}

/* The upstream of the n-th connection. */
static unsigned entry_of(unsigned n)
{
    return (unsigned)((const uint8_t *)&fake_conn(n)->to.in.sin_addr)[3] - 1;
}

/* --- ids --- */

static void an_id_is_never_given_to_another_definition(void **state)
{
    uint32_t id = 0;
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t n = 1; n <= 100; n++) {
            uint8_t definition[DIGEST_LEN] = {0};
            memcpy(definition, &n, sizeof n);
            assert_int_equal(group_ids_find(&ids, definition, &id), 0);
            assert_int_equal(id, n); /* never 0 */
        }
    }
    assert_int_equal(ids.count, 100);
}

static void without_memory_there_is_no_id(void **state)
{
    static const uint8_t definition[DIGEST_LEN] = {1};
    uint32_t id = 0;
    (void)state;
    mem_fail_at(1);
    assert_int_equal(group_ids_find(&ids, definition, &id), -ENOMEM);
    mem_fail_at(0);
    assert_int_equal(group_ids_find(&ids, definition, &id), 0);
    assert_int_equal(id, 1);
}

/* --- a snapshot --- */

static void a_configuration_is_one_route(void **state)
{
    struct routes *routes = NULL;
    (void)state;
    assert_int_equal(routes_of_config(&routes, &ids, config, fake.trusts), 0);
    assert_int_equal(routes->group_count, 1);
    assert_int_equal(routes->server_count, ENTRIES);
    assert_string_equal(routes->groups[0].name, GROUP_ROOT);
    assert_int_equal(routes->groups[0].id, 1);
    assert_int_equal(routes->ids[0].id, 1);
    assert_null(routes->suffixes);
    assert_int_equal(config->refs, 2);
    routes_unref(routes);
}

static void groups_of_one_definition_have_one_id(void **state)
{
    struct routes *routes = NULL;
    (void)state;
    want_nothing();
    want(GROUP_ROOT, 0, 2);
    want("other", 2, 2);
    want("same", 0, 2);
    assert_int_equal(make(&routes), 0);
    assert_int_equal(routes->groups[0].id, routes->groups[2].id);
    assert_int_not_equal(routes->groups[0].id, routes->groups[1].id);
    assert_int_equal(routes->server_count, 6);
    routes_unref(routes);
}

static void invalid_snapshots_are_refused(void **state)
{
    static struct group_definition many[ROUTES_GROUPS_MAX + 1];
    struct routes *routes = NULL;
    (void)state;
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    want("twice", 1, 1);
    want("twice", 2, 1);
    assert_int_equal(make(&routes), -EEXIST);
    wanted_count = 2;
    lead("corp.test", 1);
    lead("CORP.test", 0);
    assert_int_equal(make(&routes), -EEXIST);
    assert_int_equal(routes_new(&routes, &ids, config, many, ROUTES_GROUPS_MAX + 1, NULL, 0), -E2BIG);
    assert_null(routes);
}

static void failed_allocations_leave_nothing(void **state)
{
    struct routes *routes = NULL;
    struct groups_change change;
    int status = -ENOMEM;
    unsigned failures = 0;
    (void)state;
    want_nothing();
    want(GROUP_ROOT, 0, 2);
    lead("corp.test", want("corp", 2, 2));
    for (unsigned long n = 1; status < 0; n++) {
        mem_fail_at(n);
        status = make(&routes);
        mem_fail_at(0);
        assert_true(status == 0 || (status == -ENOMEM && config->refs == 1));
        failures += status < 0;
    }
    assert_true(failures > 8);
    status = -ENOMEM;
    for (unsigned long n = 1; status < 0; n++) {
        mem_fail_at(n);
        status = groups_change_new(&change, routes);
        mem_fail_at(0);
        assert_true(status == 0 || (status == -ENOMEM && routes->refs == 1));
    }
    groups_change_free(&change);
    status = -ENOMEM;
    for (unsigned long n = 1; status < 0; n++) {
        mem_fail_at(n);
        status = groups_init(&groups, &fake.loop, &fake.counters, routes);
        mem_fail_at(0);
        assert_true(status == 0 || (status == -ENOMEM && routes->refs == 1));
        if (status < 0)
            groups_fini(&groups); /* like a worker that was not started */
    }
    routes_unref(routes);
}

/* --- views --- */

static const char viewed[] =
    "upstreams: [{name: a, tls-name: a.test, addresses: [192.0.2.1]}, {name: b, tls-name: b.test, addresses: "
    "[192.0.2.2], role: routed}, {name: c, tls-name: c.test, addresses: [192.0.2.3], role: routed}]\n"
    "forward: [{zones: [corp.test], upstreams: [b]}, {zones: [home.test], upstreams: [b], private: yes}]\n"
    "views:\n"
    "- {name: one, clients: [10.0.0.0/8], upstreams: [c], forward: [{zones: [CORP.test, lab.test], upstreams: [c]}]}\n"
    "- {name: two, clients: [10.1.0.0/16], inherit: no}\n"
    "- {name: three, interface: lo}\n"
    "- {name: four, interface: none0}\n";

static struct config *load_views(void)
{
    struct config *loaded = NULL;
    FILE *errors = tmpfile();
    assert_int_equal(config_load_text(&loaded, "f", viewed, errors), 0);
    fclose(errors);
    return loaded;
}

static uint8_t view_of(const char *address, unsigned interface)
{
    struct addr addr;
    assert_int_equal(addr_parse(&addr, address, 53), 0);
    return groups_view_of(&groups, &addr, interface);
}

static struct key key_of(const char *text)
{
    struct key key = {.type = TYPE_A};
    int len = name_from_text(key.name, text);
    assert_true(len > 0);
    key.name_len = (uint8_t)len;
    return key;
}

static uint32_t route_in(uint8_t view, const char *text)
{
    struct key key = key_of(text);
    return groups_route(&groups, view, &key);
}

static bool is_private_in(uint8_t view, const char *text)
{
    struct key key = key_of(text);
    return groups_is_private_zone(&groups, view, &key);
}

static void clients_have_the_routes_of_their_view(void **state)
{
    struct config *loaded = load_views();
    struct routes *routes = NULL;
    (void)state;
    assert_int_equal(routes_of_config(&routes, &ids, loaded, fake.trusts), 0);
    assert_int_equal(groups_init(&groups, &fake.loop, &fake.counters, routes), 0);
    routes_unref(routes);
    assert_int_equal(view_of("192.0.2.1", 0), 0);
    assert_int_equal(view_of("10.0.0.1", 0), 1);
    assert_int_equal(view_of("10.1.0.1", 1), 2); /* networks go first */
    assert_int_equal(view_of("192.0.2.1", 1), 3);
    assert_int_equal(view_of("192.0.2.1", 77), 0);
    assert_string_equal(groups_view_name(&groups, 2), "two");
    assert_null(groups_view_name(&groups, 0));
    uint32_t a = groups_root_id(&groups, 0), c = groups_root_id(&groups, 1), b = route_in(0, "x.corp.test");
    assert_true(a != b && b != c && a != c);
    assert_int_equal(groups_root_id(&groups, 2), a);
    assert_int_equal(route_in(1, "x.corp.test"), c); /* the same definition as that of the view's root */
    assert_int_equal(route_in(1, "x.lab.test"), c);
    assert_int_equal(route_in(1, "x.home.test"), b);
    assert_int_equal(route_in(2, "x.corp.test"), a);
    assert_int_equal(route_in(3, "x.corp.test"), b);
    assert_int_equal(route_in(0, "x.lab.test"), a);
    assert_true(is_private_in(0, "home.test") && is_private_in(1, "home.test") && !is_private_in(2, "home.test"));
    assert_false(is_private_in(0, "x.home.test"));
    assert_int_equal(route_in(9, "x.corp.test"), b); /* a view of earlier routes */
    assert_null(groups_view_name(&groups, 9));
    apply_three();
    assert_int_equal(groups_root_id(&groups, 1), groups_root_id(&groups, 0));
    assert_null(groups.views);
    fake_turn();
    config_unref(loaded);
}

static void failed_allocations_leave_no_views(void **state)
{
    struct config *loaded = load_views();
    struct routes *routes = NULL;
    struct groups_change change;
    int status = -ENOMEM;
    (void)state;
    for (unsigned long n = 1; status < 0; n++) {
        mem_fail_at(n);
        status = routes_of_config(&routes, &ids, loaded, fake.trusts);
        mem_fail_at(0);
        assert_true(status == 0 || (status == -ENOMEM && loaded->refs == 1 && !routes));
    }
    status = -ENOMEM;
    for (unsigned long n = 1; status < 0; n++) {
        mem_fail_at(n);
        status = groups_change_new(&change, routes);
        mem_fail_at(0);
    }
    groups_change_free(&change);
    routes_unref(routes);
    config_unref(loaded);
}

/* --- the groups of a worker --- */

static void a_name_is_its_longest_suffixes_groups(void **state)
{
    (void)state;
    apply_three();
    assert_int_equal(route("a.test"), 1);
    assert_int_equal(route("."), 1);
    assert_int_equal(route("corp.test"), 2);
    assert_int_equal(route("www.corp.test"), 2);
    assert_int_equal(route("mycorp.test"), 1);
    assert_int_equal(route("lab.corp.test"), 3);
    assert_int_equal(route("www.lab.corp.test"), 3);
    static const char *const names[] = {"a.test", "a.corp.test", "a.lab.corp.test"};
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 3; i++) {
        ask(i, names[i]);
        fake_turn();
        assert_int_equal(asked[i].answered, 1);
        assert_int_equal(entry_of(i), i);
    }
    struct server_report report[4];
    assert_int_equal(groups_report(&groups, report, 4), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(report[i].upstream, config->upstreams[i].name);
    assert_int_equal(groups_report(&groups, report, 2), 2);
}

static void groups_are_found_by_id_while_they_are_in_force(void **state)
{
    (void)state;
    apply_three();
    struct group *corp = groups_find(&groups, 2);
    assert_string_equal(group_name(corp), "corp");
    assert_int_equal(group_id(corp), 2);
    assert_null(groups_find(&groups, 0));
    assert_null(groups_find(&groups, 4));
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    lead("corp.test", want("corp", 3, 1)); /* redefined */
    apply();
    assert_null(groups_find(&groups, 2));
    assert_null(groups_find(&groups, 3)); /* gone */
    assert_ptr_equal(groups_find(&groups, 4), corp);
    apply_three();
    assert_ptr_equal(groups_find(&groups, 2), corp); /* its earlier id */
    assert_string_equal(group_name(groups_find(&groups, 3)), "lab");
}

/* With another order, other groups and another route: sessions stay. */
static void a_group_of_the_same_name_keeps_its_servers(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    apply_three();
    ask(0, "a.corp.test");
    fake_turn();
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    want("new", 3, 1);
    lead("elsewhere.test", want("corp", 1, 2)); /* and one more server */
    apply();
    ask(1, "b.elsewhere.test");
    fake_turn();
    assert_int_equal(asked[1].answered, 1);
    assert_int_equal(fake_dials(), 1);
    ask(2, "b.corp.test");
    fake_turn();
    assert_int_equal(entry_of(1), 0); /* now the root group's */
}

static void a_removed_group_serves_its_lookups(void **state)
{
    (void)state;
    apply_three();
    struct group *corp = groups_find(&groups, 2);
    struct group_plan *held = upstream_hold(corp);
    ask(0, "a.corp.test");
    fake_turn();
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    apply();
    fake_turn();
    assert_int_equal(route("a.corp.test"), 1);
    groups_network_changed(&groups); /* leaving groups are notified, too */
    groups_clock_changed(&groups);
    assert_int_equal(asked[0].ended, 0);
    struct fake_frame *frame = fake_take(fake_conn(0));
    assert_non_null(frame);
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    fake_turn();
    assert_int_equal(asked[0].answered, 1);
    fake.serve = fake_serve_all;
    fake_ask(corp, &asked[1], "a.corp.test"); /* the lookup retries */
    fake_turn();
    assert_int_equal(asked[1].answered, 1);
    assert_int_equal(fake_open(), 1);
    assert_false(upstream_was_redefined(corp, held));
    upstream_release(held);
    fake_turn();
    assert_int_equal(fake_open(), 0);
    assert_true(list_empty(&groups.leaving)); /* and the group is freed */
    assert_int_equal(groups.open, 1);
}

static void server_that_returns_while_it_leaves_is_a_new_one(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    apply_three();
    struct group *before = groups_find(&groups, 2);
    struct group_plan *held = upstream_hold(before);
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    apply();
    apply_three();
    assert_ptr_not_equal(groups_find(&groups, 2), before);
    ask(0, "a.corp.test");
    fake_ask(before, &asked[1], "a.corp.test");
    fake_turn();
    assert_int_equal(asked[0].answered + asked[1].answered, 2);
    assert_int_equal(fake_dials(), 2);
    upstream_release(held);
    fake_turn();
    assert_int_equal(fake_open(), 1);
}

static void all_groups_stop_at_once(void **state)
{
    (void)state;
    fake.serve = fake_serve_all;
    apply_three();
    struct group_plan *held = upstream_hold(groups_find(&groups, 2));
    ask(0, "a.corp.test");
    ask(1, "a.test");
    fake_turn();
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    apply();
    fake_turn();
    assert_int_equal(fake_open(), 2);
    upstream_release(held); /* teardown ends the rest: one in force, one leaving, one removed long ago */
}

static void there_and_back_is_redefined(void **state)
{
    (void)state;
    apply_three();
    struct group *root = groups_find(&groups, 1);
    struct group_plan *held = upstream_hold(root);
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    apply(); /* the same definition */
    assert_false(upstream_was_redefined(root, held));
    want_nothing();
    want(GROUP_ROOT, 3, 1);
    apply();
    assert_true(upstream_was_redefined(root, held));
    want_nothing();
    want(GROUP_ROOT, 0, 1);
    apply();
    assert_int_equal(group_id(root), held->id);
    assert_true(upstream_was_redefined(root, held));
    upstream_release(held);
}

/* --- at random --- */

static unsigned below(unsigned bound)
{
    return (unsigned)rand() % bound;
}

static void random_snapshot(void)
{
    static const char *const names[] = {"a", "b", "c", "d"}, *const domains[] = {"a.test", "b.test", "c.a.test",
                                                                                 "test"};
    want_nothing();
    want(GROUP_ROOT, below(4), 1 + below(3));
    for (unsigned i = 0; i < 4; i++)
        if (below(2))
            want(names[i], below(4), 1 + below(3));
    for (unsigned i = 0; i < 4; i++)
        if (below(2))
            lead(domains[i], below((unsigned)wanted_count));
    apply();
}

/* Lookups keep the group that they were begun with through all changes. */
static void snapshots_at_random(void **state)
{
    static const char *const names[] = {"x.a.test", "b.test", "y.c.a.test", "z.test", "org"};
    struct {
        struct group *group;
        struct group_plan *plan;
    } lookup[16] = {{NULL, NULL}};
    unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : (unsigned)time(NULL);
    (void)state;
    print_message("SEED=%u\n", seed);
    srand(seed);
    fake.serve = fake_serve_all;
    random_snapshot();
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = below(16);
        if (below(20) == 0)
            random_snapshot();
        if (below(50) == 0)
            groups_network_changed(&groups);
        if (!lookup[i].group) {
            lookup[i].group = groups_find(&groups, route(names[below(5)]));
            lookup[i].plan = upstream_hold(lookup[i].group);
            asked[i] = (struct fake_ask){.ended = 0};
            fake_ask(lookup[i].group, &asked[i], "a.test");
        } else if (!attempt_live(&asked[i].attempt) && below(3) == 0) {
            fake_ask(lookup[i].group, &asked[i], "a.test");
        } else {
            attempt_cancel(&asked[i].attempt);
            upstream_release(lookup[i].plan);
            lookup[i].group = NULL;
        }
        if (below(2))
            fake_turn();
        if (below(100) == 0)
            fake_pass(below(2000));
    }
    for (unsigned i = 0; i < 16; i++) {
        attempt_cancel(&asked[i].attempt);
        if (lookup[i].group)
            upstream_release(lookup[i].plan);
    }
    fake_turn();
    assert_true(list_empty(&groups.leaving));
    assert_int_equal(groups.open, groups.routes->group_count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_never_given_to_another_definition),
        TEST(without_memory_there_is_no_id),
        TEST(a_configuration_is_one_route),
        TEST(groups_of_one_definition_have_one_id),
        TEST(invalid_snapshots_are_refused),
        TEST(failed_allocations_leave_nothing),
        TEST(clients_have_the_routes_of_their_view),
        TEST(failed_allocations_leave_no_views),
        TEST(a_name_is_its_longest_suffixes_groups),
        TEST(groups_are_found_by_id_while_they_are_in_force),
        TEST(a_group_of_the_same_name_keeps_its_servers),
        TEST(a_removed_group_serves_its_lookups),
        TEST(server_that_returns_while_it_leaves_is_a_new_one),
        TEST(all_groups_stop_at_once),
        TEST(there_and_back_is_redefined),
        TEST(snapshots_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
