/* SPDX-License-Identifier: MIT */
/* Lookups: shared, retried, given up, cached. */
#include <errno.h>
#include <stdio.h>
#include "base/mem.h"
#include "fake_client.h"
#include "resolve/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CLIENTS 5000
static struct client clients[CLIENTS];
/* The behaviour of the server for each query. */
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

static unsigned last_byte(const struct fake_conn *conn)
{
    return ntohl(conn->to.in.sin_addr.s_addr) & 0xff;
}

static unsigned written(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fake_dials(); i++)
        count += fake_conn(i)->written;
    return count;
}

/* Servers that responded to a query with an OPT before: a failure is not attributed to the OPT. */
static void begin_with_servers_that_understand_edns(unsigned entries, unsigned addresses)
{
    resolver_begin(entries, addresses);
    for (size_t i = 0; i < group->server_count; i++)
        group->servers[i]->edns.understood = true;
}

/* Sends a query for a new name. */
static void ask_nth(unsigned n)
{
    char name[32];
    snprintf(name, sizeof name, "name%u.test", n);
    clients[n].id = (uint16_t)n;
    client_ask(&clients[n], name);
}

/* --- sharing --- */

static void one_upstream_query_serves_all_clients(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].id = (uint16_t)(i * 7);
        clients[i].origin.client.in.sin_family = AF_INET;
        clients[i].origin.client.in.sin_port = htons((uint16_t)(1024 + i));
        client_ask(&clients[i], i % 2 ? "www.example.test" : "WWW.eXample.test");
        assert_non_null(clients[i].waiting);
    }
    fake.serve = serve;
    fake_pass(100); /* they are called in several turns */
    assert_int_equal(written(), 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].replies, 1);
        assert_int_equal(clients[i].reply_id, clients[i].id);
        assert_true(clients[i].case_kept);
        assert_int_equal(clients[i].answers, 1);
    }
    assert_int_equal(fake_counted(COUNTER_lookups_joined), CLIENTS - 1);
}

static void answer_serves_later_queries_from_the_cache(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    client_ask(&clients[0], "a.test");
    fake_turn();
    client_ask(&clients[1], "a.test");
    assert_int_equal(clients[1].replies, 1);
    assert_int_equal(written(), 1);
}

static void lookups_during_a_flush_are_answered_and_not_cached(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_turn();
    cache_flush(cache);
    client_ask(&clients[1], "b.test");
    fake.serve = serve;
    fake_pass(10);
    struct fake_frame *frame;
    while ((frame = fake_take(fake_conn(0))))
        serve(fake_conn(0), frame);
    fake_turn();
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(clients[1].answers, 1);
    assert_int_equal(fake_counted(COUNTER_cache_not_stored), 1);
    client_ask(&clients[1], "b.test");
    assert_int_equal(written(), 2);
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(written(), 3);
}

/* The record that the flush is to make known may be newer than the response that is on its way. */
static void lookup_from_before_a_flush_is_not_joined(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_turn();
    struct fake_frame *before = fake_take(fake_conn(0));
    assert_non_null(before);
    cache_flush(cache);
    client_ask(&clients[1], "a.test");
    client_ask(&clients[2], "a.test");
    fake_turn();
    assert_int_equal(written(), 2);
    struct fake_frame *after = fake_take(fake_conn(0));
    assert_non_null(after);
    serve(fake_conn(0), before);
    fake_turn();
    assert_int_equal(clients[0].answers, 1);
    assert_int_equal(clients[1].replies + clients[2].replies, 0);
    served.no_record = true;
    served.rcode = RCODE_NXDOMAIN;
    serve(fake_conn(0), after);
    fake_turn();
    assert_int_equal(clients[1].rcode, RCODE_NXDOMAIN);
    assert_int_equal(clients[2].rcode, RCODE_NXDOMAIN);
    assert_int_equal(fake_counted(COUNTER_lookups_joined), 1);
    free(before);
    free(after);
}

/* The retransmission belongs to a query from before the flush. */
static void retransmission_after_a_flush_hurries_the_lookup_of_its_query(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(2000);
    for (unsigned i = 0; i < fake_dials(); i++)
        for (struct fake_frame *lost; (lost = fake_take(fake_conn(i)));)
            free(lost);
    cache_flush(cache);
    fake.serve = serve;
    struct query *waiting = clients[0].waiting;
    client_ask(&clients[0], "a.test");
    clients[0].waiting = waiting;
    assert_int_equal(fake_counted(COUNTER_queries_retransmitted), 1);
    fake_pass(1020);
    assert_int_equal(clients[0].rcode + clients[0].replies, 1);
}

/* --- many waiters --- */

enum { MANY = 3500 };
static struct client many[MANY];

static void respond(void)
{
    struct fake_frame *frame = fake_take(fake_conn(0));
    assert_non_null(frame);
    serve(fake_conn(0), frame);
    free(frame);
}

static unsigned count_replies(uint16_t rcode)
{
    unsigned replies = 0;
    for (unsigned i = 0; i < MANY; i++) {
        assert_in_range(many[i].replies, 0, 1);
        assert_int_equal(many[i].replies ? many[i].rcode : rcode, rcode);
        replies += many[i].replies;
    }
    return replies;
}

static void ask_many(const char *name)
{
    config->limits.udp_waiting = MANY;
    for (unsigned i = 0; i < MANY; i++) {
        many[i] = (struct client){.id = (uint16_t)i};
        client_ask(&many[i], name);
    }
}

/* 1,000 each time, so that other queries need not wait for all. */
static void many_waiters_are_called_in_several_turns(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    ask_many("a.test");
    fake_turn();
    assert_int_equal(written(), 1);
    respond();
    assert_int_equal(count_replies(RCODE_NOERROR), 1000);
    client_ask(&clients[0], "a.test"); /* from the cache */
    assert_int_equal(clients[0].replies, 1);
    for (unsigned expected = 2000; expected < MANY; expected += 1000) {
        fake_pass(1);
        assert_int_equal(count_replies(RCODE_NOERROR), expected);
        assert_true(books_hold());
    }
    fake_pass(1);
    assert_int_equal(count_replies(RCODE_NOERROR), MANY);
    assert_int_equal(resolver.lookups.in_use, 0);
    assert_int_equal(written(), 1);
}

static void many_waiters_of_a_failure_are_called_in_several_turns(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    ask_many("a.test");
    fake_turn();
    struct share *share = share_of(&resolver.shares, &many[0].origin.client);
    lookup_fail(container_of(share_oldest(share, SHARE_LOOKUPS), struct lookup, in_share), ERROR_LIMIT);
    assert_int_equal(count_replies(RCODE_SERVFAIL), 1000);
    fake_pass(40);
    assert_int_equal(count_replies(RCODE_SERVFAIL), MANY);
    assert_int_equal(resolver.lookups.in_use, 0);
}

/* The time of those that were not called yet ends: they get the response at once. */
static void many_waiters_whose_time_ends_meanwhile_are_answered(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    ask_many("a.test");
    fake_pass(3475);
    respond();
    assert_int_equal(count_replies(RCODE_NOERROR), 1000);
    fake_pass(1000);
    assert_int_equal(count_replies(RCODE_NOERROR), MANY);
}

static void a_stop_calls_many_waiters_at_once(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    ask_many("a.test");
    fake_turn();
    respond();
    resolver_stop(&resolver);
    assert_int_equal(count_replies(RCODE_NOERROR), MANY);
}

/* --- limits.answer-by --- */

static void query_is_answered_in_time_and_the_late_response_is_cached(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(3470);
    assert_int_equal(clients[0].replies, 0);
    fake_pass(20); /* the timer may be late; the client's time is 3.5 s */
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[0].ede, EDE_NETWORK_ERROR);
    struct fake_frame *frame = fake_take(fake_conn(0));
    fake_pass(500);
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    assert_int_equal(clients[0].replies, 1);
    client_ask(&clients[1], "a.test");
    assert_int_equal(clients[1].replies, 1);
    assert_int_equal(clients[1].rcode, RCODE_NOERROR);
}

static void refused_servers_are_named_in_the_answer(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.dial[1] = FAKE_REFUSES;
    fake_pass(2000);
    client_ask(&clients[0], "a.test");
    fake_pass(BACKOFF_FIRST);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[0].ede, EDE_NETWORK_ERROR);
    assert_non_null(strstr(clients[0].ede_text, "refused"));
    fake.dial[1] = FAKE_ACCEPTS; /* and it is not cached */
    fake.serve = serve;
    fake_pass(1000);
    client_ask(&clients[1], "a.test");
    fake_turn();
    assert_int_equal(clients[1].rcode, RCODE_NOERROR);
}

static void of_several_servers_that_fail_the_first_is_named(void **state)
{
    (void)state;
    resolver_begin(3, 1);
    fake.dial[1] = fake.dial[2] = fake.dial[3] = FAKE_REFUSES;
    fake_pass(2000);
    client_ask(&clients[0], "a.test");
    fake_pass(5000);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_memory_equal(clients[0].ede_text, "entry0: ", 8);
}

static void silence_on_a_healthy_session_is_no_network_error(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(5000);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_non_null(strstr(clients[0].ede_text, "did not answer in time"));
}

/* --- hedges --- */

static void late_query_is_hedged_on_another_session(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(PATIENCE_UNKNOWN - 10);
    assert_int_equal(written(), 1);
    fake_pass(300);
    assert_int_equal(fake_dials(), 2);
    assert_int_equal(fake_conn(1)->written, 1);
    fake_pass(2500);
    assert_int_equal(written(), 2);
    struct fake_frame *frame = fake_take(fake_conn(1));
    fake_reply(fake_conn(1), frame, NULL);
    free(frame);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_NOERROR);
}

static void hedges_have_a_budget(void **state)
{
    (void)state;
    resolver_begin(1, 2);
    for (unsigned i = 0; i < 1000; i++)
        ask_nth(i);
    fake_pass(3000);
    assert_in_range(written(), 1001, 1000 + 1000 * 8 / 100 + 20);
}

static unsigned frames_to_lose;

static void serve_lossy(struct fake_conn *conn, const struct fake_frame *frame)
{
    if (frames_to_lose > 0)
        frames_to_lose--;
    else
        fake_reply(conn, frame, NULL);
}

static void retry_waits_for_the_budget(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve_lossy;
    frames_to_lose = 26; /* six more than may be hedged at once */
    for (unsigned i = 0; i < 26; i++)
        ask_nth(i);
    for (unsigned i = 26; i < 226; i++) { /* these are answered, and earn budget */
        fake_pass(10);
        ask_nth(i);
    }
    fake_turn();
    for (unsigned i = 0; i < 226; i++)
        assert_int_equal(clients[i].replies, 1);
    assert_int_equal(written(), 226 + 26);
}

/* All waiting clients got SERVFAIL; a later client need not wait for responses that will never come. */
static void query_after_the_waiters_of_its_lookup_gave_up_is_answered(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(5000);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    fake.serve = serve;
    for (unsigned i = 0; i < fake_dials(); i++)
        for (struct fake_frame *lost; (lost = fake_take(fake_conn(i)));)
            free(lost);
    client_ask(&clients[1], "a.test");
    fake_pass(100);
    assert_int_equal(clients[1].rcode + clients[1].replies, 1);
}

/* The name's queries are lost, others are answered: a client that joins causes an attempt within a second. */
static void client_that_joins_is_answered_within_a_second(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned wait_ms = 300; wait_ms < 3400; wait_ms += 300) {
        teardown(state);
        setup(state);
        resolver_begin(1, 1);
        client_ask(&clients[0], "a.test");
        fake_pass(wait_ms);
        for (unsigned i = 0; i < fake_dials(); i++)
            for (struct fake_frame *lost; (lost = fake_take(fake_conn(i)));)
                free(lost);
        fake.serve = serve;
        client_ask(&clients[1], "a.test");
        fake_pass(1020);
        assert_int_equal(clients[1].rcode + clients[1].replies, 1);
        assert_int_equal(clients[0].rcode + clients[0].replies, 1);
    }
}

/* The response takes 4.5 s, and a client joins every 300 ms: the first attempt is not given up for the attempts
 * that they cause. */
static void clients_that_join_do_not_drive_a_slow_response_away(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_turn();
    struct fake_frame *frame = fake_take(fake_conn(0));
    for (unsigned i = 1; i < 15; i++) {
        fake_pass(300);
        client_ask(&clients[i], "a.test");
    }
    assert_in_range(written(), 3, 7);
    fake_pass(300);
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    for (unsigned i = 5; i < 15; i++)
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
}

static void server_without_responses_gets_few_hedges(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned i = 0; i < 100; i++)
        ask_nth(i);
    fake_pass(3900);
    assert_in_range(written(), 101, 100 + 4 * PROBES);
}

/* Many queries and hedges are lost at once; later queries are answered. */
static void lost_queries_are_retried_regardless_of_the_budget(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve_lossy;
    for (unsigned i = 0; i < 20; i++) { /* so that response times are known */
        ask_nth(i);
        fake_pass(10);
    }
    unsigned before = written();
    frames_to_lose = 1000;
    for (unsigned i = 100; i < 300; i++) {
        ask_nth(i);
        if (i % 4 == 0)
            fake_pass(1);
    }
    fake_pass(50);
    frames_to_lose = 0;
    unsigned probes = written() - before - 200;
    for (unsigned i = 400; i < 440; i++) {
        ask_nth(i);
        fake_pass(10);
    }
    unsigned late = 0;
    for (unsigned i = 100; i < 300; i++)
        late += clients[i].replies == 0;
    assert_in_range(probes, 1, 4 * PROBES);
    assert_in_range(late, 0, probes); /* their hedges were lost, too: they get a third attempt */
    fake_pass(3000);
    for (unsigned i = 100; i < 300; i++)
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
    assert_in_range(written(), 0, before + 40 + 2 * 200 + 2 * probes);
}

static void silent_session_is_replaced_and_its_queries_are_answered(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    ask_nth(0);
    fake_turn();
    fake.serve = NULL; /* from here on the first session is silent, others work */
    for (unsigned i = 1; i < 100; i++)
        ask_nth(i);
    for (unsigned t = 0; t < 100; t++) {
        struct fake_frame *frame;
        fake_pass(10);
        for (unsigned c = 1; c < fake_dials(); c++)
            while ((frame = fake_take(fake_conn(c)))) {
                fake_reply(fake_conn(c), frame, NULL);
                free(frame);
            }
    }
    for (unsigned i = 1; i < 100; i++)
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
    assert_true(fake_conn(0)->closed_by_us);
}

/* Answers all but one name after 20 ms, that one after 3 s, on any session. */
static void answer_with_one_slow_name(uint64_t slow_ms, struct fake_conn *conn)
{
    struct list_link *link = list_first(&conn->frames), *after;
    for (; link; link = after) {
        struct fake_frame *frame = container_of(link, struct fake_frame, link);
        after = list_next(&conn->frames, link);
        if (frame->data[13] == 's' && slow_ms < 3000)
            continue;
        list_remove(link);
        fake_reply(conn, frame, NULL);
        free(frame);
    }
}

static void slow_name_costs_no_session(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    for (unsigned i = 0; i < 20; i++) { /* so that response times are known */
        ask_nth(i);
        fake_pass(100);
    }
    fake.serve = NULL;
    client_ask(&clients[1000], "slow.test");
    uint64_t asked_ms = fake_now();
    for (unsigned t = 0; t < 200; t++) {
        if (t % 50 == 10)
            ask_nth(100 + t);
        fake_pass(20);
        for (unsigned c = 0; c < fake_dials(); c++)
            answer_with_one_slow_name(fake_now() - asked_ms, fake_conn(c));
    }
    assert_int_equal(clients[1000].rcode + clients[1000].replies, 1);
    assert_in_range(clients[1000].replied_ms - asked_ms, 3000, 3050);
    assert_int_equal(fake_counted(COUNTER_sessions_retired), 0);
    assert_int_equal(fake_counted(COUNTER_sessions_reset), 0);
    for (unsigned t = 10; t < 200; t += 50)
        assert_int_equal(clients[100 + t].rcode + clients[100 + t].replies, 1);
}

static void single_slow_name_ends_no_session(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    for (unsigned i = 0; i < 20; i++) {
        ask_nth(i);
        fake_pass(100);
    }
    fake.serve = NULL;
    client_ask(&clients[1000], "slow.test");
    fake_pass(3000);
    struct fake_frame *frame = fake_take(fake_conn(0));
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    fake_pass(2000);
    assert_int_equal(clients[1000].rcode + clients[1000].replies, 1);
    assert_int_equal(fake_counted(COUNTER_sessions_retired), 0);
}

/* --- lost sessions --- */

static void queries_of_a_lost_session_are_retried_at_once(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned i = 0; i < 100; i++)
        ask_nth(i);
    fake_turn();
    fake.serve = serve;
    fake_kill(fake_conn(0), -ECONNRESET);
    fake_turn();
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
    assert_int_equal(fake_counted(COUNTER_attempts_resent), 100);
}

static void broken_frame_loses_no_query(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned i = 0; i < 100; i++)
        ask_nth(i);
    fake_turn();
    fake.serve = serve;
    fake_deliver(fake_conn(0), "\0\1\2", 3);
    fake_turn();
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
}

static unsigned per_session;

static void serve_some_and_close(struct fake_conn *conn, const struct fake_frame *frame)
{
    if (conn->stream->state != STREAM_OPEN)
        return;
    fake_reply(conn, frame, &served);
    if ((conn->written - 1) % per_session == per_session - 1 || list_empty(&conn->frames) || per_session == 1)
        fake_kill(conn, ERROR_CLOSED);
}

static void server_that_closes_after_each_answer_answers_all(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    per_session = 1;
    fake.serve = serve_some_and_close;
    for (unsigned i = 0; i < 100; i++)
        ask_nth(i);
    fake_pass(3900);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
}

/* Answers every query, except one that makes the server reset its session. */
static void serve_but_die_of_one(struct fake_conn *conn, const struct fake_frame *frame)
{
    if (frame->data[13] == 'k')
        fake_kill(conn, -ECONNRESET);
    else
        fake_reply(conn, frame, &served);
}

static void query_that_ends_its_sessions_fails_and_no_other(void **state)
{
    (void)state;
    resolver_begin(1, 2);
    fake.serve = serve_but_die_of_one;
    for (unsigned i = 0; i < 400; i++) {
        if (i == 100)
            client_ask(&clients[4000], "killer.test");
        ask_nth(2 * i);
        ask_nth(2 * i + 1);
        fake_pass(10);
    }
    for (unsigned i = 0; i < 800; i++)
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
    assert_int_equal(clients[4000].replies, 1);
    assert_int_equal(clients[4000].rcode, RCODE_SERVFAIL);
    assert_in_range(fake_counted(COUNTER_sessions_reset), 1, 12);
}

/* The query is not the cause: the server ends every session. */
static void isolated_query_is_retried_if_other_sessions_are_lost_too(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[4000], "slow.test");
    for (unsigned round = 0; round < 4; round++) {
        ask_nth(round);
        fake_pass(20);
        for (unsigned i = 0; i < fake_dials(); i++)
            if (fake_conn(i)->stream)
                fake_kill(fake_conn(i), -ECONNRESET);
        fake_pass(COINCIDENCE + 10);
    }
    assert_int_equal(clients[4000].replies, 0);
    fake.serve = serve;
    fake_pass(1000);
    assert_int_equal(clients[4000].rcode + clients[4000].replies, 1);
}

static unsigned killers;

static void serve_and_count_killers(struct fake_conn *conn, const struct fake_frame *frame)
{
    killers += frame->data[13] == 'k';
    serve_but_die_of_one(conn, frame);
}

static void query_that_ends_its_sessions_gets_three_attempts(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    killers = 0;
    fake.serve = serve_and_count_killers;
    ask_nth(0);
    fake_pass(100);
    client_ask(&clients[4000], "killer.test");
    fake_pass(500);
    assert_int_equal(clients[4000].rcode, RCODE_SERVFAIL);
    assert_int_equal(killers, 3);
}

/* --- unusable and error responses --- */

static void serve_malformed(struct fake_conn *conn, const struct fake_frame *frame)
{
    uint8_t out[2048];
    size_t len = fake_build(out, frame, &FAKE_ANSWER);
    fake_deliver(conn, out, len - 1);
}

static void malformed_response_is_retried_once(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve_malformed;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(written(), 2);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[0].ede, EDE_INVALID_DATA);
}

static void truncated_answer_is_never_given(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    served.truncated = true;
    fake.serve = serve;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(written(), 2);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_false(clients[0].flags & FLAG_TC);
}

static void serve_only_without_edns(struct fake_conn *conn, const struct fake_frame *frame)
{
    struct fake_answer answer = FAKE_ANSWER;
    answer.rcode = read_u16(frame->data + 10) ? RCODE_FORMERR : RCODE_NOERROR;
    fake_reply(conn, frame, &answer);
}

static void server_without_edns_gets_queries_without(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve_only_without_edns;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(written(), 2);
    assert_int_equal(clients[0].rcode + clients[0].replies, 1);
}

static void serve_bare_formerr(struct fake_conn *conn, const struct fake_frame *frame)
{
    uint8_t header[MESSAGE_HEADER] = {frame->data[0], frame->data[1], 0x81, 0x80 | RCODE_FORMERR};
    if (read_u16(frame->data + 10))
        fake_deliver(conn, header, sizeof header);
    else
        fake_reply(conn, frame, NULL);
}

static void bare_header_causes_a_retry_without_edns(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve_bare_formerr;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(clients[0].rcode + clients[0].replies, 1);
}

/* Upstream 1 has the addresses .1 and .2 and responds as the test says; upstream 2 has .3 and .4 and works. */
static void serve_by_entry(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, last_byte(conn) <= 2 ? &served : NULL);
}

static void serve_by_byte(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, last_byte(conn) == 1 ? &served : NULL);
}

static void failure_is_retried_at_another_upstream(void **state)
{
    (void)state;
    begin_with_servers_that_understand_edns(2, 2);
    fake.serve = serve_by_entry;
    served.rcode = RCODE_SERVFAIL;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(written(), 2);
    assert_int_equal(last_byte(fake_conn(0)), 1);
    assert_int_equal(last_byte(fake_conn(1)), 3);
    assert_int_equal(clients[0].rcode + clients[0].replies, 1);
}

static void deprioritized_server_is_used_last(void **state)
{
    (void)state;
    begin_with_servers_that_understand_edns(2, 2);
    fake.serve = serve_by_entry;
    served.rcode = RCODE_SERVFAIL;
    for (unsigned i = 0; i < 100; i++) {
        ask_nth(i);
        fake_turn();
        assert_int_equal(clients[i].rcode + clients[i].replies, 1);
    }
    assert_int_equal(written(), 100 + DEPRIORITIZED_AFTER);
    fake_pass(DEPRIORITIZED_FIRST + 1);
    ask_nth(100); /* goes to the first server again */
    fake_turn();
    assert_int_equal(fake_conn(0)->written, DEPRIORITIZED_AFTER + 1);
    fake_pass(DEPRIORITIZED_FIRST + 1);
    ask_nth(101); /* deprioritized for longer this time */
    fake_turn();
    assert_int_equal(fake_conn(0)->written, DEPRIORITIZED_AFTER + 1);
}

static void server_that_fails_now_and_then_is_not_deprioritized(void **state)
{
    (void)state;
    resolver_begin(2, 1);
    fake.serve = serve_by_byte;
    for (unsigned i = 0; i < 100; i++) {
        served.rcode = i % 10 ? RCODE_NOERROR : RCODE_SERVFAIL;
        ask_nth(i);
        fake_turn();
    }
    assert_true(fake_conn(0)->written > 30);
}

static void failure_is_not_retried_at_another_address_of_the_upstream(void **state)
{
    (void)state;
    begin_with_servers_that_understand_edns(1, 4);
    fake.serve = serve;
    served.rcode = RCODE_REFUSED;
    client_ask(&clients[0], "a.test");
    fake_turn();
    assert_int_equal(written(), 1);
    assert_int_equal(clients[0].rcode, RCODE_REFUSED);
}

static void failure_is_the_response_when_the_other_upstream_is_down(void **state)
{
    (void)state;
    resolver_begin(2, 1);
    fake.dial[2] = FAKE_REFUSES;
    fake.serve = serve;
    served.rcode = RCODE_SERVFAIL;
    client_ask(&clients[0], "a.test");
    fake_pass(2500);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
}

/* The first upstream fails; the second one's session is lost once, before or after its first response. */
static void failed_server_gets_no_retry_when_the_other_loses_a_session(void **state)
{
    begin_with_servers_that_understand_edns(2, 1);
    for (unsigned useful = 0; useful < 2; useful++) {
        teardown(state);
        setup(state);
        begin_with_servers_that_understand_edns(2, 1);
        served.rcode = RCODE_SERVFAIL;
        if (useful) {
            fake.serve = serve_by_byte;
            ask_nth(1);
            fake_turn();
            assert_int_equal(clients[1].rcode + clients[1].replies, 1);
        }
        fake.serve = NULL;
        ask_nth(0);
        fake_turn();
        struct fake_frame *frame = fake_take(fake_conn(0));
        fake_reply(fake_conn(0), frame, &served);
        free(frame);
        fake_turn();
        assert_int_equal(fake_conn(1)->written, 1 + useful);
        fake_kill(fake_conn(1), -ECONNRESET);
        fake.serve = serve_by_byte;
        fake_pass(100);
        assert_int_equal(clients[0].rcode + clients[0].replies, 1);
        assert_int_equal(fake_conn(0)->written, 1 + useful);
        assert_int_equal(last_byte(fake_conn(2)), 2);
    }
}

static void policy_failure_is_not_retried(void **state)
{
    (void)state;
    static const int verdicts[] = {1, 2, 5, 6, 12, 15, 16, 17, 18, 27};
    resolver_begin(2, 1);
    fake.serve = serve;
    served.rcode = RCODE_SERVFAIL;
    for (unsigned i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        served.ede = verdicts[i];
        ask_nth(i);
        fake_turn();
        assert_int_equal(clients[i].ede, verdicts[i]);
        assert_int_equal(written(), i + 1);
    }
    served.ede = 22;
    ask_nth(100);
    fake_turn();
    assert_int_equal(fake_dials(), 2);
}

static void failure_is_cached_for_a_moment(void **state)
{
    (void)state;
    begin_with_servers_that_understand_edns(1, 1);
    fake.serve = serve;
    served.rcode = RCODE_SERVFAIL;
    client_ask(&clients[0], "a.test");
    fake_turn();
    served = FAKE_ANSWER;
    fake_pass(900);
    client_ask(&clients[1], "a.test");
    assert_int_equal(clients[1].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[1].ede, EDE_CACHED_ERROR);
    assert_int_equal(written(), 1);
    fake_pass(200);
    client_ask(&clients[2], "a.test");
    fake_turn();
    assert_int_equal(clients[2].rcode + clients[2].replies, 1);
}

/* Sends a query from the nth client; returns the number of upstream queries that it caused. */
static unsigned ask_again(unsigned n, const char *name)
{
    unsigned before = written();
    client_ask(&clients[n], name);
    fake_turn();
    assert_int_equal(clients[n].replies, 1);
    return written() - before;
}

/* RFC 9520, for any kind of failure. */
static void failure_of_any_kind_is_remembered(void **state)
{
    static const uint16_t rcodes[] = {RCODE_SERVFAIL, RCODE_REFUSED, RCODE_NOTIMP, RCODE_FORMERR, 9, 0};
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve;
    for (unsigned i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        char name[] = "a.test";
        name[0] += (char)i;
        served.rcode = rcodes[i];
        served.truncated = rcodes[i] == 0; /* TC over TCP */
        assert_in_range(ask_again(10 * i, name), 1, 2);
        assert_int_equal(ask_again(10 * i + 1, name), 0);
        assert_int_equal(clients[10 * i + 1].rcode, clients[10 * i].rcode);
        assert_int_equal(clients[10 * i + 1].ede, EDE_CACHED_ERROR);
        clients[10 * i + 2].no_rd = true; /* does not get the cached failure */
        assert_int_equal(ask_again(10 * i + 2, name), 0);
        assert_int_equal(clients[10 * i + 2].rcode, RCODE_REFUSED);
    }
    fake.serve = serve_malformed;
    assert_in_range(ask_again(100, "malformed.test"), 1, 2);
    assert_int_equal(ask_again(101, "malformed.test"), 0);
    assert_int_equal(clients[101].ede, EDE_CACHED_ERROR);
}

static void failure_is_remembered_for_longer_while_it_lasts(void **state)
{
    static const unsigned seconds[] = {1, 2, 4, 8, 8};
    (void)state;
    begin_with_servers_that_understand_edns(1, 1);
    fake.serve = serve;
    served.rcode = RCODE_SERVFAIL;
    for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        assert_int_equal(ask_again(10 * i, "a.test"), 1);
        fake_pass(seconds[i] * 1000 - 100);
        assert_int_equal(ask_again(10 * i + 1, "a.test"), 0);
        fake_pass(200);
    }
    served = FAKE_ANSWER;
    assert_int_equal(ask_again(60, "a.test"), 1);
    assert_int_equal(clients[60].rcode, RCODE_NOERROR);
    fake_pass(301 * 1000);
    served.rcode = RCODE_SERVFAIL; /* after a usable response the next failure lasts one second */
    assert_int_equal(ask_again(61, "a.test"), 1);
    fake_pass(1100);
    assert_int_equal(ask_again(62, "a.test"), 1);
}

static void flush_ends_cached_failures(void **state)
{
    (void)state;
    begin_with_servers_that_understand_edns(1, 1);
    fake.serve = serve;
    served.rcode = RCODE_SERVFAIL;
    ask_again(0, "a.test");
    cache_flush(cache);
    assert_int_equal(ask_again(1, "a.test"), 1);
}

static struct {
    struct fake_conn *conn;
    _Alignas(struct fake_frame) uint8_t frame[sizeof(struct fake_frame) + 512];
} last_silent;

/* Answers every name but those that begin with "s". */
static void serve_all_but_s(struct fake_conn *conn, const struct fake_frame *frame)
{
    if (frame->data[13] != 's') {
        fake_reply(conn, frame, &served);
        return;
    }
    assert_true(frame->len <= 512);
    last_silent.conn = conn;
    memcpy(last_silent.frame, frame, sizeof *frame + frame->len);
}

static void silence_for_one_name_is_cached_and_for_all_is_not(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve_all_but_s;
    client_ask(&clients[0], "silent.test");
    for (unsigned i = 0; i < 150 && resolver.lookups.in_use > 0; i++) {
        ask_nth(100 + i);
        fake_pass(100);
    }
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(resolver.lookups.in_use, 0);
    assert_int_equal(ask_again(1, "silent.test"), 0);
    assert_int_equal(clients[1].ede, EDE_CACHED_ERROR);

    fake.serve = NULL; /* no name is answered */
    client_ask(&clients[2], "a.test");
    fake_pass(25000);
    assert_int_equal(clients[2].rcode, RCODE_SERVFAIL);
    assert_int_equal(resolver.lookups.in_use, 0);
    fake.serve = serve;
    assert_in_range(ask_again(3, "a.test"), 1, 2);
    assert_int_equal(clients[3].rcode, RCODE_NOERROR);
}

/* RFC 9520: the failure is remembered for a second, although the server may be the cause. */
static void name_without_a_response_is_not_waited_for_within_a_second(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned i = 0; i < 3; i++) {
        client_ask(&clients[10 * i], "a.test");
        fake_pass(3600);
        assert_int_equal(clients[10 * i].rcode, RCODE_SERVFAIL);
        assert_int_equal(ask_again(10 * i + 1, "a.test"), 0);
        assert_int_equal(clients[10 * i + 1].ede, EDE_CACHED_ERROR);
        fake_pass(1000);
    }
    client_ask(&clients[40], "b.test");
    fake_pass(10);
    for (unsigned i = 0; i < fake_dials(); i++)
        fake_conn(i)->unacknowledged = true; /* the server cannot be reached */
    fake.dial[1] = FAKE_HANGS;
    fake_pass(3600);
    assert_int_equal(clients[40].rcode, RCODE_SERVFAIL);
    client_ask(&clients[41], "b.test");
    fake_turn();
    assert_int_equal(clients[41].replies, 0);
}

/* The client got an error at limits.answer-by; the lookup goes on, and a late response ends the failure. */
static void name_that_timed_out_fails_at_once(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.serve = serve_all_but_s;
    client_ask(&clients[0], "silent.test");
    for (unsigned i = 0; clients[0].replies == 0; i++) {
        ask_nth(100 + i);
        fake_pass(100);
    }
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(ask_again(1, "silent.test"), 0);
    assert_int_equal(clients[1].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[1].ede, EDE_CACHED_ERROR);
    fake_reply(last_silent.conn, (const struct fake_frame *)(const void *)last_silent.frame, &served);
    assert_int_equal(ask_again(2, "silent.test"), 0);
    assert_int_equal(clients[2].rcode, RCODE_NOERROR);
}

static void failed_prefetch_leaves_the_entry(void **state)
{
    static const uint16_t rcodes[] = {RCODE_SERVFAIL, RCODE_REFUSED, RCODE_FORMERR, RCODE_NOTIMP, RCODE_SERVFAIL};
    (void)state;
    resolver_begin(1, 1);
    config->cache.prefetch = true;
    for (unsigned i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        char name[] = "a.test";
        name[0] += (char)i;
        served = FAKE_ANSWER;
        fake.serve = serve;
        ask_again(10 * i, name);
        fake_pass(271 * 1000); /* of 300 */
        served.rcode = rcodes[i];
        served.ede = i < 4 ? 15 + (int)i : 6; /* filtered, or a failed validation: cached like other failures */
        assert_in_range(ask_again(10 * i + 1, name), 1, 2);
        for (unsigned second = 0; second < 28; second++) {
            clients[10 * i + 2].replies = 0;
            ask_again(10 * i + 2, name);
            assert_int_equal(clients[10 * i + 2].rcode, RCODE_NOERROR);
            assert_int_equal(clients[10 * i + 2].answers, 1);
            fake_pass(1000);
        }
    }
}

/* RFC 8914: filtered, in a response that answers. */
static void filtered_response_replaces_the_entry(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    config->cache.prefetch = true;
    fake.serve = serve;
    ask_again(0, "a.test");
    fake_pass(271 * 1000);
    served.ede = 17;
    assert_int_equal(ask_again(1, "a.test"), 1);
    assert_int_equal(clients[1].ede, EDE_NONE);
    ask_again(2, "a.test");
    assert_int_equal(clients[2].ede, 17);
}

/* Takes the query of the first client, and stores a response to it as another worker would. */
static struct fake_frame *store_as_another_worker(uint32_t ttl)
{
    uint8_t wire[2048];
    static struct answer_scratch scratch;
    struct answer answer;
    struct fake_frame *frame = fake_take(fake_conn(0));
    assert_non_null(frame);
    assert_int_equal(message_own_answer(wire, fake_build(wire, frame, &FAKE_ANSWER), &scratch, &answer), 0);
    answer.ttl = ttl;
    struct key key = clients[0].waiting->key;
    assert_int_equal(cache_put(cache, &key, key_hash(&key), &answer, fake_now(), cache_epoch(cache)), 0);
    return frame;
}

static void failure_of_another_worker_leaves_a_fresh_entry(void **state)
{
    (void)state;
    begin_with_servers_that_understand_edns(1, 1);
    client_ask(&clients[0], "a.test");
    fake_turn();
    struct fake_frame *frame = store_as_another_worker(300);
    served.rcode = RCODE_SERVFAIL;
    fake_reply(fake_conn(0), frame, &served);
    free(frame);
    assert_int_equal(clients[0].rcode, RCODE_NOERROR);
    assert_int_equal(ask_again(1, "a.test"), 0);
    assert_int_equal(clients[1].rcode, RCODE_NOERROR);
}

/* Whatever ends the lookup, and also without stale data. */
static void fresh_entry_of_another_worker_comes_before_a_failure(void **state)
{
    resolver_begin(1, 1);
    for (unsigned how = 0; how < 4; how++) {
        teardown(state);
        setup(state);
        begin_with_servers_that_understand_edns(1, 1);
        config->cache.serve_stale = 0;
        config->cache.stale_answer_after_ms = how == 0 ? 1800 : 3600 * 1000;
        resolver_configure(&resolver, config, resolver.steps);
        client_ask(&clients[0], "a.test");
        fake_turn();
        struct fake_frame *frame = store_as_another_worker(300);
        served.rcode = RCODE_SERVFAIL;
        served.ede = how == 3 ? 6 : EDE_NONE; /* a failed validation: no other data counts */
        if (how >= 2)
            fake_reply(fake_conn(0), frame, &served);
        free(frame);
        fake_pass(how == 0 ? 1850 : 3600);
        assert_int_equal(clients[0].replies, 1);
        assert_int_equal(clients[0].rcode, how == 3 ? RCODE_SERVFAIL : RCODE_NOERROR);
        assert_int_equal(clients[0].answers, how != 3);
        assert_int_equal(fake_counted(COUNTER_responses_stale), 0);
        assert_int_equal(clients[0].ede, how == 3 ? 6 : EDE_NONE);
    }
}

/* --- stale data --- */

static void begin_stale(void)
{
    resolver_begin(1, 1);
    config->cache.serve_stale = 86400;
    config->cache.stale_answer_after_ms = 1800;
    resolver_configure(&resolver, config, resolver.steps);
}

/* A response that cannot be stored: a negative one without SOA. */
static void response_that_is_not_stored_ends_the_expired_entry(void **state)
{
    (void)state;
    begin_stale();
    fake.serve = serve;
    ask_again(0, "a.test");
    fake_pass(301 * 1000);
    served.no_record = true;
    assert_int_equal(ask_again(1, "a.test"), 1);
    assert_int_equal(clients[1].answers, 0);
    served.rcode = RCODE_SERVFAIL;
    ask_again(2, "a.test");
    assert_int_equal(clients[2].rcode, RCODE_SERVFAIL);
}

static void stale_data_comes_before_a_failure(void **state)
{
    (void)state;
    begin_stale();
    fake.serve = serve;
    ask_again(0, "a.test");
    fake_pass(301 * 1000);
    served.rcode = RCODE_SERVFAIL;
    for (unsigned i = 1; i < 4; i++) {
        assert_in_range(ask_again(i, "a.test"), 0, i == 1);
        assert_int_equal(clients[i].ede, EDE_STALE_ANSWER);
        fake_pass(10);
    }
    served.ede = 6; /* but not before a failed validation */
    fake_pass(11000);
    ask_again(4, "a.test"); /* refreshes in the background */
    ask_again(5, "a.test");
    assert_int_equal(clients[5].rcode, RCODE_SERVFAIL);
    assert_int_equal(clients[5].ede, EDE_CACHED_ERROR);
}

/* A late response is not a failure: the name is not stale for the next half minute. */
/* Its data was fresh when the lookup was late; so the next query after it expires waits for a lookup. */
static void key_with_a_fresh_entry_is_not_failing(void **state)
{
    (void)state;
    begin_stale();
    client_ask(&clients[0], "a.test");
    fake_turn();
    free(store_as_another_worker(5));
    fake_pass(1850);
    assert_int_equal(clients[0].rcode, RCODE_NOERROR);
    assert_int_equal(clients[0].ede, EDE_NONE);
    fake_pass(6000);
    fake.serve = serve;
    ask_again(1, "a.test");
    assert_int_equal(clients[1].rcode, RCODE_NOERROR);
    assert_int_equal(clients[1].ede, EDE_NONE);
}

static void late_response_ends_staleness(void **state)
{
    (void)state;
    begin_stale();
    served.ttl = 5;
    fake.serve = serve;
    ask_again(0, "a.test");
    fake_pass(6000);
    fake.serve = NULL;
    client_ask(&clients[1], "a.test");
    fake_pass(2200);
    assert_int_equal(clients[1].ede, EDE_STALE_ANSWER);
    ask_again(2, "a.test");
    assert_int_equal(clients[2].ede, EDE_STALE_ANSWER);
    for (struct fake_frame *frame; (frame = fake_take(fake_conn(0)));) {
        fake_reply(fake_conn(0), frame, &served);
        free(frame);
    }
    fake_pass(6000);
    fake.serve = serve;
    assert_int_equal(ask_again(3, "a.test"), 1);
    assert_int_equal(clients[3].ede, EDE_NONE);
    assert_int_equal(clients[3].answers, 1);
}

static void ttl_of_zero_serves_only_waiting_queries(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    served.no_record = true; /* no SOA either */
    client_ask(&clients[0], "a.test");
    client_ask(&clients[1], "a.test");
    fake.serve = serve;
    fake_turn();
    assert_int_equal(written(), 1);
    client_ask(&clients[2], "a.test");
    fake_turn();
    assert_int_equal(written(), 2);
    assert_int_equal(fake_counted(COUNTER_cache_not_stored), 2);
}

/* --- the end --- */

static void stop_answers_everybody(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned i = 0; i < 1000; i++)
        ask_nth(i);
    fake_turn();
    resolver_stop(&resolver);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(clients[i].replies, 1);
        assert_int_equal(clients[i].rcode, RCODE_SERVFAIL);
        assert_int_equal(clients[i].ede, EDE_OTHER);
    }
    ask_nth(1000);
    assert_int_equal(clients[1000].replies, 1);
    assert_int_equal(clients[1000].rcode, RCODE_SERVFAIL);
}

static void failed_allocations_lose_no_query(void **state)
{
    unsigned long asked_for = 0;
    resolver_begin(1, 2);
    for (unsigned long n = 1; n <= asked_for + 1; n++) {
        teardown(state);
        setup(state);
        resolver_begin(1, 2);
        fake.serve = serve;
        mem_fail_at(n);
        for (unsigned i = 0; i < 100; i++)
            ask_nth(i);
        fake_pass(100);
        fake_kill(fake_conn(0), -ECONNRESET);
        for (unsigned i = 100; i < 200; i++)
            ask_nth(i);
        fake_pass(5000);
        asked_for = mem_asked();
        mem_fail_at(0);
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(clients[i].replies, 1);
        assert_true(books_hold());
    }
    assert_true(asked_for > 10);
}

static void memory_that_fails_often_breaks_nothing(void **state)
{
    resolver_begin(1, 2);
    for (unsigned long every = 2; every < 40; every++) {
        teardown(state);
        setup(state);
        resolver_begin(1, 2);
        per_session = 7;
        fake.serve = serve_some_and_close;
        mem_fail_every(every);
        for (unsigned i = 0; i < 300; i++) {
            ask_nth(i);
            fake_pass(7);
            assert_true(books_hold());
        }
        fake_pass(5000);
        mem_fail_every(0);
        for (unsigned i = 0; i < 300; i++)
            assert_int_equal(clients[i].replies, 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_upstream_query_serves_all_clients),
        TEST(answer_serves_later_queries_from_the_cache),
        TEST(lookups_during_a_flush_are_answered_and_not_cached),
        TEST(lookup_from_before_a_flush_is_not_joined),
        TEST(retransmission_after_a_flush_hurries_the_lookup_of_its_query),
        TEST(query_is_answered_in_time_and_the_late_response_is_cached),
        TEST(refused_servers_are_named_in_the_answer),
        TEST(of_several_servers_that_fail_the_first_is_named),
        TEST(silence_on_a_healthy_session_is_no_network_error),
        TEST(late_query_is_hedged_on_another_session),
        TEST(hedges_have_a_budget),
        TEST(retry_waits_for_the_budget),
        TEST(query_after_the_waiters_of_its_lookup_gave_up_is_answered),
        TEST(client_that_joins_is_answered_within_a_second),
        TEST(clients_that_join_do_not_drive_a_slow_response_away),
        TEST(server_without_responses_gets_few_hedges),
        TEST(lost_queries_are_retried_regardless_of_the_budget),
        TEST(silent_session_is_replaced_and_its_queries_are_answered),
        TEST(slow_name_costs_no_session),
        TEST(single_slow_name_ends_no_session),
        TEST(queries_of_a_lost_session_are_retried_at_once),
        TEST(broken_frame_loses_no_query),
        TEST(server_that_closes_after_each_answer_answers_all),
        TEST(query_that_ends_its_sessions_fails_and_no_other),
        TEST(isolated_query_is_retried_if_other_sessions_are_lost_too),
        TEST(query_that_ends_its_sessions_gets_three_attempts),
        TEST(malformed_response_is_retried_once),
        TEST(truncated_answer_is_never_given),
        TEST(server_without_edns_gets_queries_without),
        TEST(bare_header_causes_a_retry_without_edns),
        TEST(failure_is_retried_at_another_upstream),
        TEST(deprioritized_server_is_used_last),
        TEST(server_that_fails_now_and_then_is_not_deprioritized),
        TEST(failure_is_not_retried_at_another_address_of_the_upstream),
        TEST(failure_is_the_response_when_the_other_upstream_is_down),
        TEST(failed_server_gets_no_retry_when_the_other_loses_a_session),
        TEST(policy_failure_is_not_retried),
        TEST(failure_is_cached_for_a_moment),
        TEST(failure_of_any_kind_is_remembered),
        TEST(failure_is_remembered_for_longer_while_it_lasts),
        TEST(flush_ends_cached_failures),
        TEST(silence_for_one_name_is_cached_and_for_all_is_not),
        TEST(name_without_a_response_is_not_waited_for_within_a_second),
        TEST(name_that_timed_out_fails_at_once),
        TEST(failed_prefetch_leaves_the_entry),
        TEST(filtered_response_replaces_the_entry),
        TEST(failure_of_another_worker_leaves_a_fresh_entry),
        TEST(fresh_entry_of_another_worker_comes_before_a_failure),
        TEST(response_that_is_not_stored_ends_the_expired_entry),
        TEST(stale_data_comes_before_a_failure),
        TEST(key_with_a_fresh_entry_is_not_failing),
        TEST(late_response_ends_staleness),
        TEST(ttl_of_zero_serves_only_waiting_queries),
        TEST(stop_answers_everybody),
        TEST(many_waiters_are_called_in_several_turns),
        TEST(many_waiters_of_a_failure_are_called_in_several_turns),
        TEST(many_waiters_whose_time_ends_meanwhile_are_answered),
        TEST(a_stop_calls_many_waiters_at_once),
        TEST(failed_allocations_lose_no_query),
        TEST(memory_that_fails_often_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
