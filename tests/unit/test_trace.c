/* SPDX-License-Identifier: MIT */
/* Traces: their reports for each outcome of a query. */
#include <stdio.h>
#include "fake_client.h"
#include "resolve/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A step before the cache that returns this verdict. */
static enum verdict verdict;
static struct list waiting;

static enum verdict run_policy(struct query *query, void *state)
{
    (void)state;
    if (verdict == DROPPED)
        return query_drop(query, COUNTER_drops_policy);
    if (verdict == ANSWERED)
        return query_error(query, RCODE_REFUSED, EDE_NONE, NULL);
    if (verdict == NEXT)
        return NEXT;
    struct query *parked = query_park(query);
    assert_non_null(parked);
    list_push_back(&waiting, &parked->in_step);
    return WAITING;
}

static const struct step step_policy = {.name = "policy", .run = run_policy};
static const struct step *const order[] = {&step_policy, &step_cache, &step_lookup, NULL};

static struct trace trace;
static unsigned ended;

static void serve(struct fake_conn *conn, const struct fake_frame *frame)
{
    fake_reply(conn, frame, &FAKE_ANSWER);
}

static int setup(void **state)
{
    (void)state;
    fake_begin();
    fake.serve = serve;
    list_init(&waiting);
    verdict = NEXT;
    ended = 0;
    client_order = order;
    resolver_begin(1, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_end();
    fake_end();
    return 0;
}

static void trace_ended(struct trace *of)
{
    assert_ptr_equal(of, &trace);
    ended++;
}

static void begin(void)
{
    memset(&trace, 0, sizeof trace);
    ended = 0;
    trace.key = (struct key){.type = TYPE_A, .class = CLASS_IN};
    trace.key.name_len = (uint8_t)name_from_text(trace.key.name, "a.test");
    trace.done = trace_ended;
    trace_begin(&trace, &resolver);
}

static void expect(const char *step, uint16_t rcode)
{
    assert_int_equal(ended, 1);
    assert_string_equal(trace.step, step);
    assert_true(trace.len > MESSAGE_HEADER);
    assert_int_equal(read_u16(trace.answer + MESSAGE_FLAGS) & 15, rcode);
}

static void a_miss_is_reported_with_its_lookup(void **state)
{
    (void)state;
    begin();
    assert_int_equal(ended, 0);
    fake_turn();
    expect("lookup", RCODE_NOERROR);
    assert_true(trace.looked && trace.waited);
    assert_int_equal(trace.cached, CACHE_MISS);
    assert_int_equal(trace.record.key.type, TYPE_A);
}

static void cached_names_are_queried_nevertheless(void **state)
{
    struct client client = {.id = 1};
    (void)state;
    client_ask(&client, "a.test");
    fake_turn();
    fake_pass(5000);
    begin();
    fake_turn();
    expect("lookup", RCODE_NOERROR);
    assert_int_equal(trace.cached, CACHE_HIT);
    assert_int_equal(trace.ttl, 300 - 5);
    assert_int_equal(fake_counted(COUNTER_attempts_sent), 2);
    assert_int_equal(fake_counted(COUNTER_cache_hits), 0);
}

static void step_that_answers_ends_it(void **state)
{
    (void)state;
    verdict = ANSWERED;
    begin();
    expect("policy", RCODE_REFUSED);
    assert_false(trace.looked || trace.waited);
}

static void step_that_drops_ends_it(void **state)
{
    (void)state;
    verdict = DROPPED;
    begin();
    assert_int_equal(ended, 1);
    assert_string_equal(trace.step, "policy");
    assert_int_equal(trace.len, 0);
}

static void step_that_waits_is_waited_for(void **state)
{
    (void)state;
    verdict = WAITING;
    begin();
    assert_int_equal(ended, 0);
    query_resume(container_of(list_first(&waiting), struct query, in_step));
    fake_turn();
    expect("lookup", RCODE_NOERROR);
    assert_true(trace.looked);
    begin();
    fake_pass(4010);
    expect("policy", RCODE_SERVFAIL);
    begin();
    query_drop(container_of(list_first(&waiting), struct query, in_step), COUNTER_drops_policy);
    assert_int_equal(ended, 1);
    assert_int_equal(trace.len, 0);
}

static void end_of_the_resolver_ends_it(void **state)
{
    (void)state;
    fake.serve = NULL;
    begin();
    resolver_stop(&resolver);
    expect("lookup", RCODE_SERVFAIL);
}

static void no_client_is_allowed(void **state)
{
    (void)state;
    config->access.allow_count = 0;
    begin();
    assert_int_equal(ended, 1);
    assert_string_equal(trace.step, "policy");
    assert_int_equal(trace.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_miss_is_reported_with_its_lookup),
        TEST(cached_names_are_queried_nevertheless),
        TEST(step_that_answers_ends_it),
        TEST(step_that_drops_ends_it),
        TEST(step_that_waits_is_waited_for),
        TEST(end_of_the_resolver_ends_it),
        TEST(no_client_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
