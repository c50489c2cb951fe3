/* SPDX-License-Identifier: MIT */
/* control/tracer: items and replies, choice of worker, limits, timeouts, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "base/mem.h"
#include "control/tracer.h"
#include "tests/unit/fake_workers.h"

struct caller {
    unsigned told, answered;
};

static struct tracer tracer;
static const struct addr nobody;
static struct caller callers[TRACER_MOST + 1];
static const struct key key = {.type = 1, .class = 1, .name_len = 1};

static void take(void *context, const struct trace *trace)
{
    struct caller *caller = context;
    caller->told++;
    caller->answered += trace != NULL && trace->len == 7;
}

static int setup(void **state)
{
    (void)state;
    struct control_setup control = fake_begin();
    memset(callers, 0, sizeof callers);
    tracer_init(&tracer, &control);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tracer_close(&tracer);
    tracer_fini(&tracer);
    fake_end();
    return 0;
}

static struct trace *begin(unsigned caller, unsigned worker)
{
    assert_int_equal(tracer_ask(&tracer, &key, &nobody, take, &callers[caller]), 0);
    fake_open(worker);
    return fake_traced;
}

static void finish(struct trace *trace)
{
    trace->len = 7;
    trace->done(trace);
    fake_turn();
}

static void a_finished_trace_is_reported_once(void **state)
{
    (void)state;
    struct trace *trace = begin(0, 0);
    assert_int_equal(trace->key.type, 1);
    fake_turn();
    assert_int_equal(callers[0].told, 0);
    finish(trace);
    assert_int_equal(callers[0].told, 1);
    assert_int_equal(callers[0].answered, 1);
}

static void workers_take_turns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        finish(begin(i, i % WORKERS));
    assert_int_equal(fake_traces, 4);
}

static void the_number_of_traces_is_limited(void **state)
{
    (void)state;
    struct trace *traces[TRACER_MOST];
    for (unsigned i = 0; i < TRACER_MOST; i++)
        traces[i] = begin(i, i % WORKERS);
    assert_int_equal(tracer_ask(&tracer, &key, &nobody, take, &callers[TRACER_MOST]), -EBUSY);
    finish(traces[3]);
    traces[3] = begin(TRACER_MOST, 0);
    for (unsigned i = 0; i < TRACER_MOST; i++)
        finish(traces[i]);
    for (unsigned i = 0; i <= TRACER_MOST; i++)
        assert_int_equal(callers[i].answered, 1);
}

static void a_worker_that_does_not_reply_times_out(void **state)
{
    (void)state;
    struct trace *trace = begin(0, 0);
    fake_pass(TRACER_PATIENCE_MS - 100);
    assert_int_equal(callers[0].told, 0);
    fake_pass(200);
    assert_int_equal(callers[0].told, 1);
    assert_int_equal(callers[0].answered, 0);
    finish(trace);
    assert_int_equal(callers[0].told, 1);
}

static void closing_ends_all_traces(void **state)
{
    (void)state;
    struct trace *trace = begin(0, 0);
    tracer_close(&tracer);
    assert_int_equal(callers[0].told, 1);
    assert_int_equal(tracer_ask(&tracer, &key, &nobody, take, &callers[1]), 0);
    assert_int_equal(callers[1].told, 1);
    assert_int_equal(callers[0].answered + callers[1].answered, 0);
    finish(trace);
}

static void out_of_memory(void **state)
{
    (void)state;
    mem_fail_at(1);
    assert_int_equal(tracer_ask(&tracer, &key, &nobody, take, &callers[0]), -ENOMEM);
    mem_fail_at(0);
    assert_int_equal(callers[0].told, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_finished_trace_is_reported_once), TEST(workers_take_turns),
        TEST(the_number_of_traces_is_limited),   TEST(a_worker_that_does_not_reply_times_out),
        TEST(closing_ends_all_traces),           TEST(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
