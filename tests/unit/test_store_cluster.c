/* SPDX-License-Identifier: MIT */
/* A cluster whose nodes tell the truth, change, and lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/clock.h"
#include "dns/codes.h"
#include "store/slotmap.h"
#include "store_run.h"

static const uint8_t definition[DIGEST_LEN];

/* A key whose number is in its name. */
static struct key key_of(unsigned number)
{
    struct key key = {.type = 1, .class = 1, .name_len = 8, .name = "\1a\4test"};
    key.name[1] = (uint8_t)('a' + number);
    return key;
}

/* --- replies --- */

static char map_text[16384];

static void __attribute__((format(printf, 1, 2))) add(const char *format, ...)
{
    size_t len = strlen(map_text);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(map_text + len, sizeof map_text - len, format, arguments);
    va_end(arguments);
    assert_in_range(more, 1, (int)(sizeof map_text - len) - 1);
}

static void add_shard(unsigned from, unsigned to, const char *host, unsigned port)
{
    add("*4\r\n$5\r\nslots\r\n");
    if (from <= to)
        add("*2\r\n:%u\r\n:%u\r\n", from, to);
    else
        add("*0\r\n");
    add("$5\r\nnodes\r\n*1\r\n*8\r\n$4\r\nport\r\n:%u\r\n$8\r\nendpoint\r\n$%zu\r\n%s\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
        "$6\r\nhealth\r\n$6\r\nonline\r\n",
        port, strlen(host), host);
}

/* Of `count` shards on ports 7001 and on. */
static const char *even_map(unsigned count)
{
    map_text[0] = '\0';
    add("*%u\r\n", count);
    for (unsigned i = 0; i < count; i++)
        add_shard(SLOTS * i / count, SLOTS * (i + 1) / count - 1, "127.0.0.1", 7001 + i);
    return map_text;
}

/* --- nodes --- */

static struct node *node(unsigned port)
{
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1@%u", port);
    return fake_node_at(text);
}

static struct fake_command *open_command(const char *verb, const char *second)
{
    for (unsigned i = fake_sent_count; i-- > 0;)
        if (fake_sent[i].command && !fake_sent[i].answered && fake_has(&fake_sent[i], 0, verb) &&
            (!second || fake_has(&fake_sent[i], 1, second)))
            return &fake_sent[i];
    return NULL;
}

static unsigned count_of(const char *verb, const char *second)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fake_sent_count; i++)
        count += fake_has(&fake_sent[i], 0, verb) && (!second || fake_has(&fake_sent[i], 1, second));
    return count;
}

/* Answers everything that is about flushes. */
static void settle(void)
{
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < fake_sent_count; i++)
            if (fake_sent[i].command &&
                (fake_has(&fake_sent[i], 0, "ZRANGE") || fake_has(&fake_sent[i], 0, "SUBSCRIBE")))
                fake_reply(&fake_sent[i], "*0\r\n");
        run_pass(1);
    }
}

static void connect_all(void)
{
    for (unsigned i = 0; fake_node(i); i++)
        if (fake_node(i)->state == NODE_CONNECTING)
            fake_node_connect(fake_node(i));
    settle();
}

static void tell_map(const char *map)
{
    struct fake_command *to = open_command("CLUSTER", NULL);
    assert_non_null(to);
    fake_reply(to, map);
    run_pass(2);
    connect_all();
}

/* One contact on port 7001, which names `count` masters. */
static void follow(unsigned count)
{
    run_start(STORE_CLUSTER, 1, 7001);
    connect_all();
    tell_map(even_map(count));
}

static struct store_get *get(unsigned number, struct key *key)
{
    *key = key_of(number);
    struct store_name name = {0};
    return store_get(run_store, &(struct store_entry){.definition = definition, .key = key, .name = &name}, 0, 0, NULL);
}

/* The latest GET, whose slot is in its key. */
static struct fake_command *asked(unsigned *slot)
{
    struct fake_command *command = open_command("GET", NULL);
    assert_non_null(command);
    *slot = slot_of((struct bytes){command->argument[1], command->len[1]});
    return command;
}

/* --- the truth --- */

static void slots_have_their_servers(void **state)
{
    (void)state;
    struct key key;
    unsigned slot, used[3] = {0};
    follow(3);
    assert_int_equal(run_store->place_count, 3);
    for (unsigned i = 0; i < 20; i++) {
        struct store_get *one = get(i, &key);
        assert_non_null(one);
        struct fake_command *command = asked(&slot);
        unsigned share = slot * 3 / SLOTS;
        used[share]++;
        assert_ptr_equal(command->node, node(7001 + share));
        store_forget(one);
        command->answered = true;
    }
    assert_true(used[0] > 0 && used[1] > 0 && used[2] > 0);
    run_pass(5000);
    assert_int_equal(count_of("CLUSTER", NULL), 1); /* nothing has changed */
    assert_int_equal(run_counted(COUNTER_store_maps), 1);
}

static void an_older_server_has_ranges(void **state)
{
    (void)state;
    run_start(STORE_CLUSTER, 1, 7001);
    connect_all();
    fake_reply(open_command("CLUSTER", "SHARDS"),
               "-ERR Unknown subcommand or wrong number of arguments for 'SHARDS'\r\n");
    fake_reply(
        open_command("CLUSTER", "SLOTS"),
        "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$9\r\n127.0.0.1\r\n:7001\r\n*3\r\n:8192\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:7002\r\n");
    run_pass(2);
    connect_all();
    assert_int_equal(run_store->place_count, 2);
    assert_true(node_is_ready(node(7002)));
}

static void before_a_map_nothing_waits(void **state)
{
    (void)state;
    struct key key;
    run_start(STORE_CLUSTER, 2, 7001);
    assert_null(get(0, &key));
    connect_all();
    assert_null(get(0, &key));
    assert_int_equal(run_counted(COUNTER_store_left_alone), 2);
}

static void a_lost_server_loses_its_share(void **state)
{
    (void)state;
    struct key key;
    unsigned slot, refused = 0, fine = 0;
    follow(3);
    run_pass(2000);
    fake_node_lose(node(7002));
    for (unsigned i = 0; i < 20; i++) {
        struct store_get *one = get(i, &key);
        if (!one) {
            refused++;
            continue;
        }
        fine++;
        struct fake_command *command = asked(&slot);
        assert_int_not_equal(slot * 3 / SLOTS, 1);
        command->answered = true;
        store_forget(one);
    }
    assert_true(refused > 0 && fine > 0);
    run_pass(2);
    assert_int_equal(count_of("CLUSTER", NULL), 2); /* perhaps another one has its slots */
    map_text[0] = '\0';
    add("*3\r\n");
    add_shard(0, 5460, "127.0.0.1", 7001);
    add_shard(5461, 10921, "127.0.0.1", 7004);
    add_shard(10922, 16383, "127.0.0.1", 7003);
    tell_map(map_text);
    assert_int_equal(run_counted(COUNTER_store_failovers), 1);
    assert_null(node(7002));
    assert_true(node_is_ready(node(7004)));
}

/* Each GET goes to the owner of its slot: `first` and on, of `count` masters with even shares. */
static void check_owners(const unsigned *ports, unsigned count)
{
    unsigned slot, seen = 0;
    struct key key;
    for (unsigned i = 0; i < 20; i++) {
        struct store_get *one = get(i, &key);
        assert_non_null(one);
        struct fake_command *command = asked(&slot);
        assert_ptr_equal(command->node, node(ports[slot * count / SLOTS]));
        seen |= 1u << slot * count / SLOTS;
        command->answered = true;
        store_forget(one);
    }
    assert_int_equal(seen, (1u << count) - 1);
}

/* Servers come and go, and with them their places. */
static void servers_change(void **state)
{
    (void)state;
    static const unsigned sets[][4] = {{7001, 7002, 7003, 7004},
                                       {7001, 7003, 7004},
                                       {7004, 7001},
                                       {7002, 7003, 7005, 7006},
                                       {7006, 7002},
                                       {7001, 7002, 7003, 7004},
                                       {7003}};
    run_start(STORE_CLUSTER, 1, 7001);
    connect_all();
    for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++) {
        unsigned count = 0;
        while (count < 4 && sets[i][count])
            count++;
        map_text[0] = '\0';
        add("*%u\r\n", count);
        for (unsigned m = 0; m < count; m++)
            add_shard((SLOTS * m + count - 1) / count, (SLOTS * (m + 1) + count - 1) / count - 1, "127.0.0.1",
                      sets[i][m]);
        tell_map(map_text);
        check_owners(sets[i], count);
        assert_int_equal(run_store->place_count, count + (node(7001)->held ? 1 : 0));
        fake_nodes_forget_answered();
        run_pass(1100);
        fake_node_lose(node(sets[i][0])); /* a reason for another map */
        run_pass(200);
        connect_all();
    }
    assert_true(run_counted(COUNTER_store_failovers) > 0);
}

static void maps_are_asked_for_once_a_second(void **state)
{
    (void)state;
    struct key key;
    follow(3);
    run_pass(2000);
    fake_node_lose(node(7001));
    for (unsigned i = 0; i < 5000; i++) {
        (void)!get(i % 20, &key);
        struct fake_command *map = open_command("CLUSTER", NULL);
        if (map)
            fake_reply(map, even_map(3));
        for (struct fake_command *one; (one = open_command("GET", NULL));)
            fake_reply_type(one, RESP_ERROR);
        if (i % 20 == 0)
            fake_nodes_forget_answered();
        run_pass(1);
    }
    assert_in_range(run_counted(COUNTER_store_maps), 4, 8);
}

static void contacts_that_are_not_named_rest(void **state)
{
    (void)state;
    run_start(STORE_CLUSTER, 2, 7008);
    connect_all();
    tell_map(even_map(2));
    run_pass(5);
    assert_true(node(7008)->held && node(7009)->held);
    static struct store_server_report reports[STORE_SERVERS_MAX];
    assert_int_equal(store_report(run_store, reports, STORE_SERVERS_MAX), 4);
    assert_string_equal(reports[0].role, "contact");
    assert_string_equal(reports[0].state, "unused");
    assert_false(reports[0].serves);
    assert_string_equal(reports[2].role, "master");
    assert_true(reports[2].serves);
    fake_node_lose(node(7001));
    fake_node_lose(node(7002));
    run_pass(1100);
    assert_false(node(7008)->held); /* there is no other one to ask */
    assert_int_equal(node(7008)->state, NODE_CONNECTING);
}

/* --- the nearest server --- */

/* Masters at 7001 and 7002, of which the first one has the replicas 7003 and 7004; 7002 is also told as a replica. */
static const char *map_with_replicas(void)
{
    static const unsigned ports[][4] = {{7001, 7003, 7004, 7002}, {7002}};
    map_text[0] = '\0';
    add("*2\r\n");
    for (unsigned i = 0; i < 2; i++) {
        unsigned count = i == 0 ? 4 : 1;
        add("*4\r\n$5\r\nslots\r\n*2\r\n:%u\r\n:%u\r\n$5\r\nnodes\r\n*%u\r\n", i * SLOTS / 2, (i + 1) * SLOTS / 2 - 1,
            count);
        for (unsigned n = 0; n < count; n++) {
            const char *role = n == 0 ? "master" : "replica";
            add("*6\r\n$4\r\nport\r\n:%u\r\n$8\r\nendpoint\r\n$9\r\n127.0.0.1\r\n$4\r\nrole\r\n$%zu\r\n%s\r\n",
                ports[i][n], strlen(role), role);
        }
    }
    return map_text;
}

static void reply_all(const char *verb, const char *reply)
{
    for (unsigned i = 0; i < fake_sent_count; i++)
        if (fake_sent[i].command && fake_has(&fake_sent[i], 0, verb))
            fake_reply(&fake_sent[i], reply);
}

/* Connects all, each of which is told READONLY. */
static void connect_readers(void)
{
    for (unsigned i = 0; fake_node(i); i++)
        if (fake_node(i)->state == NODE_CONNECTING)
            fake_node_connect(fake_node(i));
    reply_all("READONLY", "+OK\r\n");
    settle();
}

/* The server that is asked for a key of the first master. */
static struct node *read_at(void)
{
    for (unsigned i = 0; i < 20; i++) {
        struct key key;
        unsigned slot;
        struct store_get *one = get(i, &key);
        struct fake_command *command = asked(&slot);
        command->answered = true;
        store_forget(one);
        if (slot < SLOTS / 2)
            return command->node;
    }
    fail();
    return NULL;
}

static void measure(uint64_t master_us, uint64_t first_us, uint64_t second_us)
{
    run_pass(5001);
    node(7001)->rtt_us = master_us;
    node(7003)->rtt_us = first_us;
    node(7004)->rtt_us = second_us;
    for (unsigned i = 0; i < fake_sent_count; i++)
        if (fake_has(&fake_sent[i], 0, "PING") && fake_sent[i].command) {
            fake_sent[i].command->sent_us = clock_us() - (fake_sent[i].node == node(7003)   ? first_us
                                                          : fake_sent[i].node == node(7004) ? second_us
                                                                                            : master_us);
            fake_reply(&fake_sent[i], "+PONG\r\n");
        }
    fake_nodes_forget_answered();
}

static void begin_nearest(void)
{
    struct store_setup *setup = run_setup(STORE_CLUSTER, 1, 7001);
    setup->nearest = true;
    run_start_with(setup);
    connect_readers();
    fake_reply(open_command("CLUSTER", NULL), map_with_replicas());
    run_pass(2);
    connect_readers();
    assert_int_equal(run_store->place_count, 4);
    assert_true(node_is_ready(node(7003)) && node_is_ready(node(7004)));
}

static void values_are_read_from_the_nearest(void **state)
{
    (void)state;
    struct key key;
    unsigned slot;
    begin_nearest();
    assert_ptr_equal(read_at(), node(7001)); /* nothing is measured yet */
    measure(10000, 5000, 1000);
    assert_ptr_equal(read_at(), node(7004));
    measure(10000, 900, 1000);
    assert_ptr_equal(read_at(), node(7004)); /* not worth a change */
    measure(10000, 100, 1000);
    assert_ptr_equal(read_at(), node(7003));
    struct store_get *one = get(0, &key);
    fake_reply_type(asked(&slot), RESP_NIL);
    struct fake_command *lease = open_command("SET", NULL);
    assert_ptr_equal(lease->node, node(slot < SLOTS / 2 ? 7001 : 7002));
    lease->answered = true;
    store_forget(one);
    measure(100, 5000, 5000);
    assert_ptr_equal(read_at(), node(7001));
    run_pass(5001);
    unsigned pings = count_of("PING", NULL);
    run_pass(20000);
    assert_int_equal(count_of("PING", NULL), pings); /* nobody asks */
}

static void the_master_is_read_when_a_replica_is_not_there(void **state)
{
    (void)state;
    struct key key;
    unsigned slot;
    begin_nearest();
    (void)read_at();
    measure(10000, 1000, 20000);
    assert_ptr_equal(read_at(), node(7003));
    node(7003)->health.alone_until_ms = UINT64_MAX;
    assert_ptr_equal(read_at(), node(7001));
    node(7003)->health.alone_until_ms = 0;
    assert_ptr_equal(read_at(), node(7003));
    fake_node_lose(node(7003));
    assert_ptr_equal(read_at(), node(7001));
    run_pass(5001);
    connect_readers();
    (void)read_at();
    measure(10000, 1000, 20000);
    assert_ptr_equal(read_at(), node(7003));
    for (unsigned i = 0; i < 20; i++) {
        struct store_get *one = get(i, &key);
        struct fake_command *command = asked(&slot);
        store_forget(one);
        fake_reply(command, "-MASTERDOWN Link with MASTER is down\r\n");
    }
    assert_ptr_equal(read_at(), node(7001));
}

/* It is read from again after a probe in time. */
static void a_late_replica_comes_back(void **state)
{
    (void)state;
    begin_nearest();
    (void)read_at();
    measure(10000, 1000, 20000);
    assert_ptr_equal(read_at(), node(7003));
    health_note_late(&node(7003)->health, loop_now(&run_loop), true);
    assert_ptr_equal(read_at(), node(7001));
    measure(10000, 900000, 20000); /* still late */
    assert_ptr_equal(read_at(), node(7001));
    for (unsigned i = 0; i < 20; i++) {
        measure(10000, 1000, 20000);
        (void)read_at();
    }
    assert_ptr_equal(read_at(), node(7003));
}

static void a_replica_becomes_the_master(void **state)
{
    (void)state;
    begin_nearest();
    (void)read_at();
    measure(10000, 1000, 20000);
    fake_node_lose(node(7001));
    run_pass(1100);
    map_text[0] = '\0';
    add("*2\r\n");
    add_shard(0, SLOTS / 2 - 1, "127.0.0.1", 7003);
    add_shard(SLOTS / 2, SLOTS - 1, "127.0.0.1", 7002);
    fake_reply(open_command("CLUSTER", NULL), map_text);
    run_pass(2);
    connect_readers();
    assert_ptr_equal(read_at(), node(7003));
    assert_null(node(7004));
    assert_int_equal(run_counted(COUNTER_store_failovers), 1);
}

/* --- redirections --- */

static void moved(void **state)
{
    (void)state;
    struct key key;
    unsigned slot;
    char error[64];
    follow(2);
    run_pass(2000);
    struct store_get *one = get(0, &key);
    struct fake_command *command = asked(&slot);
    struct node *from = command->node, *to = node(from == node(7001) ? 7002 : 7001);
    snprintf(error, sizeof error, "-MOVED %u %s:%u\r\n", slot, "127.0.0.1", to->server->where.port);
    fake_reply(command, error);
    command = asked(&slot);
    assert_ptr_equal(command->node, to); /* the same command */
    assert_ptr_equal(command->command->context, one);
    assert_int_equal(count_of("ASKING", NULL), 0);
    assert_int_equal(run_counted(COUNTER_store_moved), 1);
    run_pass(2);
    assert_int_equal(count_of("CLUSTER", NULL), 2);
    command->answered = true;
    store_forget(one);
    one = get(0, &key);
    assert_ptr_equal(asked(&slot)->node, to); /* from now on */
    store_forget(one);
}

static void asking(void **state)
{
    (void)state;
    struct key key;
    unsigned slot;
    char error[64];
    follow(2);
    run_pass(2000);
    struct store_get *one = get(0, &key);
    struct fake_command *command = asked(&slot);
    struct node *from = command->node, *to = node(from == node(7001) ? 7002 : 7001);
    snprintf(error, sizeof error, "-ASK %u %s:%u\r\n", slot, "127.0.0.1", to->server->where.port);
    fake_reply(command, error);
    command = asked(&slot);
    assert_ptr_equal(command->node, to);
    assert_true(fake_has(command - 1, 0, "ASKING") && (command - 1)->node == to);
    assert_int_equal(run_counted(COUNTER_store_asks), 1);
    command->answered = true;
    store_forget(one);
    one = get(0, &key);
    assert_ptr_equal(asked(&slot)->node, from); /* the slot is still there */
    store_forget(one);
    run_pass(10);
    assert_int_equal(count_of("CLUSTER", NULL), 1);
}

static void redirections_end(void **state)
{
    (void)state;
    struct key key;
    unsigned slot, hops = 0;
    char error[64];
    follow(2);
    assert_non_null(get(0, &key));
    for (struct fake_command *command; (command = open_command("GET", NULL)); hops++) {
        unsigned other = command->node == node(7001) ? 7002 : 7001;
        (void)asked(&slot);
        snprintf(error, sizeof error, "-%s %u :%u\r\n", hops % 2 ? "ASK" : "MOVED", slot, other);
        if (hops == NODE_REDIRECTS)
            store_forget(command->command->context);
        fake_reply(command, error);
        assert_in_range(hops, 0, NODE_REDIRECTS);
    }
    assert_int_equal(hops, NODE_REDIRECTS + 1);
}

/* To itself, to what is refused, to a server that is not connected, and malformed. */
static void redirections_to_nowhere(void **state)
{
    (void)state;
    static const struct {
        const char *word, *to; /* `to` NULL: the server itself */
        unsigned slots;        /* added to the slot */
    } errors[] = {{"MOVED", "127.0.0.1:22", 0}, {"ASK", "127.0.0.1:22", 0},
                  {"MOVED", "/run/x:7001", 0},  {"MOVED", "127.0.0.1:7001", SLOTS},
                  {"ASK", "127.0.0.1:7005", 0}, {"CLUSTERDOWN", "x", 0},
                  {"TRYAGAIN", "x", 0},         {"MOVED", NULL, 0}};
    follow(2);
    for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct key key;
        unsigned slot;
        char error[96], self[32];
        struct store_get *one = get(i, &key);
        struct fake_command *command = asked(&slot);
        snprintf(self, sizeof self, "127.0.0.1:%u", command->node->server->where.port);
        snprintf(error, sizeof error, "-%s %u %s\r\n", errors[i].word, slot + errors[i].slots,
                 errors[i].to ? errors[i].to : self);
        store_forget(one);
        fake_reply(command, error);
        assert_null(open_command("GET", NULL));
    }
    assert_int_equal(run_counted(COUNTER_store_nodes_refused), 3);
    assert_int_equal(node(7005)->state, NODE_CONNECTING);
}

/* --- hostile maps --- */

/* A redirection is not a map, and not a reason to wait for one. */
static void a_map_that_has_moved(void **state)
{
    (void)state;
    follow(2);
    fake_node_lose(node(7001));
    run_pass(1100);
    connect_all();
    struct fake_command *map = open_command("CLUSTER", NULL);
    assert_non_null(map);
    fake_reply(map, map->node == node(7001) ? "-MOVED 1 127.0.0.1:7002\r\n" : "-MOVED 1 127.0.0.1:7001\r\n");
    for (unsigned i = 0; i < 4 && (map = open_command("CLUSTER", NULL)); i++)
        fake_reply(map, "-MOVED 1 127.0.0.1:7003\r\n");
    assert_int_equal(run_counted(COUNTER_store_moved), 0);
    run_pass(9000);
    connect_all();
    unsigned maps = (unsigned)run_counted(COUNTER_store_maps);
    tell_map(even_map(2));
    assert_int_equal(run_counted(COUNTER_store_maps), maps + 1);
}

/* As of a server that was reset, or has not joined yet. */
static void a_map_without_slots(void **state)
{
    (void)state;
    static const char *const maps[] = {"*0\r\n", NULL};
    follow(2);
    for (unsigned i = 0; i < 2; i++) {
        fake_node_lose(node(7001));
        run_pass(9000);
        connect_all();
        map_text[0] = '\0';
        add("*1\r\n");
        add_shard(1, 0, "127.0.0.1", 7001);
        tell_map(maps[i] ? maps[i] : map_text);
        assert_int_equal(run_store->place_count, 2); /* the map before stays */
        assert_true(run_store->places[0].serves && run_store->places[1].serves);
        assert_int_equal(run_counted(COUNTER_store_maps_refused), i + 1);
        assert_int_equal(run_counted(COUNTER_store_failovers), 0);
        run_pass(9000);
        tell_map(even_map(2));
    }
}

static void maps_that_are_none(void **state)
{
    (void)state;
    static const char *const replies[] = {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n", "+OK\r\n", "$-1\r\n", ":1\r\n",
                                          "*2\r\n*0\r\n*0\r\n"};
    follow(2);
    for (unsigned i = 0; i < sizeof replies / sizeof *replies; i++) {
        fake_node_lose(node(7001));
        run_pass(9000);
        connect_all();
        struct fake_command *map = open_command("CLUSTER", NULL);
        assert_non_null(map);
        fake_reply(map, replies[i]);
        assert_int_equal(run_store->place_count, 2); /* the one before stays */
        assert_true(run_store->places[0].serves && run_store->places[1].serves);
        run_pass(9000);
        tell_map(even_map(2));
    }
    assert_int_equal(run_counted(COUNTER_store_maps_refused), sizeof replies / sizeof *replies);
}

static void servers_that_may_not_be_named(void **state)
{
    (void)state;
    run_start(STORE_CLUSTER, 1, 7001);
    connect_all();
    map_text[0] = '\0';
    add("*5\r\n");
    add_shard(0, 100, "127.0.0.1", 22);
    add_shard(101, 200, "/run/socket", 7002);
    add_shard(201, 300, "0.0.0.0", 7002);
    add_shard(301, 400, "fe80::1%lo", 7002);
    add_shard(401, SLOTS - 1, "127.0.0.1", 7001);
    tell_map(map_text);
    assert_int_equal(run_store->place_count, 1);
    assert_true(run_store->places[0].serves);
    assert_int_equal(run_counted(COUNTER_store_nodes_refused), 4);
}

/* Beyond loopback the port for TLS is used, and the connection has TLS. */
static void servers_beyond_loopback(void **state)
{
    (void)state;
    run_start(STORE_CLUSTER, 1, 7001);
    connect_all();
    map_text[0] = '\0';
    add("*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n$5\r\nnodes\r\n*1\r\n*8\r\n$4\r\nport\r\n:7002\r\n"
        "$8\r\ntls-port\r\n:7003\r\n$8\r\nendpoint\r\n$9\r\n192.0.2.1\r\n$4\r\nrole\r\n$6\r\nmaster\r\n");
    tell_map(map_text);
    assert_int_equal(run_store->place_count, 2);
    assert_string_equal(run_store->places[1].server->text, "192.0.2.1@7003");
    assert_non_null(run_store->places[1].server->trust);
}

static void a_server_that_names_itself_for_all(void **state)
{
    (void)state;
    run_start(STORE_CLUSTER, 1, 7001);
    connect_all();
    map_text[0] = '\0';
    add("*3\r\n");
    for (unsigned i = 0; i < 3; i++)
        add_shard(i * 10, i * 10 + 9, "", 7001);
    tell_map(map_text);
    assert_int_equal(run_store->place_count, 1);
    assert_int_equal(run_store->places[0].learned == NULL, true);
}

static void more_servers_than_places(void **state)
{
    (void)state;
    follow(1);
    for (unsigned round = 0; round < 4; round++) {
        run_pass(9000);
        fake_node_lose(run_store->places[run_store->place_count - 1].node);
        run_pass(1100);
        connect_all();
        map_text[0] = '\0';
        add("*%u\r\n", SLOT_MASTERS);
        for (unsigned i = 0; i < SLOT_MASTERS; i++) {
            char host[32];
            snprintf(host, sizeof host, "127.0.%u.%u", round, i + 1);
            add_shard(i, i, host, 7001);
        }
        struct fake_command *map = open_command("CLUSTER", NULL);
        assert_non_null(map);
        fake_reply(map, map_text);
        run_pass(2);
        connect_all();
        assert_in_range(run_store->place_count, 2, SLOT_MASTERS + 1);
        fake_nodes_forget_answered();
    }
}

/* A place that is dropped ends its requests; nobody refers to it any more. */
static void a_map_without_the_server_that_is_asked(void **state)
{
    (void)state;
    struct key key[20];
    unsigned waiting = 0;
    follow(2);
    for (unsigned i = 0; i < 20; i++)
        waiting += get(i, &key[i]) != NULL;
    assert_int_equal(waiting, 20);
    run_pass(1);
    fake_node_lose(node(7001));
    assert_int_equal(run_store->gets.in_use > 0, true);
    run_pass(1100);
    tell_map(even_map(1));
    assert_null(node(7002));
    assert_int_equal(run_store->gets.in_use, 0);
}

/* --- flushes --- */

static void told(struct store_telling *telling)
{
    *(bool *)telling->context = true;
}

static void each_server_has_the_flushes(void **state)
{
    (void)state;
    bool over = false;
    struct store_telling telling = {.done = told, .context = &over};
    const struct store_flush flush = {.at_ms = clock_wall_ms(), .len = 6, .name = "\4test"};
    follow(3);
    unsigned read = count_of("ZRANGE", NULL);
    assert_int_equal(read, 3 + 1); /* each one, and that of the channel */
    store_tell_flush(run_store, &flush, 1000, &telling);
    assert_int_equal(count_of("ZADD", NULL), 64);
    assert_int_equal(count_of("PUBLISH", NULL), 1);
    assert_int_equal(telling.servers, 3);
    for (unsigned i = 0; i < fake_sent_count; i++) {
        if (!fake_has(&fake_sent[i], 0, "ZADD"))
            continue;
        unsigned slot = slot_of((struct bytes){fake_sent[i].argument[1], fake_sent[i].len[1]});
        assert_ptr_equal(fake_sent[i].node, node(7001 + slot * 3 / SLOTS));
        fake_reply_type(&fake_sent[i], RESP_INTEGER);
    }
    assert_true(over);
    assert_int_equal(telling.told, 3);
    unsigned listening = 0;
    for (size_t i = 0; i < run_store->place_count; i++)
        listening += run_store->places[i].channel->state != NODE_DOWN;
    assert_int_equal(listening, 1);
}

/* A server whose slots are those of no copy is not told, and not missed. */
static void a_server_without_a_copy(void **state)
{
    (void)state;
    bool over = false;
    struct store_telling telling = {.done = told, .context = &over};
    const struct store_flush flush = {.at_ms = clock_wall_ms(), .len = 6, .name = "\4test"};
    run_start(STORE_CLUSTER, 1, 7001);
    connect_all();
    map_text[0] = '\0';
    add("*2\r\n");
    add_shard(0, 0, "127.0.0.1", 7002);
    add_shard(1, SLOTS - 1, "127.0.0.1", 7001);
    tell_map(map_text);
    assert_true(node_is_ready(node(7002)) && node_is_ready(node(7001)));
    store_tell_flush(run_store, &flush, 1000, &telling);
    for (unsigned i = 0; i < fake_sent_count; i++)
        if (fake_has(&fake_sent[i], 0, "ZADD"))
            fake_reply_type(&fake_sent[i], RESP_INTEGER);
    assert_true(over);
    assert_int_equal(telling.told, telling.servers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, run_begin, run_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_have_their_servers),
        TEST(an_older_server_has_ranges),
        TEST(before_a_map_nothing_waits),
        TEST(a_lost_server_loses_its_share),
        TEST(servers_change),
        TEST(maps_are_asked_for_once_a_second),
        TEST(contacts_that_are_not_named_rest),
        TEST(values_are_read_from_the_nearest),
        TEST(the_master_is_read_when_a_replica_is_not_there),
        TEST(a_late_replica_comes_back),
        TEST(a_replica_becomes_the_master),
        TEST(moved),
        TEST(asking),
        TEST(redirections_end),
        TEST(redirections_to_nowhere),
        TEST(a_map_that_has_moved),
        TEST(a_map_without_slots),
        TEST(maps_that_are_none),
        TEST(servers_that_may_not_be_named),
        TEST(servers_beyond_loopback),
        TEST(a_server_that_names_itself_for_all),
        TEST(more_servers_than_places),
        TEST(a_map_without_the_server_that_is_asked),
        TEST(each_server_has_the_flushes),
        TEST(a_server_without_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
