/* SPDX-License-Identifier: MIT */
/* control/gather: rounds, which round serves which wait, timeouts, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "control/gather.h"
#include "base/mem.h"
#include "tests/unit/fake_workers.h"

struct waiter {
    struct gather_wait wait;
    unsigned told;
    bool answered;
    size_t waiting;
};

static struct gather gather;
static struct waiter waits[3];

static void take(struct gather_wait *wait, const struct gather_sum *sum)
{
    struct waiter *waiter = container_of(wait, struct waiter, wait);
    waiter->told++;
    waiter->answered = sum != NULL;
    waiter->waiting = sum ? sum->waiting : 0;
}

static int setup(void **state)
{
    (void)state;
    struct control_setup control = fake_begin();
    for (unsigned i = 0; i < 3; i++)
        waits[i] = (struct waiter){.wait.done = take};
    return gather_init(&gather, &control);
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned w = 0; w < WORKERS; w++)
        if (fake.item[w])
            fake_open(w);
    gather_close(&gather);
    gather_fini(&gather);
    fake_end();
    return 0;
}

static void the_sum_comes_after_the_last_reply(void **state)
{
    (void)state;
    fake.report[0].waiting = 3;
    fake.report[1].waiting = 4;
    gather_ask(&gather, &waits[0].wait);
    assert_int_equal(fake.posted, 2);
    fake_open(1);
    assert_int_equal(waits[0].told, 0);
    fake_open(0);
    assert_int_equal(waits[0].told, 1);
    assert_true(waits[0].answered);
    assert_int_equal(waits[0].waiting, 7);
}

static void a_wait_during_a_round_gets_the_next_one(void **state)
{
    (void)state;
    gather_ask(&gather, &waits[0].wait);
    fake_open(0);
    gather_ask(&gather, &waits[1].wait);
    gather_ask(&gather, &waits[2].wait);
    assert_int_equal(fake.posted, 2);
    fake_open(1);
    assert_int_equal(waits[0].told, 1);
    assert_int_equal(waits[1].told, 0);
    assert_int_equal(fake.posted, 4);
    fake.report[0].waiting = 5;
    fake_open(0);
    fake_open(1);
    assert_int_equal(waits[1].waiting, 5);
    assert_int_equal(waits[2].waiting, 5);
    assert_int_equal(waits[0].told, 1);
}

static void a_worker_that_does_not_reply_times_out(void **state)
{
    (void)state;
    gather_ask(&gather, &waits[0].wait);
    fake_open(0);
    fake_pass(GATHER_PATIENCE_MS - 20);
    gather_ask(&gather, &waits[1].wait);
    assert_int_equal(waits[0].told, 0);
    fake_pass(40);
    assert_int_equal(waits[0].told, 1);
    assert_false(waits[0].answered);
    assert_int_equal(waits[1].told, 0);
    fake_open(1); /* the late reply starts the next round */
    assert_int_equal(fake.posted, 4);
    fake_open(0);
    fake_open(1);
    assert_true(waits[1].answered);
    assert_int_equal(waits[0].told, 1);
}

static void closing_ends_all_waits_and_posts_no_more(void **state)
{
    (void)state;
    gather_ask(&gather, &waits[0].wait);
    gather_ask(&gather, &waits[1].wait);
    gather_close(&gather);
    assert_int_equal(waits[0].told, 1);
    assert_false(waits[0].answered);
    assert_int_equal(waits[1].told, 1);
    gather_ask(&gather, &waits[2].wait);
    assert_int_equal(waits[2].told, 1);
    assert_int_equal(fake.posted, 2);
    fake_open(0);
    fake_open(1);
    assert_int_equal(fake.posted, 2);
}

static void servers_are_summed_over_workers(void **state)
{
    (void)state;
    struct server_report sum = {
        .state = SERVER_FAILING, .failures = 3, .failed_ms = 50, .last_error = -ETIMEDOUT, .opened = 1};
    struct server_report one = {.state = SERVER_OPEN,
                                .open = 2,
                                .in_flight = 5,
                                .latency_us = 900,
                                .failures = 1,
                                .failed_ms = 40,
                                .last_error = -EPIPE,
                                .opened = 2,
                                .resumed = 1,
                                .opened_ms = 60,
                                .has_tls = true,
                                .tls.version = "TLS1.3"};
    gather_merge(&sum, &one);
    assert_int_equal(sum.state, SERVER_OPEN);
    assert_int_equal(sum.open, 2);
    assert_int_equal(sum.in_flight, 5);
    assert_int_equal(sum.latency_us, 900);
    assert_int_equal(sum.failures, 3);
    assert_int_equal(sum.last_error, -ETIMEDOUT);
    assert_int_equal(sum.opened, 3);
    assert_true(sum.has_tls);
    assert_string_equal(sum.tls.version, "TLS1.3");
    one = (struct server_report){.state = SERVER_IDLE, .latency_us = 700, .failed_ms = 70, .last_error = -EPIPE};
    gather_merge(&sum, &one);
    assert_int_equal(sum.state, SERVER_OPEN);
    assert_int_equal(sum.latency_us, 700);
    assert_int_equal(sum.last_error, -EPIPE);
    assert_string_equal(sum.tls.version, "TLS1.3");
}

static void out_of_memory_at_each_allocation(void **state)
{
    (void)state;
    struct gather other;
    struct control_setup control = {
        .loop = &fake.loop, .mailbox = &fake.mailbox, .config = &fake.config, .routes = &fake.routes, .ops = &fake_ops};
    for (unsigned n = 1; n <= 4; n++) {
        mem_fail_at(n);
        assert_int_equal(gather_init(&other, &control), -ENOMEM);
    }
    mem_fail_at(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_sum_comes_after_the_last_reply),     TEST(a_wait_during_a_round_gets_the_next_one),
        TEST(a_worker_that_does_not_reply_times_out), TEST(closing_ends_all_waits_and_posts_no_more),
        TEST(servers_are_summed_over_workers),        TEST(out_of_memory_at_each_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
