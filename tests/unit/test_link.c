/* SPDX-License-Identifier: MIT */
/* Changes of the network, and routes. Each test has a network namespace of its own, with real links; without
 * permission for one, only loopback is tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "net/link.h"

#define START_MS 1000000

struct watch {
    struct link link;
    struct loop loop;
    unsigned told;
    uint64_t now_ms;
    const char *then; /* the action of the callback */
    bool then_close;
};

static void ip(const char *arguments)
{
    char command[256];
    snprintf(command, sizeof(command), "ip %s", arguments);
    if (system(command) != 0)
        fail_msg("%s failed", command);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* True for root, and for others if the system allows user namespaces. */
static bool may_have_namespaces(void)
{
    char map[32];
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return false;
    write_file("/proc/self/uid_map", map);
    return true;
}

/* --- monitoring --- */

static void on_changed(struct link *link)
{
    struct watch *watch = container_of(link, struct watch, link);
    watch->told++;
    if (watch->then)
        ip(watch->then);
    watch->then = NULL;
    if (watch->then_close)
        link_close(link);
}

static void set_up_loopback(void)
{
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    ip("link set lo up");
}

static int start_watching(void **state)
{
    static struct watch watch;
    memset(&watch, 0, sizeof(watch));
    set_up_loopback();
    watch.now_ms = START_MS;
    clock_fake(START_MS * 1000, 0);
    *state = &watch;
    if (loop_init(&watch.loop) < 0)
        return -1;
    link_open(&watch.link, &watch.loop, on_changed);
    return 0;
}

static int stop_watching(void **state)
{
    struct watch *watch = *state;
    clock_real();
    link_close(&watch->link);
    bool drained = loop_drain(&watch->loop, 10000);
    loop_fini(&watch->loop);
    return drained ? 0 : -1;
}

/* Enough turns to receive the events, arm the timer and run it. */
static void turns(struct watch *watch)
{
    watch->loop.now_ms = 0;
    for (int i = 0; i < 4; i++)
        uv_run(&watch->loop.uv, UV_RUN_NOWAIT);
}

static void turns_after(struct watch *watch, uint64_t ms)
{
    turns(watch);
    watch->now_ms += ms;
    clock_fake(watch->now_ms * 1000, 0);
    turns(watch);
}

static void burst_is_reported_once_when_it_has_settled(void **state)
{
    struct watch *watch = *state;
    ip("addr add 10.0.0.1/32 dev lo");
    ip("addr add 10.0.0.2/32 dev lo");
    turns_after(watch, LINK_SETTLE_MS - 1);
    ip("addr del 10.0.0.1/32 dev lo");
    assert_int_equal(watch->told, 0);
    turns_after(watch, 11);
    assert_int_equal(watch->told, 1);
    turns_after(watch, 1000);
    assert_int_equal(watch->told, 1);
}

static void quiet_network_reports_nothing(void **state)
{
    struct watch *watch = *state;
    turns_after(watch, 1000);
    assert_int_equal(watch->told, 0);
}

static void every_kind_of_change_is_reported(void **state)
{
    struct watch *watch = *state;
    static const char *const changes[] = {
        "link set lo mtu 60000",
        "addr add 10.0.0.1/32 dev lo",
        "-6 addr add fd00::1/128 dev lo nodad",
        "route add 10.1.0.0/16 dev lo",
        "route add blackhole 10.2.0.0/16 table 7",
        "-6 route add fd01::/64 dev lo",
        "rule add from 10.0.0.1 table 7",
        "-6 rule add from fd00::1 table 7",
        "link add veth-a type veth peer name veth-b",
    };
    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        ip(changes[i]);
        turns_after(watch, LINK_SETTLE_MS + 10);
        if (watch->told != i + 1)
            fail_msg("told %u times after: ip %s", watch->told, changes[i]);
    }
}

static void storm_does_not_wake_the_loop_while_it_settles(void **state)
{
    struct watch *watch = *state;
    struct pollfd wakes = {.fd = uv_backend_fd(&watch->loop.uv), .events = POLLIN};
    ip("addr add 10.0.0.1/32 dev lo");
    turns(watch);
    for (int i = 0; i < 10; i++) {
        ip("link add veth-a type veth peer name veth-b");
        ip("link del veth-a");
        assert_int_equal(poll(&wakes, 1, 0), 0);
    }
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 1);
}

static void change_during_a_report_is_reported_again(void **state)
{
    struct watch *watch = *state;
    watch->then = "addr add 10.0.0.2/32 dev lo";
    ip("addr add 10.0.0.1/32 dev lo");
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 1);
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 2);
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 2);
}

static void full_buffer_is_an_event_and_the_watch_continues(void **state)
{
    struct watch *watch = *state;
    struct pollfd ready = {.fd = watch->link.fd, .events = POLLIN};
    assert_int_equal(setsockopt(watch->link.fd, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int)), 0);
    for (int i = 0; i < 10; i++) {
        ip("addr add 10.0.0.1/32 dev lo");
        ip("addr del 10.0.0.1/32 dev lo");
    }
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_true(ready.revents & POLLERR);
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 1);
    turns_after(watch, 1000);
    assert_int_equal(watch->told, 1);
    ip("addr add 10.0.0.2/32 dev lo");
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 2);
}

static void nothing_is_reported_once_closed(void **state)
{
    struct watch *watch = *state;
    ip("addr add 10.0.0.1/32 dev lo");
    turns(watch);
    link_close(&watch->link);
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 0);
}

static void callback_may_close(void **state)
{
    struct watch *watch = *state;
    watch->then_close = true;
    ip("addr add 10.0.0.1/32 dev lo");
    turns_after(watch, LINK_SETTLE_MS + 10);
    ip("addr add 10.0.0.2/32 dev lo");
    turns_after(watch, LINK_SETTLE_MS + 10);
    assert_int_equal(watch->told, 1);
}

/* --- without rtnetlink --- */

static struct addr addr_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(&addr, text, 853), 0);
    return addr;
}

static struct link_route way_of(const char *from, const char *to, const char *interface, uint32_t mark)
{
    struct addr local, peer = addr_of(to);
    struct link_route route;
    if (from)
        local = addr_of(from);
    memset(&route, 0xff, sizeof(route));
    link_find_route(&route, &(struct link_flow){
                                .local = from ? &local : NULL, .peer = &peer, .interface = interface, .mark = mark});
    return route;
}

static struct link_route way(const char *from, const char *to)
{
    return way_of(from, to, NULL, 0);
}

/* The process gets no further descriptor, so the kernel cannot look up routes. */
static struct rlimit forbid_descriptors(void)
{
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = STDERR_FILENO + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

static void failed_route_lookup_changes_nothing(void **state)
{
    (void)state;
    struct link_route before = way("127.0.0.1", "127.0.0.1");
    struct rlimit limit = forbid_descriptors();
    struct link_route now = way("127.0.0.1", "127.0.0.1");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(before.reach, LINK_WAY);
    assert_int_equal(now.reach, LINK_UNKNOWN);
    assert_false(link_route_changed(&before, &now));
    assert_false(link_route_changed(&now, &before));
    assert_false(link_route_changed(&now, &now));
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void unmonitored_network_is_one_debug_line(void **state)
{
    (void)state;
    int ends[2], standard_error = dup(STDERR_FILENO);
    char said[2000] = "";
    struct loop loop;
    struct link link;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    struct rlimit limit = forbid_descriptors();
    link_open(&link, &loop, NULL);
    log_set_level(LOG_LEVEL_DEBUG);
    link_open(&link, &loop, NULL);
    log_set_level(LOG_LEVEL_INFO);
    setrlimit(RLIMIT_NOFILE, &limit);
    dup2(standard_error, STDERR_FILENO);
    assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
    assert_int_equal(count_lines(said), 1);
    assert_non_null(strstr(said, "debug link: "));
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    link_close(&link);
    loop_fini(&loop);
    close(ends[0]);
    close(ends[1]);
    close(standard_error);
}

/* --- routes --- */

static void loopback_is_a_route(void **state)
{
    (void)state;
    assert_int_equal(way("127.0.0.1", "127.0.0.1").reach, LINK_WAY);
    assert_int_equal(way(NULL, "127.0.0.1").reach, LINK_WAY);
    assert_true(way("127.0.0.1", "127.0.0.1").interface > 0);
}

static void foreign_address_has_no_route(void **state)
{
    (void)state;
    assert_int_equal(way("192.0.2.1", "127.0.0.1").reach, LINK_NO_WAY);
    assert_int_equal(way("2001:db8::1", "127.0.0.1").reach, LINK_NO_WAY);
}

/* The kernel makes an interface's routes usable some time after it came up, and sends no event when IPv6 is ready:
 * polls until it is. */
static void wait_for_carriers(void)
{
    static const char *const ways[][2] = {{"10.1.0.2", "10.1.0.1"},       {"10.2.0.2", "10.2.0.1"},
                                          {"fd01::2", "fd01::1"},         {"fd02::2", "fd02::1"},
                                          {"fe80::2%one", "fe80::1%one"}, {NULL, "fe80::1%two"}};
    for (unsigned i = 0, tries = 0; i < sizeof(ways) / sizeof(ways[0]); tries++) {
        assert_true(tries < 5000);
        if (way(ways[i][0], ways[i][1]).reach == LINK_WAY)
            i++;
        else
            poll(NULL, 0, 1);
    }
}

/* Two uplinks, `one` being preferred, and a rule for packets from 10.3.0.2. */
static int set_up_world(void **state)
{
    static const char *const world[] = {
        "link add one type veth peer name one-end",
        "link add two type veth peer name two-end",
        "link set one up",
        "link set one-end up",
        "link set two up",
        "link set two-end up",
        "addr add 10.1.0.2/24 dev one",
        "addr add 10.2.0.2/24 dev two",
        "addr add 10.3.0.2/24 dev two",
        "-6 addr add fd01::2/64 dev one nodad",
        "-6 addr add fd02::2/64 dev two nodad",
        "-6 addr add fe80::2/64 dev one nodad",
        "route add default via 10.1.0.1 metric 10",
        "route add default via 10.2.0.1 metric 20",
        "-6 route add default via fd01::1 metric 10",
        "-6 route add default via fd02::1 metric 20",
        "rule add from 10.3.0.2 table 7",
        "route add default via 10.3.0.1 table 7",
    };
    (void)state;
    set_up_loopback();
    for (unsigned i = 0; i < sizeof(world) / sizeof(world[0]); i++)
        ip(world[i]);
    wait_for_carriers();
    return 0;
}

static bool changes(const char *from, const char *to, const char *arguments)
{
    struct link_route before = way(from, to);
    assert_int_equal(before.reach, LINK_WAY);
    ip(arguments);
    struct link_route now = way(from, to);
    assert_true(link_route_changed(&before, &now) == link_route_changed(&now, &before));
    return link_route_changed(&before, &now);
}

static void route_ends_with_its_local_address(void **state)
{
    (void)state;
    assert_true(changes("10.1.0.2", "8.8.8.8", "addr del 10.1.0.2/24 dev one"));
    assert_int_equal(way("10.1.0.2", "8.8.8.8").reach, LINK_NO_WAY);
    assert_true(changes("fd01::2", "2001:db8::1", "-6 addr del fd01::2/64 dev one"));
    assert_int_equal(way("fd01::2", "2001:db8::1").reach, LINK_NO_WAY);
    assert_int_equal(way(NULL, "2001:db8::1").reach, LINK_WAY); /* by the other uplink */
}

static void address_is_lost_even_if_foreign_ones_may_be_bound(void **state)
{
    (void)state;
    write_file("/proc/sys/net/ipv4/ip_nonlocal_bind", "1");
    write_file("/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
    assert_int_equal(way("10.1.0.9", "8.8.8.8").reach, LINK_NO_WAY);
    assert_int_equal(way("fd01::9", "2001:db8::1").reach, LINK_NO_WAY);
}

static void route_changes_with_its_gateway(void **state)
{
    (void)state;
    assert_true(changes("10.1.0.2", "8.8.8.8", "route replace default via 10.1.0.3 metric 10"));
    assert_true(changes("fd01::2", "2001:db8::1", "-6 route replace default via fd01::3 metric 10"));
    assert_true(changes("10.1.0.2", "10.1.0.7", "route add 10.1.0.7 via 10.1.0.3"));
    assert_true(changes("10.1.0.2", "8.8.8.8", "route add 8.8.8.0/24 via inet6 fe80::3 dev one"));
    assert_true(changes("10.1.0.2", "8.8.8.8", "route add 8.8.8.8 via inet6 fe80::4 dev one"));
}

static void route_changes_with_its_interface(void **state)
{
    (void)state;
    assert_true(changes("10.1.0.2", "8.8.8.8", "route add default via 10.2.0.1 metric 5"));
    assert_true(changes("fd01::2", "2001:db8::1", "-6 route add default via fd02::1 metric 5"));
    ip("route add 10.9.0.0/24 dev one");
    assert_true(changes("10.1.0.2", "10.9.0.7", "route add 10.9.0.7 dev two")); /* both are neighbours */
    assert_true(changes("10.1.0.2", "10.1.0.7", "link set one down"));
}

static void route_disappears_and_returns(void **state)
{
    (void)state;
    assert_true(changes("10.3.0.2", "8.8.8.8", "route add unreachable 8.8.8.8 table 7"));
    assert_int_equal(way("10.3.0.2", "8.8.8.8").reach, LINK_NO_WAY);
    struct link_route before = way("10.3.0.2", "8.8.8.8");
    ip("route replace blackhole 8.8.8.8 table 7");
    struct link_route still = way("10.3.0.2", "8.8.8.8");
    assert_false(link_route_changed(&before, &still));
    ip("route del blackhole 8.8.8.8 table 7");
    struct link_route now = way("10.3.0.2", "8.8.8.8");
    assert_int_equal(now.reach, LINK_WAY);
    assert_true(link_route_changed(&before, &now));
    assert_true(changes("fd01::2", "2001:db8::1", "-6 route add unreachable 2001:db8::/32"));
    assert_int_equal(way("fd01::2", "2001:db8::1").reach, LINK_NO_WAY);
}

static void marked_packets_have_a_route_of_their_own(void **state)
{
    (void)state;
    ip("rule add fwmark 9 table 9");
    ip("-6 rule add fwmark 9 table 9");
    ip("route add 8.8.8.8 via 10.2.0.1 table 9");
    ip("-6 route add 2001:db8::/32 via fd02::1 table 9");
    const char *const ways[][2] = {{"10.1.0.2", "8.8.8.8"}, {"fd01::2", "2001:db8::1"}};
    for (unsigned i = 0; i < 2; i++) {
        struct link_route marked = way_of(ways[i][0], ways[i][1], NULL, 9), other = way(ways[i][0], ways[i][1]);
        assert_int_equal(marked.interface, if_nametoindex("two"));
        assert_int_equal(other.interface, if_nametoindex("one"));
    }
}

static void bound_packets_have_the_route_of_their_interface(void **state)
{
    (void)state;
    static const char *const ways[][2] = {{NULL, "8.8.8.8"}, {"10.1.0.2", "8.8.8.8"}, {"10.2.0.2", "8.8.8.8"},
                                          {NULL, "fd03::1"}, {"fd01::2", "fd03::1"},  {"fd02::2", "fd03::1"}};
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct link_route before = way_of(ways[i][0], ways[i][1], "two", 0);
        assert_int_equal(before.reach, LINK_WAY);
        assert_int_equal(before.interface, if_nametoindex("two"));
    }
    struct link_route before = way_of("10.2.0.2", "8.8.8.8", "two", 0);
    ip("route replace default via 10.1.0.3 metric 10");
    struct link_route still = way_of("10.2.0.2", "8.8.8.8", "two", 0);
    assert_false(link_route_changed(&before, &still));
    ip("route replace default via 10.2.0.3 metric 20");
    struct link_route now = way_of("10.2.0.2", "8.8.8.8", "two", 0);
    assert_true(link_route_changed(&before, &now));
    assert_int_equal(way_of("10.2.0.2", "8.8.8.8", "gone", 0).reach, LINK_NO_WAY);
    assert_int_equal(way_of("10.7.0.2", "8.8.8.8", "two", 0).reach, LINK_NO_WAY);
}

static void unknown_route_changes_when_there_is_none(void **state)
{
    (void)state;
    struct link_route unknown = {.reach = LINK_UNKNOWN}, none = {.reach = LINK_NO_WAY};
    assert_true(link_route_changed(&unknown, &none));
    assert_false(link_route_changed(&none, &unknown));
}

static void unrelated_links_and_addresses_change_no_route(void **state)
{
    (void)state;
    static const char *const others[] = {
        "link add docker type veth peer name container",
        "link set docker up",
        "addr add 172.17.0.1/16 dev docker",
        "route add 172.18.0.0/16 via 172.17.0.9",
        "-6 addr add fd09::1/64 dev docker nodad",
        "link del docker",
        "addr add 10.1.0.99/24 dev one",
        "addr del 10.1.0.99/24 dev one",
        "link set two mtu 1400",
    };
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct link_route six = way("fd01::2", "2001:db8::1");
        if (changes("10.1.0.2", "8.8.8.8", others[i]))
            fail_msg("changed by: ip %s", others[i]);
        struct link_route now = way("fd01::2", "2001:db8::1");
        assert_false(link_route_changed(&six, &now));
    }
}

/* Of two equal addresses the kernel uses the newer one for new connections. */
static void newer_preferred_address_changes_no_route(void **state)
{
    (void)state;
    assert_false(changes("fd01::2", "2001:db8::1", "-6 addr add fd01::99/64 dev one nodad"));
    assert_int_equal(system("ip -6 route get 2001:db8::1 | grep -q 'src fd01::99'"), 0);
}

static void route_follows_the_rule_of_its_source(void **state)
{
    (void)state;
    assert_false(changes("10.3.0.2", "8.8.8.8", "route add default via 10.1.0.3 metric 1"));
    assert_true(changes("10.3.0.2", "8.8.8.8", "rule del from 10.3.0.2 table 7"));
}

static void link_local_route_is_that_of_its_zone(void **state)
{
    (void)state;
    assert_int_equal(way("fe80::2%one", "fe80::1%one").reach, LINK_WAY);
    assert_int_equal(way("fe80::2%two", "fe80::1%two").reach, LINK_NO_WAY);
    assert_int_not_equal(way(NULL, "fe80::1%one").interface, way(NULL, "fe80::1%two").interface);
}

int main(void)
{
    static const struct CMUnitTest always[] = {
        cmocka_unit_test(loopback_is_a_route),
        cmocka_unit_test(foreign_address_has_no_route),
        cmocka_unit_test(failed_route_lookup_changes_nothing),
        cmocka_unit_test(unmonitored_network_is_one_debug_line),
        cmocka_unit_test(unknown_route_changes_when_there_is_none),
    };
#define WATCHING(test) cmocka_unit_test_setup_teardown(test, start_watching, stop_watching)
#define IN_WORLD(test) cmocka_unit_test_setup(test, set_up_world)
    static const struct CMUnitTest in_namespaces[] = {
        WATCHING(burst_is_reported_once_when_it_has_settled),
        WATCHING(quiet_network_reports_nothing),
        WATCHING(every_kind_of_change_is_reported),
        WATCHING(storm_does_not_wake_the_loop_while_it_settles),
        WATCHING(change_during_a_report_is_reported_again),
        WATCHING(full_buffer_is_an_event_and_the_watch_continues),
        WATCHING(nothing_is_reported_once_closed),
        WATCHING(callback_may_close),
        IN_WORLD(route_ends_with_its_local_address),
        IN_WORLD(address_is_lost_even_if_foreign_ones_may_be_bound),
        IN_WORLD(route_changes_with_its_gateway),
        IN_WORLD(route_changes_with_its_interface),
        IN_WORLD(route_disappears_and_returns),
        IN_WORLD(marked_packets_have_a_route_of_their_own),
        IN_WORLD(bound_packets_have_the_route_of_their_interface),
        IN_WORLD(unrelated_links_and_addresses_change_no_route),
        IN_WORLD(newer_preferred_address_changes_no_route),
        IN_WORLD(route_follows_the_rule_of_its_source),
        IN_WORLD(link_local_route_is_that_of_its_zone),
    };
    int failed = cmocka_run_group_tests_name("always", always, NULL, NULL);
    if (may_have_namespaces())
        failed += cmocka_run_group_tests_name("in namespaces", in_namespaces, NULL, NULL);
    return failed;
}
