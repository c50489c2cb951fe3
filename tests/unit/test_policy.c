/* SPDX-License-Identifier: MIT */
/* Which server gets a query with each upstream-policy. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "fake_net.h"
#include "upstream/group.h"
#include "upstream/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NAMES   90
#define SERVERS 3

static struct config *config;
static struct group *group;
static struct fake_ask asked[NAMES];
static unsigned delay_ms[SERVERS + 1];

static void begin(enum config_policy policy, unsigned entries, unsigned addresses)
{
    config = fake_config(entries, addresses);
    config->upstream_policy = policy;
    group = fake_group(config);
}

static int setup(void **state)
{
    static const uint8_t key[16] = "sixteen bytes 16";
    (void)state;
    hash_init_fixed(key);
    spread_init("/nonexistent");
    fake_begin();
    memset(asked, 0, sizeof asked);
    memset(delay_ms, 0, sizeof delay_ms);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_group_end(group);
    fake_end();
    return 0;
}

static unsigned last_byte(const struct addr *addr)
{
    return ntohl(addr->in.sin_addr.s_addr) & 0xff;
}

static unsigned server_of(const struct fake_ask *one)
{
    return last_byte(&one->attempt.server->addr);
}

static void ask(struct fake_ask *one, unsigned name)
{
    char text[32];
    snprintf(text, sizeof text, "n%u.example", name);
    memset(one, 0, sizeof *one);
    fake_ask(group, one, text);
}

/* Sends a query for each name; counts the names by the server that got them. */
static void ask_all(unsigned count[SERVERS + 1])
{
    memset(count, 0, (SERVERS + 1) * sizeof *count);
    for (unsigned i = 0; i < NAMES; i++)
        ask(&asked[i], i);
    fake_pass(300);
    for (unsigned i = 0; i < NAMES; i++) {
        assert_int_equal(asked[i].answered, 1);
        count[server_of(&asked[i])]++;
    }
}

static struct server *server_at(unsigned byte)
{
    for (size_t i = 0; i < group->server_count; i++)
        if (last_byte(&group->servers[i]->addr) == byte)
            return group->servers[i];
    fail();
    return NULL;
}

/* All sessions to a server end, and dials have this outcome from now on. */
static void change(unsigned byte, enum fake_dial dial)
{
    fake.dial[byte] = dial;
    for (unsigned i = 0; i < fake_dials(); i++)
        if (last_byte(&fake_conn(i)->to) == byte && fake_conn(i)->stream)
            fake_kill(fake_conn(i), -ECONNRESET);
    fake_turn();
}

/* --- spread --- */

static void each_upstream_gets_its_share_of_the_names(void **state)
{
    unsigned count[SERVERS + 1];
    (void)state;
    begin(POLICY_SPREAD, SERVERS, 1);
    fake.serve = fake_serve_all;
    ask_all(count);
    for (unsigned server = 1; server <= SERVERS; server++)
        assert_in_range(count[server], NAMES / SERVERS / 2, NAMES / SERVERS * 2);
    assert_int_equal(fake_dials(), SERVERS);
}

static void a_name_stays_with_its_upstream(void **state)
{
    unsigned first[NAMES], count[SERVERS + 1];
    (void)state;
    begin(POLICY_SPREAD, SERVERS, 1);
    fake.serve = fake_serve_all;
    ask_all(count);
    for (unsigned i = 0; i < NAMES; i++)
        first[i] = server_of(&asked[i]);
    for (unsigned round = 0; round < 3; round++) {
        fake_pass(40000); /* sessions end idle meanwhile */
        ask_all(count);
        for (unsigned i = 0; i < NAMES; i++)
            assert_int_equal(server_of(&asked[i]), first[i]);
    }
}

static void the_types_of_a_name_go_to_one_upstream(void **state)
{
    (void)state;
    begin(POLICY_SPREAD, SERVERS, 1);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < 20; i++) {
        ask(&asked[0], i);
        fake_turn();
        memset(&asked[1], 0, sizeof asked[1]);
        asked[1].key = asked[0].key;
        asked[1].key.type = TYPE_AAAA;
        asked[1].attempt.key = &asked[1].key;
        asked[1].attempt.done = asked[0].attempt.done;
        attempt_send(group, &asked[1].attempt);
        fake_turn();
        assert_ptr_equal(asked[1].attempt.server, asked[0].attempt.server);
    }
}

static void addresses_of_an_upstream_share_its_names(void **state)
{
    unsigned count[SERVERS + 1] = {0};
    (void)state;
    begin(POLICY_SPREAD, 2, 2);
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < NAMES; i++) {
        ask(&asked[i], i);
        fake_turn();
        count[asked[i].attempt.server->entry - config->upstreams]++;
    }
    assert_in_range(count[0], NAMES / 4, NAMES * 3 / 4);
    assert_int_equal(fake_dials(), 2); /* one address of each does */
}

static void names_of_a_failed_upstream_go_to_all_others_and_come_back(void **state)
{
    unsigned first[NAMES], count[SERVERS + 1], moved[SERVERS + 1] = {0};
    (void)state;
    begin(POLICY_SPREAD, SERVERS, 1);
    fake.serve = fake_serve_all;
    ask_all(count);
    for (unsigned i = 0; i < NAMES; i++)
        first[i] = server_of(&asked[i]);
    change(2, FAKE_REFUSES);
    ask_all(count);
    assert_int_equal(count[2], 0);
    for (unsigned i = 0; i < NAMES; i++) {
        if (first[i] == 2)
            moved[server_of(&asked[i])]++;
        else
            assert_int_equal(server_of(&asked[i]), first[i]);
    }
    assert_true(moved[1] > 3 && moved[3] > 3);
    change(2, FAKE_ACCEPTS);
    fake_pass(BACKOFF_MAX);
    ask_all(count); /* the first of them dials */
    ask_all(count);
    for (unsigned i = 0; i < NAMES; i++)
        assert_int_equal(server_of(&asked[i]), first[i]);
}

static void a_dial_that_hangs_delays_its_names_once(void **state)
{
    unsigned count[SERVERS + 1];
    (void)state;
    begin(POLICY_SPREAD, SERVERS, 1);
    fake.serve = fake_serve_all;
    fake.dial[3] = FAKE_HANGS;
    ask_all(count);
    assert_int_equal(count[3], 0);
    for (unsigned i = 0; i < NAMES; i++)
        assert_true(asked[i].ended_ms <= asked[i].attempt.asked_ms + DIAL_STAGGER + 10);
    for (unsigned i = 0; i < NAMES; i++) {
        ask(&asked[i], i);
        fake_turn();
        assert_int_equal(asked[i].answered, 1);
    }
}

static void backups_get_no_share(void **state)
{
    unsigned count[SERVERS + 1];
    (void)state;
    begin(POLICY_SPREAD, SERVERS, 1);
    config->upstreams[1].role = ROLE_BACKUP;
    fake.serve = fake_serve_all;
    ask_all(count);
    assert_int_equal(count[2], 0);
    change(1, FAKE_REFUSES);
    change(3, FAKE_REFUSES);
    fake_pass(50);
    ask_all(count);
    assert_int_equal(count[2], NAMES);
}

static void failover_gives_all_to_one(void **state)
{
    unsigned count[SERVERS + 1];
    (void)state;
    begin(POLICY_FAILOVER, SERVERS, 1);
    fake.serve = fake_serve_all;
    ask_all(count);
    assert_int_equal(count[1], NAMES);
    assert_int_equal(fake_dials(), 1);
}

/* The weights depend on the machine id, and on nothing of the process. */
static void the_key_is_the_machines(void **state)
{
    static const uint8_t other[16] = "another key of16";
    char path[] = "/tmp/test-machine-id-XXXXXX";
    uint64_t random[2], hash[3];
    (void)state;
    begin(POLICY_SPREAD, 1, 1); /* for teardown */
    random[0] = spread_hash("a", 1);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef\n", 33), 33);
    spread_init(path);
    hash[0] = spread_hash("a", 1);
    hash_init_fixed(other);
    spread_init(path);
    hash[1] = spread_hash("a", 1);
    assert_int_equal(pwrite(fd, "1", 1, 0), 1);
    spread_init(path);
    hash[2] = spread_hash("a", 1);
    assert_true(hash[0] == hash[1] && hash[0] != hash[2] && hash[0] != random[0]);
    assert_int_equal(pwrite(fd, "uninitialized\n", 14, 0), 14);
    spread_init(path);
    random[1] = spread_hash("a", 1);
    assert_int_equal(ftruncate(fd, 0), 0);
    spread_init(path);
    assert_true(spread_hash("a", 1) == random[1] && random[0] != random[1]);
    close(fd);
    unlink(path);
}

/* --- fastest --- */

/* Each server has its response time; fake_net has none of its own. */
static void ask_with_delay(struct fake_ask *one, unsigned name)
{
    ask(one, name);
    fake_turn();
    for (unsigned i = 0; i < fake_dials(); i++) {
        struct fake_conn *conn = fake_conn(i);
        struct fake_frame *frame = conn->stream ? fake_take(conn) : NULL;
        if (!frame)
            continue;
        fake_pass(delay_ms[last_byte(&conn->to)]);
        fake_reply(conn, frame, NULL);
        free(frame);
    }
    fake_turn();
    assert_int_equal(one->answered, 1);
}

static void fastest_measures_all_and_keeps_to_the_best(void **state)
{
    unsigned count[SERVERS + 1] = {0};
    (void)state;
    begin(POLICY_FASTEST, SERVERS, 1);
    delay_ms[1] = 50, delay_ms[2] = 20, delay_ms[3] = 80;
    for (unsigned i = 0; i < 10; i++)
        ask_with_delay(&asked[0], i);
    for (unsigned i = 0; i < NAMES; i++) {
        ask_with_delay(&asked[0], i);
        count[server_of(&asked[0])]++;
    }
    assert_int_equal(count[2], NAMES);
    assert_true(server_at(1)->rtt.sample_count > 0 && server_at(3)->rtt.sample_count > 0);
    delay_ms[3] = 5; /* detected within one or two MEASURE periods */
    for (unsigned i = 0; i < 2 * MEASURE / 1000; i++) {
        ask_with_delay(&asked[0], i);
        fake_pass(1000);
    }
    assert_in_range(server_at(1)->rtt.sample_count, 2, 4);
    assert_in_range(server_at(3)->rtt.sample_count, 2, 40);
}

static void fastest_leaves_backups_alone(void **state)
{
    (void)state;
    begin(POLICY_FASTEST, SERVERS, 1);
    config->upstreams[2].role = ROLE_BACKUP;
    for (unsigned i = 0; i < 10; i++)
        ask_with_delay(&asked[0], i);
    assert_int_equal(server_at(3)->rtt.sample_count, 0);
    assert_int_equal(fake_dials(), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_upstream_gets_its_share_of_the_names),
        TEST(a_name_stays_with_its_upstream),
        TEST(the_types_of_a_name_go_to_one_upstream),
        TEST(addresses_of_an_upstream_share_its_names),
        TEST(names_of_a_failed_upstream_go_to_all_others_and_come_back),
        TEST(a_dial_that_hangs_delays_its_names_once),
        TEST(backups_get_no_share),
        TEST(failover_gives_all_to_one),
        TEST(the_key_is_the_machines),
        TEST(fastest_measures_all_and_keeps_to_the_best),
        TEST(fastest_leaves_backups_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
