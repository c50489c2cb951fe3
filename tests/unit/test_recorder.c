/* SPDX-License-Identifier: MIT */
/* resolve/recorder and lookup_record: which queries are recorded, where their time went, and the id in the extended
 * error. */
#include <errno.h>
#include <stdio.h>
#include "base/mem.h"
#include "fake_client.h"
#include "resolve/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct client clients[100];
static struct fake_answer served;
static struct record records[RECORDER_ALL];
static unsigned kept;

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

static void look(void)
{
    memset(records, 0xee, sizeof records);
    kept = recorder_copy(&resolver.recorder, records);
}

static void assert_phases(const struct record *record)
{
    uint32_t sum = 0;
    for (int i = 0; i < PHASES; i++)
        sum += record->phase_ms[i];
    assert_int_equal(sum, record->total_ms);
}

static bool is_named(const struct client *client, uint32_t id)
{
    char text[RECORD_ID_TEXT], wanted[16];
    snprintf(wanted, sizeof wanted, " [%s]", record_id_text(id, text));
    const char *found = strstr(client->ede_text, wanted);
    return found && found[strlen(wanted)] == '\0';
}

/* --- which --- */

static void fast_queries_are_not_recorded(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(499);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
    look();
    assert_int_equal(kept, 0);
    client_ask(&clients[0], "a.test"); /* a hit */
    look();
    assert_int_equal(kept, 0);
    assert_int_equal(histogram_count(&resolver.tally.misses), 1);
    assert_int_equal(resolver.tally.misses.sum, 499);
}

/* Our own SERVFAIL says nothing about the latency of upstreams; it is counted by reason. */
static void failures_are_no_latency(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(3600);
    assert_int_equal(clients[0].replies, 1);
    assert_int_equal(histogram_count(&resolver.tally.misses), 0);
    assert_int_equal(fake_counted(COUNTER_queries_failed), 1);
    assert_string_equal(reasons_top(&resolver.tally.failures)->text, error_text(ERROR_UNANSWERED));
    fake.serve = serve;
    fake_pass(10000);
}

static void a_slow_query_is_recorded(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "WWW.a.test");
    fake_pass(600);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(clients[0].replies, 1);
    look();
    assert_int_equal(kept, 1);
    assert_int_equal(records[0].kind, RECORD_SLOW);
    assert_int_equal(records[0].total_ms, 600);
    assert_int_equal(records[0].ended_ms, fake_now());
    assert_int_equal(records[0].rcode, RCODE_NOERROR);
    assert_int_equal(records[0].ede_code, EDE_NONE);
    assert_true(name_equal(records[0].key.name, (const uint8_t *)"\3www\1a\4test"));
    assert_string_equal(records[0].asked.upstream, config->upstreams[0].name);
    assert_false(records[0].joined || records[0].stale || records[0].tcp);
    assert_phases(&records[0]);
    assert_true(records[0].phase_ms[PHASE_ANSWER] + records[0].phase_ms[PHASE_RETRIES] == 600);
}

static void a_failure_is_recorded_with_its_id(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    fake.dial[1] = FAKE_REFUSES;
    client_ask(&clients[0], "a.test");
    fake_pass(3000);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    look();
    assert_int_equal(kept, 1);
    assert_int_equal(records[0].kind, RECORD_FAILED);
    assert_int_equal(records[0].rcode, RCODE_SERVFAIL);
    assert_int_equal(records[0].ede_code, EDE_NETWORK_ERROR);
    assert_int_equal(records[0].session, RECORD_NO_SESSION);
    assert_string_equal(records[0].ede_text, clients[0].ede_text);
    assert_true(is_named(&clients[0], records[0].id));
    assert_phases(&records[0]);
    assert_true(records[0].phase_ms[PHASE_PLACE] == records[0].total_ms);
}

static void the_failure_of_a_server_is_recorded_with_its_text(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    served.rcode = RCODE_SERVFAIL;
    fake.serve = serve;
    client_ask(&clients[0], "a.test");
    fake_turn();
    look();
    assert_int_equal(kept, 1);
    assert_int_equal(records[0].kind, RECORD_FAILED);
    assert_true(is_named(&clients[0], records[0].id));
    assert_non_null(strstr(clients[0].ede_text, "the server answered SERVFAIL"));
    uint32_t id = records[0].id;
    client_ask(&clients[1], "a.test"); /* a cached failure: the cause is the same, and no new record is made */
    look();
    assert_int_equal(kept, 1);
    assert_int_equal(clients[1].ede, EDE_CACHED_ERROR);
    assert_int_equal(records[0].id, id);
}

static void serve_formerr(struct fake_conn *conn, const struct fake_frame *frame)
{
    struct fake_answer answer = FAKE_ANSWER;
    answer.rcode = RCODE_FORMERR;
    fake_reply(conn, frame, &answer);
}

static void a_long_name_is_cut_and_the_id_added(void **state)
{
    (void)state;
    static char name[] = "an-upstream-with-a-very-long-name-of-which-the-first-64-bytes-are-told-only";
    resolver_begin(1, 1);
    config->upstreams[0].name = name;
    fake.serve = serve_formerr;
    client_ask(&clients[0], "a.test");
    fake_pass(3000);
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    look();
    assert_int_equal(kept, 1);
    static const char told[] =
        "an-upstream-with-a-very-long-name-of-which-the-first-64-bytes-ar: the server responded FORMERR";
    assert_memory_equal(clients[0].ede_text, told, sizeof told - 1);
    assert_true(is_named(&clients[0], records[0].id));
}

static void queries_of_one_lookup_share_a_record(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    for (unsigned i = 0; i < 10; i++) {
        clients[i].id = (uint16_t)i;
        client_ask(&clients[i], "a.test");
        fake_pass(10);
    }
    served.rcode = RCODE_SERVFAIL;
    fake.serve = serve;
    fake_turn();
    look();
    assert_int_equal(kept, 1);
    assert_int_equal(records[0].queries, 10);
    assert_int_equal(records[0].total_ms, 100);
    for (unsigned i = 0; i < 10; i++)
        assert_true(is_named(&clients[i], records[0].id));
}

static void a_query_that_joined_late_is_recorded(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "a.test");
    fake_pass(3300);
    clients[1].id = 1;
    client_ask(&clients[1], "a.test");
    fake_pass(400); /* the first one has timed out */
    assert_int_equal(clients[0].rcode, RCODE_SERVFAIL);
    fake_pass(600);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(clients[1].rcode, RCODE_NOERROR);
    look();
    assert_int_equal(kept, 2);
    assert_int_equal(records[0].kind, RECORD_SLOW);
    assert_int_equal(records[0].total_ms, 1000);
    assert_true(records[0].joined);
    assert_false(records[1].joined);
    assert_phases(&records[0]);
    assert_phases(&records[1]);
}

/* --- how many --- */

static void the_newest_records_are_kept(void **state)
{
    (void)state;
    char name[32];
    resolver_begin(1, 1);
    served.rcode = RCODE_SERVFAIL;
    fake.serve = serve;
    for (unsigned i = 0; i < RECORDER_KEPT + 10; i++) {
        snprintf(name, sizeof name, "name%03u.test", i);
        client_ask(&clients[i], name);
        fake_turn();
    }
    look();
    assert_int_equal(kept, RECORDER_KEPT);
    for (unsigned i = 0; i < kept; i++) {
        snprintf(name, sizeof name, "\7name%03u\4test", RECORDER_KEPT + 9 - i);
        assert_true(name_equal(records[i].key.name, (const uint8_t *)name));
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(records[i].id, records[j].id);
    }
}

static void failures_do_not_replace_slow_queries(void **state)
{
    (void)state;
    resolver_begin(1, 1);
    client_ask(&clients[0], "slow.test");
    fake_pass(700);
    fake.serve = serve;
    fake_turn();
    served.rcode = RCODE_SERVFAIL;
    for (unsigned i = 1; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "name%u.test", i);
        client_ask(&clients[i], name);
        fake_turn();
    }
    look();
    assert_int_equal(kept, 1 + RECORDER_KEPT);
    assert_int_equal(records[0].kind, RECORD_SLOW);
    assert_int_equal(records[1].kind, RECORD_FAILED);
}

static void ids_wrap_and_are_never_zero(void **state)
{
    (void)state;
    struct recorder recorder = {.last_id = 0xfffffe};
    resolver_begin(1, 1);
    assert_int_equal(recorder_next_id(&recorder), 0xffffff);
    assert_int_equal(recorder_next_id(&recorder), 1);
}

/* --- traces --- */

static struct trace trace;
static unsigned traces_done;

static void trace_is_done(struct trace *done)
{
    assert_ptr_equal(done, &trace);
    traces_done++;
}

static void trace_name(const char *name)
{
    memset(&trace, 0, sizeof trace);
    trace.key = (struct key){.type = TYPE_A, .class = CLASS_IN, .name_len = (uint8_t)(strlen(name) + 1)};
    memcpy(trace.key.name, name, trace.key.name_len);
    trace.done = trace_is_done;
    traces_done = 0;
    trace_begin(&trace, &resolver);
}

static struct prefix anybody[] = {{.bits = 96, .bytes = {[10] = 0xff, [11] = 0xff, [12] = 192}}};

static void begin_for_traces(void)
{
    resolver_begin(1, 1);
    config->access.allow = anybody;
    config->access.allow_count = 1;
}

static void a_trace_queries_and_reports_the_outcome(void **state)
{
    (void)state;
    begin_for_traces();
    trace_name("\1a\4test");
    fake_pass(30);
    assert_int_equal(traces_done, 0);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(traces_done, 1);
    assert_string_equal(trace.step, "lookup");
    assert_true(trace.looked && trace.cached == CACHE_MISS && trace.waited);
    assert_int_equal(trace.record.total_ms, 30);
    assert_int_equal(trace.record.phase_ms[PHASE_ANSWER], 30);
    assert_int_equal(trace.record.id, 0); /* neither slow nor failed: not recorded */
    assert_int_equal(read_u16(trace.answer + 6), 1);
    assert_true(books_hold());
    look();
    assert_int_equal(kept, 0);
    unsigned asked = fake_conn(0)->written;
    trace_name("\1a\4test"); /* the entry is reported, and an upstream query is sent nevertheless */
    fake_turn();
    assert_int_equal(traces_done, 1);
    assert_true(trace.cached == CACHE_HIT && trace.ttl > 0);
    assert_int_equal(fake_conn(0)->written, asked + 1);
}

static void a_trace_joins_a_lookup_in_progress(void **state)
{
    (void)state;
    begin_for_traces();
    client_ask(&clients[0], "a.test");
    fake_pass(20);
    trace_name("\1a\4test");
    fake_pass(30);
    fake.serve = serve;
    fake_turn();
    assert_int_equal(traces_done, 1);
    assert_true(trace.record.joined);
    assert_int_equal(trace.record.total_ms, 30);
    assert_int_equal(fake_conn(0)->written, 1);
}

static void a_failed_trace_is_recorded(void **state)
{
    (void)state;
    begin_for_traces();
    fake.dial[1] = FAKE_REFUSES;
    trace_name("\1a\4test");
    fake_pass(3000);
    assert_int_equal(traces_done, 1);
    look();
    assert_int_equal(kept, 1);
    assert_int_equal(trace.record.id, records[0].id);
    assert_int_equal(trace.answer[3] & 15, RCODE_SERVFAIL);
}

static void a_trace_ends_with_the_worker(void **state)
{
    (void)state;
    begin_for_traces();
    trace_name("\1a\4test");
    fake_turn();
    resolver_stop(&resolver);
    assert_int_equal(traces_done, 1);
    trace_name("\1a\4test");
    assert_int_equal(traces_done, 1);
    assert_false(trace.waited);
}

static void a_trace_is_refused_if_no_client_is_allowed(void **state)
{
    (void)state;
    begin_for_traces();
    config->access.allow_count = 0;
    trace_name("\1a\4test");
    assert_int_equal(traces_done, 1);
    assert_string_equal(trace.step, "cache"); /* the first step of this order */
    assert_int_equal(trace.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(fast_queries_are_not_recorded),
        TEST(failures_are_no_latency),
        TEST(a_slow_query_is_recorded),
        TEST(a_failure_is_recorded_with_its_id),
        TEST(the_failure_of_a_server_is_recorded_with_its_text),
        TEST(a_long_name_is_cut_and_the_id_added),
        TEST(queries_of_one_lookup_share_a_record),
        TEST(a_query_that_joined_late_is_recorded),
        TEST(the_newest_records_are_kept),
        TEST(failures_do_not_replace_slow_queries),
        TEST(a_trace_queries_and_reports_the_outcome),
        TEST(a_trace_joins_a_lookup_in_progress),
        TEST(a_failed_trace_is_recorded),
        TEST(a_trace_ends_with_the_worker),
        TEST(a_trace_is_refused_if_no_client_is_allowed),
        TEST(ids_wrap_and_are_never_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
