/* SPDX-License-Identifier: MIT */
/* Sentinels that tell the master, tell another one, none, or lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "store_run.h"

static struct node *master(void)
{
    return run_store->places[0].node;
}

static struct node *sentinel(unsigned n)
{
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1@%u", 5000 + n);
    return fake_node_at(text);
}

/* The latest request of a Sentinel for the master that has no reply yet. */
static struct fake_command *asked(void)
{
    for (unsigned i = fake_sent_count; i-- > 0;)
        if (fake_has(&fake_sent[i], 0, "SENTINEL") && !fake_sent[i].answered)
            return &fake_sent[i];
    return NULL;
}

static unsigned asks(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fake_sent_count; i++)
        count += fake_has(&fake_sent[i], 0, "SENTINEL");
    return count;
}

static const uint8_t definition[DIGEST_LEN];
static const struct key key = {.type = 1, .class = 1, .name_len = 8, .name = "\1a\4test"};
static struct store_name name_of_key;
static const struct store_entry entry = {.definition = definition, .key = &key, .name = &name_of_key};

static void tell(const char *reply)
{
    struct fake_command *to = asked();
    assert_non_null(to);
    fake_reply(to, reply);
    run_pass(2);
}

#define MASTER(port)     "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n" port "\r\n"
#define SWITCHED         "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$1\r\nx\r\n"
#define ROLE_MASTER      "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
#define ROLE_SLAVE       "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:7001\r\n$9\r\nconnected\r\n:0\r\n"
#define ASK_PAUSE_MS     101
#define LONGEST_RETRY_MS 5100

/* Replies to the greeting of the master. */
static void greet(const char *role)
{
    for (unsigned i = 0; i < fake_sent_count; i++) {
        if (fake_sent[i].node != master() || fake_sent[i].answered)
            continue;
        if (fake_has(&fake_sent[i], 0, "ROLE"))
            fake_reply(&fake_sent[i], role);
        else if (fake_has(&fake_sent[i], 0, "ZRANGE"))
            fake_reply(&fake_sent[i], "*0\r\n");
    }
}

/* The first Sentinel has told a master, which is connected. */
static void follow(unsigned sentinels)
{
    run_start(STORE_SENTINEL, sentinels, 5000);
    fake_node_connect(sentinel(0));
    run_pass(2);
    tell(MASTER("7001"));
    fake_node_connect(master());
    greet(ROLE_MASTER);
    assert_true(node_is_ready(master()));
}

static void the_master_is_asked_for_and_connected(void **state)
{
    (void)state;
    run_start(STORE_SENTINEL, 2, 5000);
    assert_int_equal(sentinel(0)->state, NODE_CONNECTING);
    assert_int_equal(sentinel(1)->state, NODE_DOWN); /* one at a time */
    assert_int_equal(master()->state, NODE_DOWN);
    fake_node_connect(sentinel(0));
    run_pass(2);
    struct fake_command *request = asked();
    assert_true(fake_has(request, 1, "GET-MASTER-ADDR-BY-NAME") && fake_has(request, 2, "cache"));
    assert_true(fake_has(request - 1, 0, "UNSUBSCRIBE") && fake_has(request + 1, 0, "SUBSCRIBE"));
    assert_int_equal(master()->state, NODE_DOWN);
    tell(MASTER("7001"));
    assert_int_equal(master()->state, NODE_CONNECTING);
    assert_string_equal(master()->server->text, "127.0.0.1@7001");
    fake_node_connect(master());
    assert_false(node_is_ready(master())); /* before its role is known */
    greet(ROLE_MASTER);
    assert_true(node_is_ready(master()));
    assert_int_equal(run_counted(COUNTER_store_failovers), 0);
    run_pass(1000);
    assert_int_equal(asks(), 1); /* it is told of changes */
}

static void no_master_delays_nothing(void **state)
{
    (void)state;
    run_start(STORE_SENTINEL, 1, 5000);
    assert_null(store_get(run_store, &entry, 20, 0, NULL));
    assert_int_equal(run_counted(COUNTER_store_left_alone), 1);
    store_unlease(run_store, &entry);
    assert_int_equal(fake_sent_count, 0);
}

static void a_message_is_a_reason_to_ask(void **state)
{
    (void)state;
    follow(1);
    run_pass(ASK_PAUSE_MS);
    fake_push(sentinel(0), SWITCHED);
    run_pass(2);
    assert_int_equal(asks(), 2);
    assert_string_equal(master()->server->text, "127.0.0.1@7001");
    tell(MASTER("7002"));
    assert_string_equal(master()->server->text, "127.0.0.1@7002");
    assert_int_equal(master()->state, NODE_CONNECTING);
    assert_int_equal(run_counted(COUNTER_store_failovers), 1);
    assert_string_equal(run_store->places[0].channel->server->text, "127.0.0.1@7002");
}

static void messages_without_end_are_few_queries(void **state)
{
    (void)state;
    follow(1);
    for (unsigned i = 0; i < 1000; i++) {
        fake_push(sentinel(0), SWITCHED);
        run_pass(1);
        if (asked())
            fake_reply(asked(), MASTER("7001"));
    }
    assert_in_range(asks(), 5, 12);
    assert_true(node_is_ready(master()));
    assert_int_equal(run_counted(COUNTER_store_failovers), 0);
}

static void a_lost_master_is_asked_for(void **state)
{
    (void)state;
    follow(1);
    run_pass(ASK_PAUSE_MS);
    fake_node_lose(master());
    run_pass(2);
    assert_int_equal(asks(), 2);
    tell(MASTER("7001")); /* not yet */
    assert_int_equal(master()->state, NODE_DOWN);
    run_pass(100);
    assert_int_equal(master()->state, NODE_CONNECTING);
    fake_node_lose(master());
    run_pass(ASK_PAUSE_MS);
    tell(MASTER("7002"));
    assert_int_equal(master()->state, NODE_CONNECTING);
    assert_int_equal(run_counted(COUNTER_store_failovers), 1);
}

static void a_replica_is_not_used(void **state)
{
    (void)state;
    run_start(STORE_SENTINEL, 1, 5000);
    fake_node_connect(sentinel(0));
    run_pass(2);
    tell(MASTER("7001"));
    fake_node_connect(master());
    greet(ROLE_SLAVE);
    assert_int_equal(master()->state, NODE_CLOSING);
    assert_string_equal(fake_refusal, "it is not the master");
    fake_node_lose(master());
    run_pass(ASK_PAUSE_MS);
    assert_int_equal(asks(), 2);
}

static void what_else_is_no_role(void **state)
{
    (void)state;
    static const char *const roles[] = {
        "-NOPERM no\r\n", "*0\r\n", "+master\r\n", "*1\r\n*1\r\n$6\r\nmaster\r\n", "*1\r\n$7\r\nmasters\r\n", ":1\r\n"};
    run_start(STORE_SENTINEL, 1, 5000);
    fake_node_connect(sentinel(0));
    run_pass(2);
    tell(MASTER("7001"));
    for (unsigned i = 0; i < sizeof roles / sizeof *roles; i++) {
        fake_node_connect(master());
        greet(roles[i]);
        assert_int_equal(master()->state, NODE_CLOSING);
        fake_node_lose(master());
        run_pass(200);
        tell(MASTER("7001"));
    }
}

static void a_write_that_is_refused(void **state)
{
    (void)state;
    follow(1);
    store_unlease(run_store, &entry);
    assert_true(fake_has(&fake_sent[fake_sent_count - 1], 0, "SET"));
    fake_reply(&fake_sent[fake_sent_count - 1], "-OOM command not allowed\r\n");
    assert_true(node_is_ready(master()));
    store_unlease(run_store, &entry);
    fake_reply(&fake_sent[fake_sent_count - 1], "-READONLY You can't write against a read only replica.\r\n");
    assert_int_equal(master()->state, NODE_CLOSING);
    fake_node_lose(master());
    run_pass(ASK_PAUSE_MS);
    assert_int_equal(asks(), 2);
}

static void another_sentinel_is_tried(void **state)
{
    (void)state;
    run_start(STORE_SENTINEL, 3, 5000);
    fake_node_lose(sentinel(0));
    run_pass(2);
    assert_int_equal(sentinel(1)->state, NODE_CONNECTING);
    fake_node_connect(sentinel(1));
    run_pass(2);
    tell("*-1\r\n"); /* nil */
    assert_int_equal(sentinel(1)->state, NODE_CLOSING);
    assert_int_equal(sentinel(2)->state, NODE_CONNECTING);
    fake_node_lose(sentinel(1));
    fake_node_lose(sentinel(2));
    run_pass(2);
    assert_int_equal(sentinel(0)->state, NODE_DOWN); /* all were tried: a pause */
    run_pass(200);
    assert_int_equal(sentinel(0)->state, NODE_CONNECTING);
    fake_node_connect(sentinel(0));
    run_pass(2);
    tell(MASTER("7003"));
    assert_int_equal(master()->state, NODE_CONNECTING);
    fake_node_lose(sentinel(0)); /* the master stays */
    run_pass(2);
    assert_int_equal(master()->state, NODE_CONNECTING);
    assert_int_equal(sentinel(1)->state, NODE_CONNECTING);
}

/* It is cut off from the others, which know the master that took over. */
static void a_sentinel_that_names_a_lost_master(void **state)
{
    (void)state;
    follow(2);
    run_pass(ASK_PAUSE_MS);
    fake_node_lose(master());
    for (unsigned i = 0; i < 5 && sentinel(0)->state == NODE_READY; i++) {
        run_pass(ASK_PAUSE_MS);
        if (asked())
            tell(MASTER("7001"));
        assert_int_equal(master()->state, NODE_CONNECTING);
        fake_node_lose(master());
    }
    assert_int_equal(sentinel(0)->state, NODE_CLOSING);
    run_pass(2);
    assert_int_equal(sentinel(1)->state, NODE_CONNECTING);
    fake_node_lose(sentinel(0));
    fake_node_connect(sentinel(1));
    run_pass(2);
    tell(MASTER("7002"));
    assert_string_equal(master()->server->text, "127.0.0.1@7002");
    assert_int_equal(master()->state, NODE_CONNECTING);
}

/* The last one is down: there is a pause nevertheless. */
static void sentinels_that_know_no_master_are_few_connections(void **state)
{
    (void)state;
    unsigned connections = 0;
    run_start(STORE_SENTINEL, 3, 5000);
    sentinel(2)->retry_ms = UINT64_MAX;
    for (unsigned ms = 0; ms < 20000; ms++) {
        run_pass(1);
        for (unsigned i = 0; i < 2; i++) {
            if (sentinel(i)->state == NODE_CONNECTING) {
                connections++;
                fake_node_connect(sentinel(i));
            } else if (sentinel(i)->state == NODE_CLOSING) {
                fake_node_lose(sentinel(i));
            }
        }
        if (asked())
            fake_reply(asked(), "*-1\r\n");
        fake_nodes_forget_answered();
    }
    assert_in_range(connections, 10, 40);
}

/* Each of them names nothing that may be connected. */
static void hostile_replies(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n",    /* not a port of the setup */
        "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n",       /* no port */
        "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n+7001\r\n",   /* likewise */
        "*2\r\n$9\r\n127.0.0.1\r\n$7\r\n9999999\r\n", /* likewise */
        "*2\r\n$9\r\n127.0.0.1\r\n$40\r\n0000000000000000000000000000000000007001\r\n",
        "*2\r\n$9\r\n127.0.0.1\r\n:7001\r\n",                 /* not a text */
        "*2\r\n$4\r\n/run\r\n$4\r\n7001\r\n",                 /* a path */
        "*2\r\n$0\r\n\r\n$4\r\n7001\r\n",                     /* empty */
        "*2\r\n$7\r\n0.0.0.0\r\n$4\r\n7001\r\n",              /* the wildcard */
        "*2\r\n$9\r\nfe80::1%x\r\n$4\r\n7001\r\n",            /* a zone */
        "*2\r\n$7\r\nfe80::1\r\n$4\r\n7001\r\n",              /* lacks a zone */
        "*2\r\n$7\r\na@b.com\r\n$4\r\n7001\r\n",              /* two ports */
        "*2\r\n$3\r\na b\r\n$4\r\n7001\r\n",                  /* a space */
        "*2\r\n$3\r\n1.2\r\n$4\r\n7001\r\n",                  /* half an address */
        "*3\r\n$9\r\n127.0.0.1\r\n$4\r\n7001\r\n$1\r\nx\r\n", /* too many */
        "*1\r\n$9\r\n127.0.0.1\r\n",                          /* too few */
        "*1\r\n*2\r\n$9\r\n127.0.0.1\r\n$4\r\n7001\r\n",      /* nested */
        "*0\r\n",
        "*-1\r\n",
        "+OK\r\n",
        ":7001\r\n",
        "$-1\r\n",
        "-ERR unknown command\r\n",
    };
    run_start(STORE_SENTINEL, 1, 5000);
    for (unsigned i = 0; i < sizeof replies / sizeof *replies; i++) {
        for (unsigned ms = 0; sentinel(0)->state != NODE_CONNECTING && ms < LONGEST_RETRY_MS; ms++)
            run_pass(1);
        fake_node_connect(sentinel(0));
        run_pass(ASK_PAUSE_MS);
        tell(replies[i]);
        assert_int_equal(sentinel(0)->state, NODE_CLOSING);
        assert_int_equal(master()->state, NODE_DOWN);
        assert_true(master()->held);
        fake_node_lose(sentinel(0));
    }
    assert_in_range(run_counted(COUNTER_store_nodes_refused), 10, 16);
}

static void a_long_name_of_a_host(void **state)
{
    (void)state;
    static char reply[400];
    run_start(STORE_SENTINEL, 1, 5000);
    fake_node_connect(sentinel(0));
    run_pass(2);
    int len = snprintf(reply, sizeof reply, "*2\r\n$300\r\n");
    memset(reply + len, 'a', 300);
    strcpy(reply + len + 300, "\r\n$4\r\n7001\r\n");
    tell(reply);
    assert_true(master()->held);
}

/* Beyond loopback and for names there is TLS, and loopback only on the word of a server on this machine. */
static void never_in_plain(void **state)
{
    (void)state;
    struct store_setup *setup = run_setup(STORE_SENTINEL, 1, 5000);
    struct store_server server, far = {.where = {.at = STORE_AT_HOST, .name = "sentinel.example"}};
    const struct store_server *near = &setup->servers[0];
    assert_null(store_learn(&server, setup, near, "127.0.0.2", 9, 7001));
    assert_null(server.trust);
    assert_non_null(store_learn(&server, setup, &far, "127.0.0.2", 9, 7001));
    assert_non_null(store_learn(&server, setup, &far, "::1", 3, 7001));
    assert_null(store_learn(&server, setup, &far, "192.0.2.1", 9, 7001));
    assert_non_null(server.trust);
    store_server_clear(&server);
    assert_null(store_learn(&server, setup, near, "2001:db8::1", 11, 7001));
    assert_non_null(server.trust);
    assert_string_equal(server.text, "2001:db8::1@7001");
    store_server_clear(&server);
    assert_null(store_learn(&server, setup, near, "localhost", 9, 5000)); /* a port of store.servers */
    assert_non_null(server.trust);
    assert_int_equal(server.where.at, STORE_AT_HOST);
    store_server_clear(&server);
    store_setup_unref(setup);
    run_start(STORE_SENTINEL, 1, 5000);
}

/* With authorities that anyone has certificates of, the name must be one that the operator wrote. */
static void the_password_is_not_for_anyone(void **state)
{
    (void)state;
    run_start(STORE_SENTINEL, 1, 5000);
    struct store_setup *setup = run_setup(STORE_SENTINEL, 2, 5000);
    struct store_server server, *known = &setup->servers[1];
    const struct store_server *near = &setup->servers[0];
    setup->anyone_certified = true;
    assert_int_equal(config_store_server(&known->where, "store.example@7001"), 0);
    assert_non_null(store_learn(&server, setup, near, "attacker.example", 16, 7001));
    assert_non_null(store_learn(&server, setup, near, "192.0.2.1", 9, 7001));
    assert_null(store_learn(&server, setup, near, "127.0.0.2", 9, 7001)); /* needs no certificate */
    assert_null(server.trust);
    assert_null(store_learn(&server, setup, near, "Store.Example", 13, 7001));
    assert_non_null(server.trust);
    store_server_clear(&server);
    snprintf(setup->tls_name, sizeof setup->tls_name, "store.example");
    assert_null(store_learn(&server, setup, near, "192.0.2.1", 9, 7001));
    store_server_clear(&server);
    store_setup_unref(setup);
}

static void an_unknown_master_is_reported(void **state)
{
    (void)state;
    static struct store_server_report reports[STORE_SERVERS_MAX];
    run_start(STORE_SENTINEL, 1, 5000);
    assert_int_equal(store_report(run_store, reports, STORE_SERVERS_MAX), 2);
    assert_string_equal(reports[0].name, "cache");
    assert_string_equal(reports[0].state, "down");
    assert_string_equal(reports[0].error, "no Sentinel has told its address yet");
}

static void reports_have_roles(void **state)
{
    (void)state;
    static struct store_server_report reports[STORE_SERVERS_MAX];
    follow(2);
    assert_int_equal(store_report(run_store, reports, STORE_SERVERS_MAX), 3);
    assert_string_equal(reports[0].role, "master");
    assert_string_equal(reports[0].name, "127.0.0.1@7001");
    assert_true(reports[0].serves && strcmp(reports[0].state, "ready") == 0);
    assert_string_equal(reports[1].role, "sentinel");
    assert_string_equal(reports[1].state, "ready");
    assert_false(reports[1].serves);
    assert_string_equal(reports[2].state, "unused");
    assert_int_equal(store_report(run_store, reports, 2), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, run_begin, run_end)

/* --- replicas --- */

#define REPLICA(port, flags, link)                                                                                     \
    "*8\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$4\r\n" port "\r\n$5\r\nflags\r\n" flags                       \
    "$18\r\nmaster-link-status\r\n" link
#define FINE "$5\r\nslave\r\n"
#define UP   "$2\r\nok\r\n"

/* Replies to the latest such request of a Sentinel. */
static void tell_of(const char *what, const char *reply)
{
    for (unsigned i = fake_sent_count; i-- > 0;)
        if (fake_has(&fake_sent[i], 1, what) && !fake_sent[i].answered) {
            fake_reply(&fake_sent[i], reply);
            run_pass(2);
            return;
        }
    fail();
}

#define tell_master(reply)   tell_of("GET-MASTER-ADDR-BY-NAME", reply)
#define tell_replicas(reply) tell_of("REPLICAS", reply)

static struct node *replica(const char *text)
{
    for (size_t i = 1; i < run_store->place_count; i++)
        if (strcmp(run_store->places[i].server->text, text) == 0)
            return run_store->places[i].node;
    return NULL;
}

static void greet_replica(struct node *node, const char *role)
{
    fake_node_connect(node);
    for (unsigned i = 0; i < fake_sent_count; i++)
        if (fake_sent[i].node == node && !fake_sent[i].answered)
            fake_reply(&fake_sent[i], fake_has(&fake_sent[i], 0, "ROLE") ? role : "*0\r\n");
}

static void follow_nearest(const char *replicas)
{
    struct store_setup *setup = run_setup(STORE_SENTINEL, 1, 5000);
    setup->nearest = true;
    run_start_with(setup);
    fake_node_connect(sentinel(0));
    run_pass(2);
    tell_master(MASTER("7001"));
    tell_replicas(replicas);
    fake_node_connect(master());
    greet(ROLE_MASTER);
    assert_true(node_is_ready(master()));
}

/* The server that is asked for a value. */
static struct node *read_at(void)
{
    struct store_get *one = store_get(run_store, &entry, 20, 0, NULL);
    assert_non_null(one);
    struct fake_command *command = &fake_sent[fake_sent_count - 1];
    assert_true(fake_has(command, 0, "GET"));
    command->answered = true;
    store_forget(one);
    return command->node;
}

static void measure(uint64_t master_us, struct node *other, uint64_t other_us)
{
    run_pass(5001);
    master()->rtt_us = master_us;
    other->rtt_us = other_us;
    for (unsigned i = 0; i < fake_sent_count; i++)
        if (fake_has(&fake_sent[i], 0, "PING") && fake_sent[i].command) {
            fake_sent[i].command->sent_us = clock_us() - (fake_sent[i].node == other ? other_us : master_us);
            fake_reply(&fake_sent[i], "+PONG\r\n");
        }
    fake_nodes_forget_answered();
}

static void values_are_read_from_the_nearest(void **state)
{
    (void)state;
    follow_nearest("*1\r\n" REPLICA("7003", FINE, UP));
    struct node *near = replica("127.0.0.1@7003");
    assert_non_null(near);
    assert_ptr_equal(read_at(), master());
    greet_replica(near, ROLE_SLAVE);
    assert_true(node_is_ready(near));
    measure(10000, near, 1000);
    assert_ptr_equal(read_at(), near);
    assert_int_equal(run_store->places[1].serves, false);
    store_unlease(run_store, &entry); /* everything else goes to the master */
    assert_ptr_equal(fake_sent[fake_sent_count - 1].node, master());
    measure(500, near, 1000);
    assert_ptr_equal(read_at(), master());
}

static void replicas_that_are_not_used(void **state)
{
    (void)state;
    follow_nearest("*8\r\n" REPLICA("7001", FINE, UP) /* the master */
                   REPLICA("7003", "$12\r\ns_down,slave\r\n", UP) REPLICA("7004", FINE, "$3\r\nerr\r\n") /* no link */
                   REPLICA("9999", FINE, UP)               /* not a port of ours */
                   "*2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n" /* half of one */
                   "*1\r\n$4\r\nport\r\n"
                   ":7\r\n" REPLICA("7005", FINE, UP));
    assert_int_equal(run_store->place_count, 2);
    assert_int_equal(run_counted(COUNTER_store_nodes_refused), 1);
    struct node *last = replica("127.0.0.1@7005");
    greet_replica(last, ROLE_MASTER); /* it says that it is none */
    assert_false(node_is_ready(last));
}

static void replicas_come_and_go(void **state)
{
    (void)state;
    follow_nearest("*2\r\n" REPLICA("7003", FINE, UP) REPLICA("7004", FINE, UP));
    assert_int_equal(run_store->place_count, 3);
    struct node *near = replica("127.0.0.1@7003");
    greet_replica(near, ROLE_SLAVE);
    (void)read_at();
    measure(10000, near, 1000);
    assert_ptr_equal(read_at(), near);
    run_pass(ASK_PAUSE_MS);
    fake_push(sentinel(0), SWITCHED);
    run_pass(2);
    tell_master(MASTER("7003")); /* it takes over */
    tell_replicas("*1\r\n" REPLICA("7004", FINE, UP));
    assert_int_equal(run_store->place_count, 2);
    assert_null(replica("127.0.0.1@7003"));
    assert_non_null(replica("127.0.0.1@7004"));
    assert_string_equal(master()->server->text, "127.0.0.1@7003");
    fake_node_connect(master());
    greet(ROLE_MASTER);
    assert_ptr_equal(read_at(), master());
    run_pass(ASK_PAUSE_MS);
    fake_push(sentinel(0), SWITCHED);
    run_pass(2);
    tell_master(MASTER("7003"));
    tell_replicas("*9\r\n" REPLICA("7000", FINE, UP) REPLICA("7001", FINE, UP) REPLICA("7002", FINE, UP)
                      REPLICA("7004", FINE, UP) REPLICA("7005", FINE, UP) REPLICA("7006", FINE, UP)
                          REPLICA("7007", FINE, UP) REPLICA("7008", FINE, UP) REPLICA("7009", FINE, UP));
    assert_int_equal(run_store->place_count, 1 + 8); /* at most */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_master_is_asked_for_and_connected),
        TEST(no_master_delays_nothing),
        TEST(a_message_is_a_reason_to_ask),
        TEST(messages_without_end_are_few_queries),
        TEST(a_lost_master_is_asked_for),
        TEST(a_replica_is_not_used),
        TEST(what_else_is_no_role),
        TEST(a_write_that_is_refused),
        TEST(another_sentinel_is_tried),
        TEST(a_sentinel_that_names_a_lost_master),
        TEST(sentinels_that_know_no_master_are_few_connections),
        TEST(hostile_replies),
        TEST(values_are_read_from_the_nearest),
        TEST(replicas_that_are_not_used),
        TEST(replicas_come_and_go),
        TEST(a_long_name_of_a_host),
        TEST(never_in_plain),
        TEST(the_password_is_not_for_anyone),
        TEST(an_unknown_master_is_reported),
        TEST(reports_have_roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
