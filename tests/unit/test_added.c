/* SPDX-License-Identifier: MIT */
/* config/added: routes added at run time, and the configuration that they make. */
#include "config/added.h"
#include "loading.h"

static const uint8_t salt[ROUTE_SALT] = {1, 2, 3};

static const char base_text[] =
    "listen: [127.0.0.1@53, 192.0.2.9@5353]\n"
    "access: {allow: [192.0.2.0/24]}\n"
    "upstreams: [quad9, {name: corp, addresses: [192.0.2.1], tls-name: dns.example, role: routed}]\n"
    "groups: [{name: work, upstreams: [corp]}]\n"
    "forward: [{zones: [a.example, B.example], upstreams: [corp]}, {zones: [c.example], group: work}]\n";

static struct config *base;

static int setup(void **state)
{
    (void)state;
    struct result result = load(base_text);
    base = result.config;
    if (!base)
        fputs(result.said, stderr);
    free(result.said);
    return base ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(base->refs, 1);
    config_unref(base);
    return 0;
}

/* Makes a route; if `says` is not NULL it must be refused with this sentence. */
static struct added_route *make(const char *zones, const char *servers, const char *interface, bool plain,
                                const char *says)
{
    struct added_route *added = NULL;
    const struct added_texts texts = {zones, servers, interface, plain, false};
    char *said = NULL;
    size_t len;
    FILE *errors = open_memstream(&said, &len);
    int status = added_new(&added, base, &texts, salt, 7, errors);
    fclose(errors);
    if (says) {
        if (status != ERROR_CONFIG || !strstr(said, says))
            fail_msg("%s, %s: %d, %s instead of %s", zones, servers, status, said, says);
        assert_null(added);
        assert_null(strchr(said, '^')); /* no place: there is no file */
    } else {
        if (status != 0)
            fail_msg("%s, %s: %s", zones, servers, said);
        assert_string_equal(said, "");
    }
    free(said);
    return added;
}

static void a_route_is_made_of_texts(void **state)
{
    (void)state;
    struct added_route *plain = make("Corp.example,10.in-addr.arpa", "10.0.0.53,2001:db8::1@5300", "wg0", true, NULL);
    assert_int_equal(plain->route.zone_count, 2);
    assert_string_equal(plain->route.zones[0], "Corp.example");
    assert_int_equal(plain->route.to_count, 2);
    assert_int_equal(addr_port(&plain->route.to[0]), 53);
    assert_int_equal(addr_port(&plain->route.to[1]), 5300);
    assert_string_equal(plain->route.interface, "wg0");
    assert_true(plain->route.plain);
    assert_memory_equal(plain->route.salt, salt, ROUTE_SALT);
    assert_int_equal(plain->route.until_ms, 7);
    added_unref(plain);
    struct added_route *named = make("corp.example", "corp,quad9", NULL, false, NULL);
    assert_int_equal(named->route.upstream_count, 2);
    assert_null(named->route.interface);
    added_unref(named);
    struct added_route *group = make("corp.example", "work", NULL, false, NULL);
    assert_string_equal(group->route.group, "work");
    added_unref(group);
}

static void mistakes_are_those_of_the_configuration(void **state)
{
    (void)state;
    make(NULL, "corp", NULL, false, "forward: this route has no zones");
    make("corp.example", NULL, NULL, false, "forward: this route leads nowhere");
    make(".", "corp", NULL, false, "forward: a route for all names");
    make("corp..example", "corp", NULL, false, "zones: \"corp..example\" is not a domain name");
    make("corp.example,CORP.example.", "corp", NULL, false, "has two routes");
    make("corp.example", "10.0.0.53", NULL, false, "not encrypted; write plain: yes");
    make("corp.example", "corp", NULL, true, "plain: yes is for the servers of to");
    make("corp.example", "corp", "wg0", false, "interface is for the servers of to");
    make("corp.example", "corp,10.0.0.53", NULL, true, "two of upstreams, group and to");
    make("corp.example", "work,corp", NULL, false, "two of upstreams, group and to");
    make("corp.example", "nobody", NULL, false, "\"nobody\" is neither in upstreams nor a preset");
    make("corp.example", "cloudflare", NULL, false, "cloudflare is not among the upstreams in force");
    make("corp.example", "10.0.0.256", NULL, true, "to: \"10.0.0.256\" is not an address");
    make("corp.example", "10.0.0.53,10.0.0.53@53", NULL, true, "is listed twice");
    make("corp.example", "::", NULL, true, "this is not the address of a server");
    make("corp.example", "192.0.2.9@5353", NULL, true, "is an address of dotstub itself");
    make("corp.example", "10.0.0.53", "wg/0", true, "is not the name of an interface");
    make("corp\x1b.example", "10.0.0.53", NULL, true, "control characters");
    make("corp.example", "\xff", NULL, true, "not UTF-8");
}

static bool is_second(void *context, const char *zone)
{
    return added_same_zone(zone, context);
}

static void zones_are_taken_out(void **state)
{
    (void)state;
    struct added_route *whole = make("x.example,y.example", "corp", NULL, false, NULL), *rest = NULL, *none = whole;
    assert_int_equal(added_without(&rest, whole, is_second, (char[]){"Y.EXAMPLE."}), 0);
    assert_int_equal(rest->route.zone_count, 1);
    assert_string_equal(rest->route.zones[0], "x.example");
    assert_int_equal(rest->route.until_ms, 7);
    assert_memory_equal(rest->route.salt, salt, ROUTE_SALT);
    added_unref(whole);
    assert_string_equal(rest->route.upstreams[0], "corp"); /* a copy of its own */
    assert_int_equal(added_without(&none, rest, is_second, (char[]){"x.example"}), 0);
    assert_null(none);
    added_unref(rest);
}

static void added_routes_come_before_those_of_the_configuration(void **state)
{
    (void)state;
    struct added_route *list[] = {make("b.EXAMPLE,d.example", "10.0.0.53", "wg0", true, NULL),
                                  make("c.example", "corp", NULL, false, NULL),
                                  make("e.example", "work", NULL, false, NULL)};
    struct config *whole;
    assert_int_equal(config_with_routes(&whole, base, &(struct route_changes){.added = list, .added_count = 3}), 0);
    assert_int_equal(base->forward_count, 2);
    assert_int_equal(base->forward[0].zone_count, 2);
    assert_int_equal(whole->forward_count, 4); /* the route of c.example is gone */
    assert_int_equal(whole->forward[0].zone_count, 1);
    assert_string_equal(whole->forward[0].zones[0], "a.example");
    assert_null(whole->forward[0].salt);
    assert_string_equal(whole->forward[1].zones[0], "b.EXAMPLE");
    assert_int_equal(whole->team_count, 5);
    const struct config_team *team = &whole->teams[whole->route_teams[1]];
    assert_string_equal(team->name, "forward:b.EXAMPLE");
    assert_memory_equal(team->salt, salt, ROUTE_SALT);
    assert_int_equal(team->members[0].plain_zone_count, 2);
    assert_non_null(whole->teams[whole->route_teams[2]].salt);
    assert_string_equal(whole->teams[whole->route_teams[3]].name, "work");
    assert_null(whole->teams[whole->route_teams[3]].salt); /* shared with routes of the configuration */
    for (unsigned i = 0; i < 3; i++)
        added_unref(list[i]);
    assert_string_equal(whole->forward[1].interface, "wg0");
    config_unref(whole);
}

static void routes_by_an_interface_that_is_down_wait(void **state)
{
    static const char text[] =
        "listen: [192.0.2.9@53]\n"
        "access: {allow: [192.0.2.0/24]}\n"
        "upstreams: [quad9]\n"
        "forward: [{zones: [a.example], to: [10.0.0.53], plain: yes, interface: wg0},\n"
        "  {zones: [b.example], to: [10.0.0.53], plain: yes, interface: wg0, private: yes},\n"
        "  {zones: [c.example], to: [10.0.0.53], plain: yes, interface: wg1}]\n"
        "views: [{clients: [192.0.2.0/28], forward: [{zones: [d.example], to: [10.0.0.53], plain: yes, interface: wg0}]}]\n";
    const char *down[] = {"wg0", "eth9"};
    struct result result = load(text);
    struct config *whole;
    (void)state;
    assert_string_equal(result.said, "");
    assert_int_equal(config_with_routes(&whole, result.config, &(struct route_changes){.down = down, .down_count = 2}),
                     0);
    assert_int_equal(whole->forward_count, 2);
    assert_string_equal(whole->forward[0].zones[0], "b.example");
    assert_string_equal(whole->forward[1].zones[0], "c.example");
    assert_int_equal(whole->waiting_count, 1);
    assert_string_equal(whole->waiting[0].zones[0], "a.example");
    assert_int_equal(whole->views[0].forward_count, 0);
    assert_int_equal(result.config->views[0].forward_count, 1);
    config_unref(whole);
    end(&result);
}

static void without_routes_it_is_the_configuration_itself(void **state)
{
    struct config *whole;
    (void)state;
    assert_int_equal(config_with_routes(&whole, base, &(struct route_changes){.added = NULL}), 0);
    assert_ptr_equal(whole, base);
    config_unref(whole);
}

static void upstreams_may_be_gone(void **state)
{
    (void)state;
    struct added_route *named = make("x.example", "corp", NULL, false, NULL),
                       *group = make("y.example", "work", NULL, false, NULL);
    struct result other = load("upstreams: [quad9]\n");
    assert_int_equal(added_check(named, base, NULL), 0);
    assert_int_equal(added_check(group, base, NULL), 0);
    assert_int_equal(added_check(named, other.config, NULL), ERROR_CONFIG);
    assert_int_equal(added_check(group, other.config, NULL), ERROR_CONFIG);
    end(&other);
    added_unref(named);
    added_unref(group);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
        const char *says;
    } cases[] = {{"1s", 1000, NULL},
                 {"1h", 3600000, NULL},
                 {"366d", UINT64_C(366) * 86400000, NULL},
                 {"367d", 0, "out of range"},
                 {"500ms", 0, "out of range"},
                 {"0", 0, "out of range"},
                 {"1500ms", 0, "whole number of seconds"},
                 {"10", 0, "is not a duration"},
                 {"1\x1b", 0, "control characters"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *said = NULL;
        size_t len;
        uint64_t ms = 0;
        FILE *errors = open_memstream(&said, &len);
        int status = added_duration(&ms, cases[i].text, errors);
        fclose(errors);
        assert_int_equal(status, cases[i].says ? ERROR_CONFIG : 0);
        assert_int_equal(ms, cases[i].ms);
        if (cases[i].says && !strstr(said, cases[i].says))
            fail_msg("%s: %s", cases[i].text, said);
        free(said);
    }
}

static void without_memory_nothing_leaks(void **state)
{
    static const struct added_texts texts = {"x.example,y.example", "10.0.0.53", "wg0", true, false};
    (void)state;
    for (unsigned n = 1;; n++) {
        struct added_route *added = NULL;
        struct config *whole = NULL;
        char *said = NULL;
        size_t len;
        FILE *errors = open_memstream(&said, &len);
        mem_fail_at(n);
        int status = added_new(&added, base, &texts, salt, 0, errors);
        if (status == 0)
            status = config_with_routes(&whole, base, &(struct route_changes){.added = &added, .added_count = 1});
        bool failed = status != 0;
        mem_fail_at(0);
        assert_true(!failed || status == -ENOMEM);
        config_unref(whole);
        added_unref(added);
        fclose(errors);
        free(said);
        if (!failed)
            break;
        assert_true(n < 10000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_route_is_made_of_texts),
                                       TEST(mistakes_are_those_of_the_configuration),
                                       TEST(zones_are_taken_out),
                                       TEST(added_routes_come_before_those_of_the_configuration),
                                       TEST(routes_by_an_interface_that_is_down_wait),
                                       TEST(without_routes_it_is_the_configuration_itself),
                                       TEST(upstreams_may_be_gone),
                                       TEST(durations),
                                       TEST(without_memory_nothing_leaks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
