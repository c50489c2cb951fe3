/* SPDX-License-Identifier: MIT */
/* Plain DNS over UDP: ids, ports, letter case, repetitions, what counts as a response, and what goes on over TCP. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/errors.h"
#include "base/mem.h"
#include "dns/codes.h"
#include "fake_datagrams.h"
#include "upstream/group.h"
#include "upstream/report.h"
#include "upstream/transport/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { MANY = 2000 };

static struct config *config;
static struct group *group;
static struct fake_ask asked[MANY];
static char corp_test[] = "corp.test";
static char *corp[] = {corp_test};

static int setup_with(unsigned addresses)
{
    fake_begin();
    config = fake_config(1, addresses);
    for (unsigned i = 0; i < addresses; i++)
        addr_set_port(&config->upstreams[0].addresses[i], 0);
    config->upstreams[0].plain_zones = corp;
    config->upstreams[0].plain_zone_count = 1;
    group = fake_group(config);
    memset(asked, 0, sizeof asked);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(1);
}

static int setup_two(void **state)
{
    (void)state;
    return setup_with(2);
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        attempt_cancel(&asked[i].attempt);
    fake_group_end(group);
    fake_end();
    return 0;
}

static void ask(unsigned i, const char *name)
{
    fake_ask(group, &asked[i], name);
    fake_turn();
}

static struct fake_datagram *take(unsigned n)
{
    struct fake_datagram *query = fake_udp_take(fake_udp(n));
    assert_non_null(query);
    return query;
}

static void take_nothing(unsigned n)
{
    assert_null(fake_udp_take(fake_udp(n)));
}

static uint16_t id_of(const struct fake_datagram *query)
{
    return read_u16(query->frame->data);
}

static void reply(unsigned n, struct fake_datagram *query)
{
    fake_udp_reply(fake_udp(n), query, NULL);
    fake_datagram_free(query);
    fake_turn();
}

/* A response like the right one, with one thing changed. */
static size_t build(const struct fake_datagram *query, uint8_t out[2048])
{
    const struct fake_answer answer = FAKE_ANSWER;
    return fake_build(out, query->frame, &answer);
}

static void assert_answered(unsigned i)
{
    assert_int_equal(asked[i].answered, 1);
    assert_int_equal(asked[i].ended, 1);
}

/* --- sending --- */

static void a_query_is_answered(void **state)
{
    (void)state;
    assert_ptr_equal(group->servers[0]->transport, &transport_udp);
    ask(0, "a.corp.test");
    struct fake_datagram *query = take(0);
    assert_int_equal(addr_port(&fake_udp(0)->to), 53);
    /* OPT: size 1232, an empty client subnet, and no keepalive (RFC 7828 section 3.2.1) */
    assert_memory_equal(query->frame->data + query->frame->len - 19, "\0\0\51\4\320\0\0\0\0\0\10\0\10\0\4\0\1\0\0", 19);
    reply(0, query);
    assert_answered(0);
    assert_int_equal(fake_counted(COUNTER_plain_udp_queries), 1);
    assert_int_equal(fake_dials(), 0);
}

static void only_names_in_the_zones_are_sent(void **state)
{
    (void)state;
    ask(0, "notcorp.test");
    ask(1, "test");
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(asked[i].status, ERROR_UPSTREAM_ANSWER);
    assert_int_equal(fake_udp(0)->written, 0);
    assert_int_equal(fake_counted(COUNTER_plain_refused), 2);
}

static void ids_ports_and_letter_case_are_drawn(void **state)
{
    (void)state;
    static uint16_t ids[MANY];
    static unsigned of_socket[DATAGRAMS_SOCKETS];
    unsigned used = 0, same_ids = 0, upper = 0, neighbours = 0;
    memset(of_socket, 0, sizeof of_socket);
    for (unsigned i = 0; i < MANY; i++) {
        char name[64];
        snprintf(name, sizeof name, "name%u.corp.test", i);
        ask(i, name);
        struct fake_datagram *query = take(0);
        ids[i] = id_of(query);
        of_socket[query->socket]++;
        for (size_t at = MESSAGE_HEADER; query->frame->data[at]; at++)
            upper += query->frame->data[at] >= 'A' && query->frame->data[at] <= 'Z';
        reply(0, query);
        assert_answered(i);
    }
    for (unsigned i = 0; i < DATAGRAMS_SOCKETS; i++)
        used += of_socket[i] > 0;
    for (unsigned i = 1; i < MANY; i++) {
        same_ids += ids[i] == ids[i - 1];
        neighbours += (uint16_t)(ids[i] - ids[i - 1]) == 1;
    }
    assert_int_equal(used, DATAGRAMS_SOCKETS); /* of 2000 draws */
    assert_true(same_ids < 5 && neighbours < 5);
    assert_in_range(upper, 11 * MANY / 2, 13 * MANY / 2); /* half of 12 letters */
}

static void a_port_is_used_for_a_hundred_queries(void **state)
{
    (void)state;
    static unsigned uses[UINT16_MAX + 1];
    unsigned most = 0;
    memset(uses, 0, sizeof uses);
    for (unsigned i = 0; i < 9000; i++) {
        memset(&asked[0], 0, sizeof asked[0]);
        ask(0, "a.corp.test");
        struct fake_datagram *query = take(0);
        unsigned used = ++uses[query->port];
        most = used > most ? used : most;
        reply(0, query);
        assert_answered(0);
    }
    assert_in_range(most, UDP_SOCKET_QUERIES, 3 * UDP_SOCKET_QUERIES); /* few sockets have the same port by chance */
    assert_in_range(fake_udp(0)->ports_drawn, 9000 / UDP_SOCKET_QUERIES, 9000 / UDP_SOCKET_QUERIES + DATAGRAMS_SOCKETS);
    assert_int_equal(fake_counted(COUNTER_plain_udp_ports), fake_udp(0)->ports_drawn);
}

static void a_used_up_port_is_replaced(void **state)
{
    (void)state;
    ask(0, "a.corp.test");
    struct fake_datagram *query = take(0);
    unsigned number = query->socket;
    uint16_t port = query->port;
    struct udp_session *udp = container_of(fake_udp(0)->datagrams, struct udp_session, datagrams);
    udp->sockets[number].used = UDP_SOCKET_QUERIES;
    for (unsigned i = 1; i < 500; i++) { /* while a query is outstanding the socket stays as it is */
        char name[64];
        snprintf(name, sizeof name, "name%u.corp.test", i);
        ask(i, name);
        struct fake_datagram *other = take(0);
        assert_int_not_equal(other->socket, number);
        reply(0, other);
    }
    reply(0, query);
    assert_answered(0);
    for (unsigned i = 500; fake_udp(0)->ports[number] == port; i++) {
        char name[64];
        assert_true(i < MANY);
        snprintf(name, sizeof name, "name%u.corp.test", i);
        ask(i, name);
        reply(0, take(0));
    }
    assert_int_equal(udp->sockets[number].used, 1);
}

static void without_descriptors_the_open_sockets_are_used(void **state)
{
    (void)state;
    fake_descriptors = 3;
    for (unsigned i = 0; i < 500; i++) {
        char name[64];
        snprintf(name, sizeof name, "name%u.corp.test", i);
        ask(i, name);
        reply(0, take(0));
        assert_answered(i);
    }
    assert_true(fake_udp(0)->datagrams->open <= 3);
}

static void one_question_is_outstanding_once(void **state)
{
    (void)state;
    ask(0, "a.corp.test");
    asked[1].key.flags = KEY_DO;
    ask(1, "a.corp.test");
    asked[2].key.flags = KEY_CD;
    ask(2, "a.corp.test");
    ask(3, "b.corp.test");
    struct fake_datagram *first = take(0), *other = take(0);
    take_nothing(0);
    assert_int_equal(fake_counted(COUNTER_plain_udp_held), 2);
    reply(0, other);
    assert_answered(3);
    take_nothing(0);
    reply(0, first);
    assert_answered(0);
    struct fake_datagram *second = take(0);
    take_nothing(0);
    attempt_cancel(&asked[2].attempt); /* while it is held */
    reply(0, second);
    assert_answered(1);
    take_nothing(0);
    ask(2, "a.corp.test"); /* and again */
    reply(0, take(0));
    assert_int_equal(asked[2].answered, 1);
}

/* --- what is a response --- */

static void a_wrong_id_or_question_is_ignored_and_counted(void **state)
{
    (void)state;
    uint8_t out[2048];
    ask(0, "a.corp.test");
    struct fake_datagram *query = take(0);
    size_t len = build(query, out);
    write_u16(out, (uint16_t)(id_of(query) + 1));
    fake_udp_deliver(fake_udp(0), query->socket, out, len);
    assert_int_equal(fake_counted(COUNTER_plain_udp_wrong_id), 1);
    len = build(query, out);
    out[MESSAGE_HEADER + 1] = 'b';
    fake_udp_deliver(fake_udp(0), query->socket, out, len);
    len = build(query, out);
    out[MESSAGE_HEADER + 13 + 1] = 28; /* AAAA */
    fake_udp_deliver(fake_udp(0), query->socket, out, len);
    assert_int_equal(fake_counted(COUNTER_plain_udp_wrong_question), 2);
    fake_udp_deliver(fake_udp(0), query->socket, out, 5);
    fake_udp_deliver(fake_udp(0), query->socket, query->frame->data, query->frame->len); /* a query */
    assert_int_equal(fake_counted(COUNTER_upstream_malformed), 2);
    fake_turn();
    assert_int_equal(asked[0].ended, 0);
    /* The right response to another socket. */
    ask(1, "b.corp.test");
    struct fake_datagram *other = take(0);
    while (other->socket == query->socket) {
        attempt_cancel(&asked[1].attempt);
        fake_datagram_free(other);
        ask(1, "b.corp.test");
        other = take(0);
    }
    len = build(query, out);
    fake_udp_deliver(fake_udp(0), other->socket, out, len);
    assert_int_equal(asked[0].ended, 0);
    fake_datagram_free(other);
    reply(0, query);
    assert_answered(0);
}

static void many_wrong_responses_send_a_query_over_tcp(void **state)
{
    (void)state;
    uint8_t out[2048];
    ask(0, "a.corp.test");
    struct fake_datagram *query = take(0);
    size_t len = build(query, out);
    for (unsigned i = 1; i <= UDP_WRONG; i++) {
        assert_int_equal(fake_counted(COUNTER_plain_udp_attacked), 0);
        write_u16(out, (uint16_t)(id_of(query) + i));
        fake_udp_deliver(fake_udp(0), query->socket, out, len);
    }
    assert_int_equal(fake_counted(COUNTER_plain_udp_attacked), 1);
    write_u16(out, id_of(query)); /* too late: a lucky guess does not count any more */
    fake_udp_deliver(fake_udp(0), query->socket, out, len);
    fake_turn();
    assert_int_equal(asked[0].ended, 0);
    struct fake_frame *frame = fake_take(fake_conn(0));
    assert_non_null(frame);
    assert_ptr_equal(fake_conn(0)->stream->layer, &byte_layer_plain);
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    assert_answered(0);
    fake_datagram_free(query);
}

static void another_letter_case_is_asked_again_over_tcp(void **state)
{
    (void)state;
    uint8_t out[2048];
    fake.serve = fake_serve_all;
    for (unsigned i = 0; i < LETTER_CASE_CHANGED; i++) {
        char name[64];
        snprintf(name, sizeof name, "abcdefghijklmnopqrstuvwxyz%u.corp.test", i);
        ask(i, name);
        struct fake_datagram *query = take(0);
        size_t len = build(query, out);
        name_lower(out + MESSAGE_HEADER, out + MESSAGE_HEADER, asked[i].key.name_len);
        fake_udp_deliver(fake_udp(0), query->socket, out, len);
        assert_int_equal(asked[i].ended, 0); /* not yet believed */
        fake_turn();
        assert_answered(i); /* over TCP */
        fake_datagram_free(query);
    }
    assert_int_equal(fake_counted(COUNTER_plain_udp_case), LETTER_CASE_CHANGED);
    assert_int_equal(fake_counted(COUNTER_plain_udp_unmixed), 1);
    assert_int_equal(fake_counted(COUNTER_plain_udp_over_tcp), LETTER_CASE_CHANGED);
    ask(10, "abcdefghijklmnopqrstuvwxyz.corp.test"); /* from now on in lower case, and answered over UDP */
    struct fake_datagram *query = take(0);
    assert_memory_equal(query->frame->data + MESSAGE_HEADER, asked[10].key.name, asked[10].key.name_len);
    reply(0, query);
    assert_answered(10);
}

static void a_truncated_response_is_asked_for_over_tcp(void **state)
{
    (void)state;
    struct fake_answer answer = FAKE_ANSWER;
    answer.truncated = true;
    ask(0, "a.corp.test");
    struct fake_datagram *query = take(0);
    fake_udp_reply(fake_udp(0), query, &answer);
    fake_turn();
    assert_int_equal(fake_counted(COUNTER_plain_udp_truncated), 1);
    struct fake_frame *frame = fake_take(fake_conn(0));
    assert_non_null(frame);
    assert_int_equal(asked[0].ended, 0);
    fake_reply(fake_conn(0), frame, NULL);
    free(frame);
    fake_datagram_free(query);
    assert_answered(0);
    fake_pass(UDP_TCP_IDLE + 100);
    assert_int_equal(fake_open(), 0); /* the connection is closed again */
}

static void a_connection_that_ends_is_made_again_once(void **state)
{
    (void)state;
    struct fake_answer answer = FAKE_ANSWER;
    answer.truncated = true;
    ask(0, "a.corp.test");
    struct fake_datagram *query = take(0);
    fake_udp_reply(fake_udp(0), query, &answer);
    fake_turn();
    fake_kill(fake_conn(0), ERROR_CLOSED);
    fake_turn();
    assert_int_equal(fake_dials(), 2);
    assert_int_equal(asked[0].ended, 0);
    fake_kill(fake_conn(1), ERROR_CLOSED);
    fake_turn();
    assert_int_equal(fake_dials(), 2);
    assert_int_equal(asked[0].status, ERROR_CLOSED);
    assert_int_equal(asked[0].attempt.outcome, OUTCOME_UNUSABLE);
    fake_datagram_free(query);
}

static void tcp_that_is_refused_fails_the_query_only(void **state)
{
    (void)state;
    struct fake_answer answer = FAKE_ANSWER;
    answer.truncated = true;
    ask(0, "a.corp.test");
    ask(1, "b.corp.test");
    struct fake_datagram *query = take(0), *other = take(0);
    fake.dial[1] = FAKE_FAILS_AT_ONCE;
    fake_udp_reply(fake_udp(0), query, &answer);
    fake_turn();
    fake_pass(20);
    assert_int_equal(asked[0].status, ERROR_UNANSWERED);
    reply(0, other);
    assert_answered(1);
    fake_datagram_free(query);
}

static void an_error_without_a_question_is_a_response(void **state)
{
    (void)state;
    uint8_t out[MESSAGE_HEADER] = {0};
    ask(0, "a.corp.test");
    struct fake_datagram *query = take(0);
    write_u16(out, id_of(query));
    out[2] = 0x80;
    out[3] = RCODE_FORMERR;
    fake_udp_deliver(fake_udp(0), query->socket, out, sizeof out);
    assert_int_equal(asked[0].attempt.outcome, OUTCOME_NO_EDNS);
    fake_datagram_free(query);
}

/* --- time --- */

static void a_query_is_sent_twice_under_other_secrets(void **state)
{
    (void)state;
    uint8_t out[2048];
    ask(0, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.corp.test");
    struct fake_datagram *first = take(0);
    fake_pass(UDP_FIRST_UNKNOWN - 20);
    take_nothing(0);
    fake_pass(40);
    struct fake_datagram *second = take(0);
    assert_int_equal(fake_counted(COUNTER_plain_udp_repeated), 1);
    assert_true(first->port != second->port || id_of(first) != id_of(second));
    assert_memory_not_equal(first->frame->data + MESSAGE_HEADER, second->frame->data + MESSAGE_HEADER, 53);
    reply(0, second);
    assert_answered(0);
    size_t len = build(first, out); /* the lost one was only late */
    fake_udp_deliver(fake_udp(0), first->socket, out, len);
    assert_int_equal(fake_counted(COUNTER_plain_udp_late), 1);
    fake_datagram_free(first);
}

static void the_response_to_the_first_transmission_counts_after_the_second(void **state)
{
    (void)state;
    uint8_t out[2048];
    ask(0, "a.corp.test");
    struct fake_datagram *first = take(0);
    fake_pass(UDP_FIRST_UNKNOWN + 20);
    struct fake_datagram *second = take(0);
    reply(0, first);
    assert_answered(0);
    assert_int_equal(group->servers[0]->rtt.smoothed_ms16 / 16, UDP_FIRST_UNKNOWN + 20);
    size_t len = build(second, out);
    fake_udp_deliver(fake_udp(0), second->socket, out, len);
    assert_int_equal(fake_counted(COUNTER_plain_udp_late), 1);
    fake_datagram_free(second);
}

/* Both transmissions end together, also if many wrong responses come to the socket of one or of both. */
static void a_query_that_is_attacked_leaves_both_sockets(void **state)
{
    (void)state;
    uint8_t out[2048];
    ask(0, "a.corp.test");
    struct fake_datagram *first = take(0);
    fake_pass(UDP_FIRST_UNKNOWN + 20);
    struct fake_datagram *second = take(0);
    size_t len = build(first, out);
    write_u16(out, (uint16_t)(id_of(first) ^ (id_of(first) ^ id_of(second) ^ 1 ? 1 : 2)));
    for (unsigned i = 0; i < UDP_WRONG; i++)
        fake_udp_deliver(fake_udp(0), first->socket, out, len);
    assert_int_equal(fake_counted(COUNTER_plain_udp_attacked), 1);
    len = build(second, out);
    fake_udp_deliver(fake_udp(0), second->socket, out, len);
    assert_int_equal(fake_counted(COUNTER_plain_udp_late), 1);
    assert_int_equal(asked[0].ended, 0);
    fake_datagram_free(first);
    fake_datagram_free(second);
}

static void a_name_without_response_fails_alone_if_others_are_answered(void **state)
{
    (void)state;
    ask(0, "slow.corp.test");
    fake_datagram_free(take(0));
    fake_pass(UDP_FIRST_UNKNOWN + 20);
    fake_datagram_free(take(0));
    fake_pass(1000);
    ask(1, "fast.corp.test");
    reply(0, take(0));
    assert_answered(1);
    fake_pass(UDP_SECOND - 900);
    assert_int_equal(asked[0].status, ERROR_UNANSWERED);
    assert_int_equal(asked[0].attempt.outcome, OUTCOME_UNUSABLE);
    assert_int_equal(fake_udp(0)->written, 3);
    ask(2, "next.corp.test"); /* the server is used as before */
    reply(0, take(0));
    assert_answered(2);
}

static void a_silent_server_fails_and_is_asked_for_its_zone_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "name%u.corp.test", i);
        asked[i].insists = i == 0;
        ask(i, name);
        fake_datagram_free(take(0));
    }
    fake_pass(UDP_FIRST_UNKNOWN + UDP_SECOND + 50);
    assert_int_equal(asked[1].status, ERROR_UNANSWERED);
    assert_int_equal(asked[1].attempt.outcome, OUTCOME_LOST_EXPLAINED);
    assert_int_equal(group->servers[0]->backoff.failures, 1);
    /* The next session asks for the SOA of the zone, and sends the queries when the response has come. */
    struct fake_datagram *probe = take(1);
    take_nothing(1);
    uint8_t name[] = "\4corp\4test";
    uint8_t lower[sizeof name];
    name_lower(lower, probe->frame->data + MESSAGE_HEADER, sizeof name);
    assert_memory_equal(lower, name, sizeof name);
    assert_int_equal(read_u16(probe->frame->data + MESSAGE_HEADER + sizeof name), TYPE_SOA);
    struct fake_answer answer = FAKE_ANSWER;
    answer.no_record = true;
    fake_udp_reply(fake_udp(1), probe, &answer);
    fake_datagram_free(probe);
    fake_turn();
    assert_int_equal(group->servers[0]->backoff.failures, 0);
    reply(1, take(1));
    assert_int_equal(asked[0].answered, 1);
}

static void a_refused_datagram_fails_the_server_at_once(void **state)
{
    (void)state;
    fake.dial[1] = FAKE_REFUSES;
    ask(0, "a.corp.test");
    struct server *used = asked[0].attempt.server;
    assert_int_equal(asked[0].status, -ECONNREFUSED);
    assert_int_equal(asked[0].attempt.outcome, OUTCOME_LOST_EXPLAINED);
    assert_ptr_equal(used, group->servers[0]);
    ask(1, "b.corp.test"); /* goes to the other server */
    assert_ptr_equal(asked[1].attempt.server, group->servers[1]);
    fake_pass(2000);
    attempt_cancel(&asked[1].attempt);
}

static void an_idle_session_ends_and_the_loop_sleeps(void **state)
{
    (void)state;
    ask(0, "a.corp.test");
    reply(0, take(0));
    fake_pass(UDP_IDLE - 100);
    assert_int_equal(group->servers[0]->open, 1);
    fake_pass(200);
    assert_int_equal(group->servers[0]->open, 0);
    assert_null(fake_udp(0)->datagrams);
    assert_int_equal(group->sessions, 0);
    ask(1, "b.corp.test");
    reply(1, take(1));
    assert_answered(1);
}

/* --- lookups --- */

static struct ask whole;
static int whole_status;
static unsigned whole_done;

static void note_done(struct ask *ask_done, int status, struct answer *answer)
{
    (void)ask_done, (void)answer;
    whole_status = status;
    whole_done++;
}

static void begin_lookup(const char *name)
{
    static struct key key;
    int len = name_from_text(key.name, name);
    key.name_len = (uint8_t)len;
    key.type = TYPE_A;
    key.class = CLASS_IN;
    memset(&whole, 0, sizeof whole);
    whole.done = note_done;
    whole_done = 0;
    ask_start(&whole, group, &key);
    fake_turn();
}

static void a_late_response_is_not_hedged_at_the_same_server(void **state)
{
    (void)state;
    unsigned most = 0;
    begin_lookup("a.corp.test");
    for (unsigned ms = 0; ms < 8000 && !whole_done; ms += 10) {
        fake_pass(10);
        if (group->servers[0]->open + group->servers[0]->dialing > most)
            most = group->servers[0]->open + group->servers[0]->dialing;
        assert_true(plain_of(group->servers[0])->asked.count <= 1);
        if (ms == 1000)
            ask_join(&whole);
    }
    assert_int_equal(most, 1);
    assert_int_equal(fake_counted(COUNTER_hedges_sent), 0);
    ask_cancel(&whole);
}

static void a_late_response_is_hedged_at_another_server(void **state)
{
    (void)state;
    begin_lookup("a.corp.test");
    fake_datagram_free(take(0));
    fake_pass(600);
    assert_int_equal(fake_counted(COUNTER_hedges_sent), 1);
    reply(1, take(1));
    assert_int_equal(whole_done, 1);
    assert_int_equal(whole_status, 0);
}

/* Answers the oldest query of the latest session; false: there is none. */
static bool answer_newest(void)
{
    struct fake_udp *udp = NULL;
    for (unsigned n = 0; fake_udp(n); n++)
        if (fake_udp(n)->datagrams)
            udp = fake_udp(n);
    struct fake_datagram *query = udp ? fake_udp_take(udp) : NULL;
    if (query)
        fake_udp_reply(udp, query, NULL);
    fake_datagram_free(query);
    fake_turn();
    return query != NULL;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    for (unsigned at = 1; at < 8; at++) {
        char name[64];
        snprintf(name, sizeof name, "name%u.corp.test", at);
        mem_fail_at(at);
        fake_ask(group, &asked[at], name);
        fake_turn();
        mem_fail_at(0);
        fake_pass(100);
        while (answer_newest()) /* after a failure the first query is for the SOA */
            ;
        assert_int_equal(asked[at].ended, 1);
        fake_pass(UDP_IDLE + 100); /* the next one begins a session */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(only_names_in_the_zones_are_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_ports_and_letter_case_are_drawn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_port_is_used_for_a_hundred_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(a_used_up_port_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(without_descriptors_the_open_sockets_are_used, setup, teardown),
        cmocka_unit_test_setup_teardown(one_question_is_outstanding_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_id_or_question_is_ignored_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(many_wrong_responses_send_a_query_over_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(another_letter_case_is_asked_again_over_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(a_truncated_response_is_asked_for_over_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_that_ends_is_made_again_once, setup, teardown),
        cmocka_unit_test_setup_teardown(tcp_that_is_refused_fails_the_query_only, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_without_a_question_is_a_response, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_is_sent_twice_under_other_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(the_response_to_the_first_transmission_counts_after_the_second, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_query_that_is_attacked_leaves_both_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_without_response_fails_alone_if_others_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_server_fails_and_is_asked_for_its_zone_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_datagram_fails_the_server_at_once, setup_two, teardown),
        cmocka_unit_test_setup_teardown(an_idle_session_ends_and_the_loop_sleeps, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_response_is_not_hedged_at_the_same_server, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_response_is_hedged_at_another_server, setup_two, teardown),
        cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
