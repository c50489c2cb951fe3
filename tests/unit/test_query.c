/* SPDX-License-Identifier: MIT */
/* The processing of a query: refusals, access to cached data, and the accounting of queries. */
#include <errno.h>
#include <stdio.h>
#include "base/mem.h"
#include "fake_client.h"
#include "seeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CLIENTS 400
static struct client clients[CLIENTS];
static struct fake_answer served;

static int setup(void **state)
{
    (void)state;
    memset(clients, 0, sizeof clients);
    served = FAKE_ANSWER;
    fake_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_end();
    fake_end();
    return 0;
}

static void serve(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, &served);
}

/* --- queries that are never forwarded --- */

static void send_bytes(unsigned n, const char *bytes, size_t len)
{
    clients[n].asked_len = 0;
    client_send(&clients[n], bytes, len);
    assert_null(clients[n].waiting);
}
#define SEND(n, literal) send_bytes(n, literal, sizeof(literal) - 1)

static void non_queries_get_no_response(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    SEND(0, "");
    SEND(0, "\0\1\1\0\0\1\0\0\0\0\0");
    SEND(0, "\0\1\201\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1");
    assert_int_equal(clients[0].replies, 0);
    assert_int_equal(fake_counted(COUNTER_udp_ignored), 3);
    assert_int_equal(fake_counted(COUNTER_queries_received), 0);
}

static void malformed_queries_get_the_rcode_of_their_kind(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    SEND(0, "\0\1\1\0\0\0\0\0\0\0\0\0");
    assert_int_equal(clients[0].rcode, RCODE_FORMERR);
    SEND(1, "\0\1\1\0\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\0");
    assert_int_equal(clients[1].rcode, RCODE_FORMERR);
    SEND(2, "\0\1\21\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1");
    assert_int_equal(clients[2].rcode, RCODE_NOTIMP);
    SEND(3, "\0\1\1\0\0\1\0\0\0\0\0\1\1a\0\0\1\0\1\0\0\51\4\320\0\1\0\0\0\0");
    assert_int_equal(clients[3].rcode, RCODE_BADVERS);
    assert_int_equal(fake_counted(COUNTER_queries_finished), 4);
    fake_turn();
    assert_int_equal(fake_dials(), 0);
}

static void bytes_behind_a_query_are_ignored_and_counted(void **state)
{
    (void)state;
    static const char query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1\0";
    resolver_begin(1, 1);
    fake.serve = serve;
    client_send(&clients[0], query, sizeof query - 1);
    fake_turn();
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(fake_counted(COUNTER_queries_trailing), 1);
}

static void batch_is_taken_in_before_it_is_walked(void **state)
{
    (void)state;
    struct query queries[4];
    const char *names[] = {"cached.test", "fresh.test", "broken.test", "Cached.test"};
    unsigned taken = 0;
    resolver_begin(1, 1);
    fake.serve = serve;
    client_ask(&clients[9], "cached.test");
    fake_turn();
    for (unsigned n = 0; n < 4; n++) {
        clients[n].id = (uint16_t)n;
        client_write(&clients[n], names[n]);
        clients[n].asked[5] = n == 2 ? 2 : 1; /* QDCOUNT */
        taken += client_take(&clients[n], &queries[taken]);
    }
    assert_int_equal(taken, 3);
    assert_int_equal(clients[2].rcode, RCODE_FORMERR);
    assert_int_equal(clients[0].replies + clients[1].replies + clients[3].replies, 0);
    query_run_all(queries, taken);
    assert_int_equal(clients[0].replies + clients[3].replies, 2);
    assert_true(clients[3].case_kept);
    assert_int_equal(resolver_waiting(&resolver), 1);
    memset(queries, 0xff, sizeof queries);
    fake_turn();
    assert_int_equal(clients[1].replies, 1);
    assert_int_equal(clients[1].answers, 1);
}

/* Only the cache refuses the query; steps before it may answer. */
static enum verdict say_local(struct query *query, void *state)
{
    (void)state;
    return query->key.name[1] == 'l' ? query_error(query, RCODE_NXDOMAIN, EDE_NONE, NULL) : NEXT;
}

static void query_without_rd_from_beyond_loopback_does_not_see_the_cache(void **state)
{
    (void)state;
    static const struct step local = {.name = "local", .run = say_local};
    static const struct step *const order[] = {&local, &step_cache, &step_lookup, NULL};
    static const char *const addresses[] = {"198.51.100.1", "2001:db8::1", "127.9.9.9", "::1"};
    client_order = order;
    resolver_begin(1, 1);
    client_order = client_steps;
    fake.serve = serve;
    client_ask(&clients[0], "a.test");
    fake_turn();
    for (unsigned i = 0; i < 4; i++) {
        struct client *cached = &clients[1 + 2 * i], *answered = &clients[2 + 2 * i];
        cached->no_rd = answered->no_rd = true;
        assert_int_equal(addr_parse(&cached->origin.client, addresses[i], 4000), 0);
        answered->origin.client = cached->origin.client;
        client_ask(cached, "a.test");
        client_ask(answered, "local.test");
        assert_int_equal(cached->rcode, i < 2 ? RCODE_REFUSED : RCODE_NOERROR);
        assert_int_equal(cached->ede, i < 2 ? EDE_NOT_AUTHORITATIVE : EDE_NONE);
        assert_int_equal(answered->rcode, RCODE_NXDOMAIN);
    }
}

static void query_without_rd_is_answered_from_the_cache_only(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    clients[0].no_rd = clients[2].no_rd = true;
    client_ask(&clients[0], "a.test");
    assert_int_equal(clients[0].rcode, RCODE_REFUSED);
    assert_int_equal(clients[0].ede, EDE_NOT_AUTHORITATIVE);
    client_ask(&clients[1], "a.test");
    fake_turn();
    client_ask(&clients[2], "a.test");
    assert_int_equal(clients[2].rcode + clients[2].replies, 1);
}

/* --- access to the cache, retransmissions --- */

static void each_client_gets_its_own_question_section_and_opt(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    clients[0].no_edns = true;
    clients[1].id = 77;
    client_ask(&clients[0], "A.test");
    client_ask(&clients[1], "a.TEST");
    fake.serve = serve;
    served.ede = 3;
    fake_turn();
    assert_true(clients[0].case_kept && clients[1].case_kept);
    assert_int_equal(clients[1].reply_id, 77);
    assert_int_equal(clients[0].ede, EDE_NONE);
    assert_int_equal(clients[1].ede, 3);
    assert_non_null(strstr(clients[1].ede_text, "entry0"));
    assert_int_equal(clients[0].reply_len, clients[0].asked_len + 16);
}

static void retransmitted_query_gets_one_response(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    clients[0].id = 9;
    client_ask(&clients[0], "a.test");
    struct query *waiting = clients[0].waiting;
    client_ask(&clients[0], "A.test");
    assert_non_null(waiting);
    assert_null(clients[0].waiting);
    assert_int_equal(fake_counted(COUNTER_queries_retransmitted), 1);
    assert_int_equal(resolver_waiting(&resolver), 1);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
    assert_true(clients[0].case_kept); /* the letter case of the retransmission */
}

static void other_id_client_peer_or_connection_is_not_a_retransmission(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    clients[0].id = 1;
    client_ask(&clients[0], "a.test");
    addr_set_port(&clients[0].origin.client, 4001); /* another client behind the same proxy */
    client_ask(&clients[0], "a.test");
    addr_set_port(&clients[0].origin.peer, 4001);
    client_ask(&clients[0], "a.test");
    client_ask(&clients[1], "a.test");
    clients[2].origin.tcp = true; /* over TCP there are no retransmissions */
    client_ask(&clients[2], "a.test");
    client_ask(&clients[2], "a.test");
    assert_int_equal(resolver_waiting(&resolver), 7);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(clients[0].replies, 4);
    assert_int_equal(clients[2].replies, 2);
}

/* --- limits --- */

static void too_many_queries_get_an_error(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    resolver.queries.limit = 10;
    for (unsigned i = 0; i < 15; i++) {
        clients[i].id = (uint16_t)i;
        client_ask(&clients[i], "a.test");
    }
    assert_int_equal(fake_counted(COUNTER_queries_over_limit), 5);
    assert_int_equal(clients[14].rcode, RCODE_SERVFAIL);
    fake.serve = serve;
    fake_turn();
    for (unsigned i = 0; i < 15; i++)
        assert_int_equal(clients[i].replies, 1);
}

static void client_without_room_is_dropped(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    clients[0].no_room = true;
    client_ask(&clients[1], "a.test");
    fake.serve = serve;
    fake_turn();
    assert_int_equal(clients[0].replies, 0);
    assert_int_equal(clients[1].replies, 1);
    assert_int_equal(fake_counted(COUNTER_queries_dropped), 1);
}

static bool is_full;
static struct query *deferred;

static bool tell_full(const struct query *query)
{
    (void)query;
    return is_full;
}

static void take_deferred(struct query *query)
{
    deferred = query;
}

/* It may wait for long, and the server may be gone by then. */
static void deferred_query_refers_to_no_server(void **state)
{
    (void)state;
    struct origin_ops ops = client_ops;
    ops.full = tell_full;
    ops.deferred = take_deferred;
    resolver_begin(1, 1);
    fake.serve = serve;
    is_full = true;
    client_write(&clients[0], "a.test");
    client_init_origin(&clients[0]);
    clients[0].origin.ops = &ops;
    clients[0].origin.tcp = true;
    (void)query_start(&resolver, &clients[0].origin, (struct bytes){clients[0].asked, clients[0].asked_len});
    fake_turn();
    assert_non_null(deferred);
    assert_int_equal(clients[0].replies, 0);
    assert_null(deferred->server);
    is_full = false;
    query_retry(deferred);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].answers, 1);
}

static void dropped_query_leaves_its_lookup_to_the_cache(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    query_drop(clients[0].waiting, COUNTER_drops_client_gone);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(clients[0].replies, 0);
    client_ask(&clients[1], "a.test");
    assert_int_equal(clients[1].replies, 1);
}

/* --- expired data --- */

static void expired_answer_is_served_when_no_fresh_one_comes(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    config->cache.serve_stale = 86400;
    fake.serve = serve;
    served.ttl = 10;
    client_ask(&clients[0], "a.test");
    fake_turn();
    fake.serve = NULL;
    fake_pass(20000);
    client_ask(&clients[1], "a.test");
    fake_pass(1790);
    assert_int_equal(clients[1].replies, 0);
    fake_pass(20);
    assert_int_equal(clients[1].rcode + clients[1].replies, 1);
    assert_int_equal(clients[1].ede, EDE_STALE_ANSWER);
    client_ask(&clients[2], "a.test"); /* does not wait again */
    assert_int_equal(clients[2].replies, 1);
    assert_int_equal(clients[2].ede, EDE_STALE_ANSWER);
}

static void expired_answer_is_served_when_no_server_is_available(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    config->cache.serve_stale = 86400;
    fake.serve = serve;
    served.ttl = 10;
    client_ask(&clients[0], "a.test");
    fake_turn();
    fake.dial[1] = FAKE_REFUSES;
    fake_pass(60000);
    client_ask(&clients[1], "a.test");
    fake_pass(BACKOFF_FIRST);
    assert_int_equal(clients[1].replies, 1);
    assert_int_equal(clients[1].ede, EDE_STALE_ANSWER);
}

/* A refresh without waiters that fails does not remove the entry. */
static void failed_refresh_keeps_the_entry(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    config->cache.prefetch = true;
    config->cache.serve_stale = 86400;
    fake.serve = serve;
    served.ttl = 100;
    client_ask(&clients[0], "a.test");
    fake_turn();
    served.rcode = RCODE_SERVFAIL;
    fake_pass(92000);
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_int_equal(fake_counted(COUNTER_attempts_sent), 2);
    client_ask(&clients[2], "a.test");
    assert_int_equal(clients[2].rcode + clients[2].replies, 1);
    fake_pass(60000);
    client_ask(&clients[3], "a.test");
    fake_turn();
    assert_int_equal(clients[3].rcode + clients[3].replies, 1);
    assert_int_equal(clients[3].ede, EDE_STALE_ANSWER);
}

static void nothing_expired_is_given_when_that_is_off(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    served.ttl = 10;
    client_ask(&clients[0], "a.test");
    fake_turn();
    fake.serve = NULL;
    fake_pass(20000);
    client_ask(&clients[1], "a.test");
    fake_pass(4010);
    assert_int_equal(clients[1].rcode, RCODE_SERVFAIL);
}

static void popular_name_is_renewed_before_it_expires(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    config->cache.prefetch = true;
    fake.serve = serve;
    served.ttl = 100;
    client_ask(&clients[0], "a.test");
    fake_turn();
    fake_pass(50000);
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_int_equal(fake_counted(COUNTER_attempts_sent), 1);
    fake_pass(42000);
    client_ask(&clients[2], "a.test");
    fake_turn();
    assert_int_equal(fake_counted(COUNTER_attempts_sent), 2);
    fake_pass(50000);
    client_ask(&clients[3], "a.test");
    assert_int_equal(clients[3].replies, 1); /* at once */
}

/* --- memory --- */

static void new_resolver_survives_failed_allocations(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    struct resolver other;
    unsigned long n = 1;
    int status;
    do {
        mem_fail_at(n++);
        status = resolver_init(&other, &fake.loop, &fake.counters, config, cache, &groups, resolver.steps);
        mem_fail_at(0);
        assert_true(status == 0 || status == -ENOMEM);
    } while (status < 0);
    assert_true(n > 4);
    resolver_fini(&other);
}

/* --- anything in any order --- */

static void serve_anything(struct fake_conn *conn, const struct fake_frame *frame)
{
    static const uint16_t rcodes[] = {0, 0, 0, 0, 1, 2, 3, 5, 23};
    struct fake_answer answer = FAKE_ANSWER;
    uint8_t message[2048];
    answer.rcode = rcodes[below(sizeof rcodes / sizeof rcodes[0])];
    answer.truncated = below(20) == 0;
    answer.no_record = below(10) == 0;
    answer.ttl = 1 + below(40);
    answer.ede = below(5) ? EDE_NONE : (int)below(30);
    size_t len = fake_build(message, frame, &answer);
    switch (below(12)) {
    case 0:
        return;
    case 1:
        fake_deliver(conn, message, below((unsigned)len));
        return;
    case 2:
        message[below((unsigned)len)] ^= (uint8_t)(1 << below(8));
        break;
    case 3:
        fake_kill(conn, below(2) ? -ECONNRESET : ERROR_CLOSED);
        return;
    default:
        break;
    }
    fake_deliver(conn, message, len);
}

static void random_query(struct client *client)
{
    char name[32];
    if (client->waiting && !client->replies && below(2)) {
        query_drop(client->waiting, COUNTER_drops_client_gone);
        client->waiting = NULL;
        client->replies = 1; /* it expects none */
        return;
    }
    if (client->asked_len && !client->replies)
        return;
    memset(client, 0, sizeof *client);
    client->id = (uint16_t)(client - clients);
    client->no_edns = below(4) == 0;
    client->no_rd = below(20) == 0;
    client->origin.tcp = below(4) == 0;
    snprintf(name, sizeof name, "n%u.test", below(40));
    client_ask(client, name);
}

static void random_event(void)
{
    unsigned what = below(40);
    if (what == 0)
        fake.dial[1 + below(4)] = (enum fake_dial)below(4);
    else if (what == 1)
        fake_pass(below(3000));
    else if (what < 10)
        fake_pass(below(60));
    else if (what == 10 && fake_dials())
        fake_kill(fake_conn(fake_dials() - 1), -ECONNRESET);
    else if (what == 11 && fake_dials())
        fake_conn(fake_dials() - 1)->blocked = true;
    else if (what == 12)
        fake.serve = fake.serve ? NULL : serve_anything;
    else if (what == 13)
        fake.serve = serve_anything;
    else
        random_query(&clients[below(CLIENTS)]);
}

static void random_events(void **state)
{
    teardown(state);
    setup(state);
    resolver_begin(1 + below(2), 1 + below(2));
    config->limits.answer_by_ms = below(2) ? 4000 : 100;
    config->cache.serve_stale = below(2) ? 86400 : 0;
    config->cache.prefetch = below(2);
    resolver_configure(&resolver, config, resolver.steps);
    fake.serve = serve_anything;
    if (below(3) == 0)
        mem_fail_every(5 + below(60));
    for (unsigned i = 0; i < 1000; i++) {
        random_event();
        assert(books_hold());
    }
    mem_fail_every(0);
    fake_pass(4010);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert(!clients[i].asked_len || clients[i].replies == 1);
    assert(resolver_waiting(&resolver) == 0);
    fake_pass(12 * 10000);
    assert(resolver.lookups.in_use == 0);
    assert(fake_counted(COUNTER_queries_received) ==
           fake_counted(COUNTER_queries_finished) + fake_counted(COUNTER_queries_dropped));
}

static void random_operations_keep_the_accounting(void **state)
{
    resolver_begin(1, 1);
    for_each_seed(60, random_events, state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(non_queries_get_no_response),
        TEST(malformed_queries_get_the_rcode_of_their_kind),
        TEST(bytes_behind_a_query_are_ignored_and_counted),
        TEST(batch_is_taken_in_before_it_is_walked),
        TEST(query_without_rd_is_answered_from_the_cache_only),
        TEST(query_without_rd_from_beyond_loopback_does_not_see_the_cache),
        TEST(each_client_gets_its_own_question_section_and_opt),
        TEST(retransmitted_query_gets_one_response),
        TEST(other_id_client_peer_or_connection_is_not_a_retransmission),
        TEST(too_many_queries_get_an_error),
        TEST(client_without_room_is_dropped),
        TEST(deferred_query_refers_to_no_server),
        TEST(dropped_query_leaves_its_lookup_to_the_cache),
        TEST(expired_answer_is_served_when_no_fresh_one_comes),
        TEST(expired_answer_is_served_when_no_server_is_available),
        TEST(failed_refresh_keeps_the_entry),
        TEST(nothing_expired_is_given_when_that_is_off),
        TEST(popular_name_is_renewed_before_it_expires),
        TEST(new_resolver_survives_failed_allocations),
        TEST(random_operations_keep_the_accounting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
