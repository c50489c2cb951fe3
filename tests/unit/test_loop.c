/* SPDX-License-Identifier: MIT */
/* The loop: turns, flushes, deadlines. Most tests move a fake clock and make single turns; two use the real clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/mem.h"
#include "net/loop.h"

#define START_MS 1000000

static void set_clock(uint64_t ms)
{
    clock_fake(ms * 1000, 0);
}

static int setup(void **state)
{
    struct loop *loop = mem_zalloc(1, sizeof(*loop));
    set_clock(START_MS);
    *state = loop;
    return !loop || loop_init(loop) < 0;
}

static int teardown(void **state)
{
    loop_fini(*state);
    mem_free(*state);
    clock_real();
    return 0;
}

static void turn(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

/* Enough turns to notice the changed clock, arm the timer and run it. */
static void turns_at(struct loop *loop, uint64_t ms)
{
    set_clock(ms);
    loop->now_ms = 0;
    for (int i = 0; i < 3; i++)
        turn(loop);
}

/* --- flush hooks --- */

struct flusher {
    struct loop_flush hook;
    struct loop *loop;
    char name;
    char **log_end; /* all write into one log */
    unsigned again; /* number of times that it adds itself */
    struct flusher *remove, *add;
};

struct flushers {
    struct flusher a, b, c;
    char log[64], *log_end;
};

static void flusher_flush(struct loop_flush *hook)
{
    struct flusher *flusher = container_of(hook, struct flusher, hook);
    *(*flusher->log_end)++ = flusher->name;
    if (flusher->remove)
        loop_remove_flush(&flusher->remove->hook);
    if (flusher->add)
        loop_add_flush(flusher->loop, &flusher->add->hook);
    flusher->add = NULL;
    if (flusher->again && flusher->again--)
        loop_add_flush(flusher->loop, hook);
}

static void flushers_init(struct flushers *all, struct loop *loop)
{
    struct flusher *each[] = {&all->a, &all->b, &all->c};
    *all = (struct flushers){.log_end = all->log};
    for (int i = 0; i < 3; i++)
        *each[i] = (struct flusher){
            .hook.flush = flusher_flush, .loop = loop, .name = (char)('a' + i), .log_end = &all->log_end};
}

static void test_hooks_flush_once_in_the_order_in_which_they_were_added(void **state)
{
    struct flushers all;
    flushers_init(&all, *state);
    loop_add_flush(*state, &all.b.hook);
    loop_add_flush(*state, &all.a.hook);
    loop_add_flush(*state, &all.b.hook);
    turn(*state);
    assert_string_equal(all.log, "ba");
    turn(*state);
    assert_string_equal(all.log, "ba");
    loop_add_flush(*state, &all.a.hook);
    turn(*state);
    assert_string_equal(all.log, "baa");
}

static void test_hooks_that_are_added_again_run_before_the_sleep(void **state)
{
    struct flushers all;
    flushers_init(&all, *state);
    all.a.again = 1;
    all.b.again = 3;
    loop_add_flush(*state, &all.a.hook);
    loop_add_flush(*state, &all.b.hook);
    turn(*state);
    assert_string_equal(all.log, "ababbb");
}

static void test_last_hooks_run_when_all_others_have(void **state)
{
    struct flushers all;
    flushers_init(&all, *state);
    all.a.hook.last = true;
    all.a.add = &all.c;
    all.b.again = 1;
    loop_add_flush(*state, &all.a.hook);
    loop_add_flush(*state, &all.b.hook);
    turn(*state);
    assert_string_equal(all.log, "bbac");
}

static void test_a_hook_may_remove_itself(void **state)
{
    struct flushers all;
    flushers_init(&all, *state);
    all.a.remove = &all.a;
    all.b.again = 1;
    loop_add_flush(*state, &all.a.hook);
    loop_add_flush(*state, &all.b.hook);
    turn(*state);
    assert_string_equal(all.log, "abb");
}

static void test_a_hook_may_remove_the_next_and_the_one_before(void **state)
{
    struct flushers all;
    flushers_init(&all, *state);
    all.a.remove = &all.b;
    all.a.again = 1;
    all.c.remove = &all.a;
    all.c.again = 1;
    loop_add_flush(*state, &all.a.hook);
    loop_add_flush(*state, &all.b.hook);
    loop_add_flush(*state, &all.c.hook);
    turn(*state);
    assert_string_equal(all.log, "acc");
}

static void test_a_hook_added_while_flushing_runs_before_the_sleep(void **state)
{
    struct flushers all;
    flushers_init(&all, *state);
    all.a.add = &all.c;
    loop_add_flush(*state, &all.a.hook);
    loop_add_flush(*state, &all.b.hook);
    turn(*state);
    assert_string_equal(all.log, "abc");
}

/* --- stopping --- */

static void test_stop_before_run_returns_at_once_but_flushes(void **state)
{
    struct flushers all;
    flushers_init(&all, *state);
    loop_add_flush(*state, &all.a.hook);
    loop_stop(*state);
    loop_run(*state);
    assert_string_equal(all.log, "a");
}

static void stop_from_async(uv_async_t *async)
{
    struct loop *loop = async->loop->data;
    loop_stop(loop);
    uv_close((uv_handle_t *)async, NULL);
}

static void add_hook_and_stop(uv_async_t *async)
{
    loop_add_flush(async->loop->data, async->data);
    stop_from_async(async);
}

static void test_stop_from_a_callback_flushes_once_more(void **state)
{
    struct loop *loop = *state;
    struct flushers all;
    uv_async_t async = {.data = &all.a.hook};
    flushers_init(&all, loop);
    loop_add_flush(loop, &all.a.hook);
    uv_async_init(&loop->uv, &async, add_hook_and_stop);
    uv_async_send(&async);
    loop_run(loop);
    assert_string_equal(all.log, "aa"); /* before the sleep and when it was stopped */
    assert_true(loop_drain(loop, 1000));
}

static void test_a_stop_after_the_run_does_not_hinder_the_end(void **state)
{
    loop_stop(*state); /* teardown asserts that all is closed */
}

/* --- the clock of a turn --- */

struct sleeper {
    struct loop_flush hook;
    struct loop *loop;
    uint64_t before_sleep, after_sleep, later_in_turn;
};

/* The clock moves right before the sleep, as if the sleep had taken that long. */
static void sleep_for_five_seconds(struct loop_flush *hook)
{
    struct sleeper *sleeper = container_of(hook, struct sleeper, hook);
    sleeper->before_sleep = loop_now(sleeper->loop);
    set_clock(START_MS + 5000);
}

static void read_clock_after_sleep(uv_async_t *async)
{
    struct sleeper *sleeper = async->data;
    sleeper->after_sleep = loop_now(sleeper->loop);
    set_clock(START_MS + 6000);
    sleeper->later_in_turn = loop_now(sleeper->loop);
    uv_close((uv_handle_t *)async, NULL);
}

static void test_the_clock_is_read_once_after_the_sleep(void **state)
{
    struct loop *loop = *state;
    struct sleeper sleeper = {.loop = loop, .hook.flush = sleep_for_five_seconds};
    uv_async_t async = {.data = &sleeper};
    loop_add_flush(loop, &sleeper.hook);
    uv_async_init(&loop->uv, &async, read_clock_after_sleep);
    uv_async_send(&async);
    turn(loop);
    assert_int_equal(sleeper.before_sleep, START_MS);
    assert_int_equal(sleeper.after_sleep, START_MS + 5000);
    assert_int_equal(sleeper.later_in_turn, START_MS + 5000);
}

static void read_clock_in_flush(struct loop_flush *hook)
{
    struct sleeper *sleeper = container_of(hook, struct sleeper, hook);
    sleeper->before_sleep = loop_now(sleeper->loop);
}

static void test_a_run_does_not_start_with_an_old_clock(void **state)
{
    struct loop *loop = *state;
    struct sleeper sleeper = {.loop = loop, .hook.flush = read_clock_in_flush};
    loop_add_flush(loop, &sleeper.hook);
    assert_int_equal(loop_now(loop), START_MS);
    set_clock(START_MS + 3000);
    loop_stop(loop);
    loop_run(loop);
    assert_int_equal(sleeper.before_sleep, START_MS + 3000);
}

/* --- timeouts --- */

struct alarm {
    struct timeout timeout;
    unsigned expired;
    struct alarm *stop;
    struct timeouts *start_again;
};

static void alarm_expired(struct timeout *timeout)
{
    struct alarm *alarm = container_of(timeout, struct alarm, timeout);
    alarm->expired++;
    if (alarm->stop)
        timeout_stop(&alarm->stop->timeout);
    if (alarm->start_again)
        timeout_start(alarm->start_again, timeout);
}

static void test_a_timeout_expires_once_and_not_before_its_time(void **state)
{
    struct timeouts timeouts;
    struct alarm alarm = {.expired = 0};
    timeouts_init(&timeouts, *state, 100, alarm_expired);
    timeout_start(&timeouts, &alarm.timeout);
    turns_at(*state, START_MS + 99);
    assert_int_equal(alarm.expired, 0);
    turns_at(*state, START_MS + 100);
    assert_int_equal(alarm.expired, 1);
    turns_at(*state, START_MS + 1000);
    assert_int_equal(alarm.expired, 1);
    timeouts_fini(&timeouts);
}

static void test_only_those_timeouts_expire_whose_time_has_come(void **state)
{
    struct timeouts timeouts;
    struct alarm early = {.expired = 0}, late = {.expired = 0};
    timeouts_init(&timeouts, *state, 100, alarm_expired);
    timeout_start(&timeouts, &early.timeout);
    turns_at(*state, START_MS + 50);
    timeout_start(&timeouts, &late.timeout);
    turns_at(*state, START_MS + 149);
    assert_int_equal(early.expired, 1);
    assert_int_equal(late.expired, 0);
    turns_at(*state, START_MS + 150);
    assert_int_equal(late.expired, 1);
    timeouts_fini(&timeouts);
}

static void test_timeouts_of_a_longer_length_do_not_hold_up_shorter_ones(void **state)
{
    struct timeouts longer, shorter;
    struct alarm slow = {.expired = 0}, fast = {.expired = 0};
    timeouts_init(&longer, *state, 5000, alarm_expired);
    timeouts_init(&shorter, *state, 20, alarm_expired);
    timeout_start(&longer, &slow.timeout);
    turns_at(*state, START_MS + 1);
    timeout_start(&shorter, &fast.timeout);
    turns_at(*state, START_MS + 30);
    assert_int_equal(fast.expired, 1);
    assert_int_equal(slow.expired, 0);
    timeouts_fini(&longer);
    timeouts_fini(&shorter);
}

static void test_another_length_holds_for_those_that_run(void **state)
{
    struct timeouts timeouts;
    struct alarm early = {.expired = 0}, late = {.expired = 0};
    timeouts_init(&timeouts, *state, 1000, alarm_expired);
    timeout_start(&timeouts, &early.timeout);
    turns_at(*state, START_MS + 50);
    timeout_start(&timeouts, &late.timeout);
    timeouts_set_length(&timeouts, 100);
    turns_at(*state, START_MS + 100);
    assert_int_equal(early.expired, 1);
    assert_int_equal(late.expired, 0);
    timeouts_set_length(&timeouts, 300);
    turns_at(*state, START_MS + 349);
    assert_int_equal(late.expired, 0);
    turns_at(*state, START_MS + 350);
    assert_int_equal(late.expired, 1);
    timeout_start(&timeouts, &early.timeout);
    turns_at(*state, START_MS + 500);
    timeouts_set_length(&timeouts, 20); /* expired already */
    turns_at(*state, START_MS + 501);
    assert_int_equal(early.expired, 2);
    timeouts_fini(&timeouts);
}

static void test_a_stopped_timeout_does_not_expire(void **state)
{
    struct timeouts timeouts;
    struct alarm alarm = {.expired = 0};
    timeouts_init(&timeouts, *state, 100, alarm_expired);
    timeout_stop(&alarm.timeout);
    timeout_start(&timeouts, &alarm.timeout);
    timeout_stop(&alarm.timeout);
    timeout_stop(&alarm.timeout);
    turns_at(*state, START_MS + 1000);
    assert_int_equal(alarm.expired, 0);
    timeouts_fini(&timeouts);
}

static void test_a_timeout_started_again_counts_from_now(void **state)
{
    struct timeouts timeouts;
    struct alarm alarm = {.expired = 0};
    timeouts_init(&timeouts, *state, 100, alarm_expired);
    timeout_start(&timeouts, &alarm.timeout);
    turns_at(*state, START_MS + 60);
    timeout_start(&timeouts, &alarm.timeout);
    turns_at(*state, START_MS + 159);
    assert_int_equal(alarm.expired, 0);
    turns_at(*state, START_MS + 160);
    assert_int_equal(alarm.expired, 1);
    timeouts_fini(&timeouts);
}

static void test_an_expiring_timeout_may_stop_the_next_and_start_itself(void **state)
{
    struct timeouts timeouts;
    struct alarm first = {.start_again = &timeouts}, second = {.expired = 0}, third = {.expired = 0};
    first.stop = &second;
    timeouts_init(&timeouts, *state, 100, alarm_expired);
    timeout_start(&timeouts, &first.timeout);
    timeout_start(&timeouts, &second.timeout);
    timeout_start(&timeouts, &third.timeout);
    turns_at(*state, START_MS + 100);
    assert_int_equal(first.expired, 1);
    assert_int_equal(second.expired, 0);
    assert_int_equal(third.expired, 1);
    turns_at(*state, START_MS + 200);
    assert_int_equal(first.expired, 2);
    timeouts_fini(&timeouts);
}

static void test_timeouts_of_no_length_do_not_hold_the_turn(void **state)
{
    struct timeouts timeouts;
    struct alarm alarm = {.start_again = &timeouts};
    timeouts_init(&timeouts, *state, 0, alarm_expired);
    timeout_start(&timeouts, &alarm.timeout);
    turns_at(*state, START_MS + 10);
    assert_in_range(alarm.expired, 1, 3);
    timeouts_fini(&timeouts);
}

static void test_ending_timeouts_stops_those_that_run(void **state)
{
    struct timeouts timeouts;
    struct alarm alarm = {.expired = 0};
    timeouts_init(&timeouts, *state, 100, alarm_expired);
    timeout_start(&timeouts, &alarm.timeout);
    timeouts_fini(&timeouts);
    assert_false(list_linked(&alarm.timeout.link));
    turns_at(*state, START_MS + 1000);
    assert_int_equal(alarm.expired, 0);
}

/* --- ticks --- */

struct ticker {
    struct loop_tick hook;
    unsigned ticks;
    uint64_t next;
    struct ticker *remove;
};

static uint64_t ticker_tick(struct loop_tick *hook, uint64_t now_ms)
{
    struct ticker *ticker = container_of(hook, struct ticker, hook);
    assert_true(now_ms >= START_MS);
    ticker->ticks++;
    if (ticker->remove)
        loop_remove_tick(&ticker->remove->hook);
    return ticker->next;
}

static void test_ticks_run_on_request_and_at_their_deadline(void **state)
{
    struct ticker ticker = {.hook.tick = ticker_tick, .next = START_MS + 500};
    loop_add_tick(*state, &ticker.hook);
    turns_at(*state, START_MS + 100);
    assert_int_equal(ticker.ticks, 0);
    loop_wake_by(*state, START_MS + 200);
    turns_at(*state, START_MS + 199);
    assert_int_equal(ticker.ticks, 0);
    turns_at(*state, START_MS + 200);
    assert_int_equal(ticker.ticks, 1);
    turns_at(*state, START_MS + 499);
    assert_int_equal(ticker.ticks, 1);
    ticker.next = LOOP_NEVER;
    turns_at(*state, START_MS + 500);
    turns_at(*state, START_MS + 5000);
    assert_int_equal(ticker.ticks, 2);
}

static void test_a_later_wake_does_not_postpone_an_earlier_one(void **state)
{
    struct ticker ticker = {.hook.tick = ticker_tick, .next = LOOP_NEVER};
    loop_add_tick(*state, &ticker.hook);
    loop_wake_by(*state, START_MS + 20);
    loop_wake_by(*state, START_MS + 900);
    turns_at(*state, START_MS + 20);
    assert_int_equal(ticker.ticks, 1);
}

static void test_ticks_do_not_run_for_a_timeout(void **state)
{
    struct ticker ticker = {.hook.tick = ticker_tick, .next = LOOP_NEVER};
    struct timeouts timeouts;
    struct alarm alarm = {.expired = 0};
    loop_add_tick(*state, &ticker.hook);
    loop_wake_by(*state, START_MS + 500);
    timeouts_init(&timeouts, *state, 100, alarm_expired);
    timeout_start(&timeouts, &alarm.timeout);
    turns_at(*state, START_MS + 100);
    assert_int_equal(alarm.expired, 1);
    assert_int_equal(ticker.ticks, 0);
    timeouts_fini(&timeouts);
}

/* A deadline was cancelled: the timer is armed for the next one, or not at all. */
static void test_a_loop_at_rest_is_armed_for_the_remaining_deadlines(void **state)
{
    struct loop *loop = *state;
    struct ticker ticker = {.hook.tick = ticker_tick, .next = START_MS + 5000};
    struct timeouts timeouts;
    struct alarm alarm = {.expired = 0};
    loop_add_tick(loop, &ticker.hook);
    timeouts_init(&timeouts, loop, 100, alarm_expired);
    timeout_start(&timeouts, &alarm.timeout);
    loop_wake_by(loop, START_MS + 300);
    turn(loop);
    assert_int_equal(loop->armed_at, START_MS + 100);
    timeout_stop(&alarm.timeout);
    turn(loop);
    assert_int_equal(loop->armed_at, START_MS + 100);
    loop_rest(loop);
    turn(loop);
    assert_int_equal(loop->armed_at, START_MS + 5000);
    ticker.next = LOOP_NEVER;
    set_clock(START_MS + 10);
    loop_rest(loop);
    turn(loop);
    assert_int_equal(loop->armed_at, LOOP_NEVER);
    assert_int_equal(ticker.ticks, 2);
    timeouts_fini(&timeouts);
}

static void test_deadlines_are_recomputed_once_a_step(void **state)
{
    struct loop *loop = *state;
    struct ticker ticker = {.hook.tick = ticker_tick, .next = LOOP_NEVER};
    loop_add_tick(loop, &ticker.hook);
    for (int i = 0; i < 100; i++) {
        set_clock(START_MS + (uint64_t)i);
        loop_rest(loop);
        turn(loop);
    }
    assert_int_equal(ticker.ticks, 10);
}

struct asking_flusher {
    struct loop_flush hook;
    struct loop *loop;
    uint64_t at_ms;
};

static void flush_asks_for_a_deadline(struct loop_flush *hook)
{
    struct asking_flusher *flusher = container_of(hook, struct asking_flusher, hook);
    loop_wake_by(flusher->loop, flusher->at_ms);
}

static void test_deadlines_of_flush_hooks_count_at_rest(void **state)
{
    struct loop *loop = *state;
    struct ticker ticker = {.hook.tick = ticker_tick, .next = START_MS + 5000};
    struct asking_flusher flusher = {.hook.flush = flush_asks_for_a_deadline, .loop = loop, .at_ms = START_MS + 50};
    loop_add_tick(loop, &ticker.hook);
    loop_add_flush(loop, &flusher.hook);
    loop_rest(loop);
    turn(loop);
    assert_int_equal(ticker.ticks, 1);
    assert_int_equal(loop->armed_at, START_MS + 50);
}

static void test_a_tick_may_remove_itself_and_the_next(void **state)
{
    struct ticker first = {.hook.tick = ticker_tick, .next = LOOP_NEVER};
    struct ticker second = first, third = first;
    first.remove = &second;
    third.remove = &third;
    third.next = START_MS + 100;
    loop_add_tick(*state, &first.hook);
    loop_add_tick(*state, &second.hook);
    loop_add_tick(*state, &third.hook);
    loop_wake_by(*state, START_MS + 10);
    turns_at(*state, START_MS + 10);
    turns_at(*state, START_MS + 100);
    assert_int_equal(first.ticks, 2);
    assert_int_equal(second.ticks, 0);
    assert_int_equal(third.ticks, 1);
}

static void test_a_tick_that_is_always_late_does_not_spin(void **state)
{
    struct loop *loop = *state;
    struct ticker ticker = {.hook.tick = ticker_tick, .next = START_MS - 500};
    loop_add_tick(loop, &ticker.hook);
    loop_wake_by(loop, START_MS);
    for (int i = 0; i < 20; i++)
        turn(loop);
    assert_int_equal(ticker.ticks, 1);
    assert_int_equal(loop->armed_at, START_MS + 10);
}

/* In the same turn as the sleep since libuv 1.45, before that in the next one. */
static bool timers_run_after_the_sleep(void)
{
    return uv_version() >= (1 << 16 | 45 << 8);
}

static void test_after_a_suspend_passed_deadlines_run_with_the_first_event(void **state)
{
    struct loop *loop = *state;
    struct ticker ticker = {.hook.tick = ticker_tick, .next = LOOP_NEVER};
    loop_add_tick(loop, &ticker.hook);
    loop_wake_by(loop, START_MS + 30000);
    turn(loop);
    assert_true(uv_backend_timeout(&loop->uv) > 29000);
    set_clock(START_MS + 3600000); /* libuv's own clock stood still */
    turn(loop);
    if (!timers_run_after_the_sleep()) {
        assert_int_equal(uv_backend_timeout(&loop->uv), 0);
        turn(loop);
    }
    assert_int_equal(ticker.ticks, 1);
}

/* --- the timer --- */

static void test_deadlines_within_one_step_share_a_wake_up(void **state)
{
    struct loop *loop = *state;
    loop_wake_by(loop, START_MS + 109);
    turn(loop);
    assert_int_equal(loop->armed_at, START_MS + 110);
    uint64_t due = loop->timer.timeout;
    set_clock(START_MS + 5);
    loop_wake_by(loop, START_MS + 101);
    turn(loop);
    assert_int_equal(loop->armed_at, START_MS + 110);
    assert_int_equal(loop->timer.timeout, due);
    loop_wake_by(loop, START_MS + 91);
    turn(loop);
    assert_int_equal(loop->armed_at, START_MS + 100);
}

static void test_an_idle_loop_sleeps_for_ever(void **state)
{
    struct loop *loop = *state;
    struct timeouts timeouts;
    struct alarm alarm = {.expired = 0};
    turn(loop);
    assert_int_equal(uv_backend_timeout(&loop->uv), -1);
    timeouts_init(&timeouts, loop, 100, alarm_expired);
    timeout_start(&timeouts, &alarm.timeout);
    turn(loop);
    assert_in_range(uv_backend_timeout(&loop->uv), 1, 101);
    timeout_stop(&alarm.timeout);
    turn(loop);
    assert_in_range(uv_backend_timeout(&loop->uv), 1, 101);
    while (loop->armed_at != LOOP_NEVER) /* one needless wake-up for the stopped timeout */
        uv_run(&loop->uv, UV_RUN_ONCE);
    assert_int_equal(alarm.expired, 0);
    turn(loop);
    assert_int_equal(uv_backend_timeout(&loop->uv), -1);
    timeout_start(&timeouts, &alarm.timeout);
    turn(loop);
    assert_in_range(uv_backend_timeout(&loop->uv), 1, 101);
    timeouts_fini(&timeouts);
}

struct counted_run {
    struct loop *loop;
    struct timeouts timeouts;
    struct alarm alarm;
    uv_prepare_t prepare;
    unsigned turns;
    uint64_t ended_us;
};

static void count_turn(uv_prepare_t *prepare)
{
    container_of(prepare, struct counted_run, prepare)->turns++;
}

static void end_counted_run(struct timeout *timeout)
{
    struct counted_run *run = container_of(timeout, struct counted_run, alarm.timeout);
    run->ended_us = clock_us();
    loop_stop(run->loop);
}

static void test_a_loop_with_one_deadline_does_not_poll_and_is_never_early(void **state)
{
    struct counted_run run = {.loop = *state};
    clock_real();
    timeouts_init(&run.timeouts, *state, 30, end_counted_run);
    uv_prepare_init(&run.loop->uv, &run.prepare);
    uv_prepare_start(&run.prepare, count_turn);
    timeout_start(&run.timeouts, &run.alarm.timeout);
    uint64_t due_ms = run.alarm.timeout.at_ms;
    loop_run(*state);
    /* From 1.45 on one turn, or two if libuv's time was a millisecond old when the timer was set. */
    assert_in_range(run.turns, timers_run_after_the_sleep() ? 1 : 2, 2);
    assert_true(run.ended_us >= due_ms * 1000);
    assert_true(run.ended_us < (due_ms + 1000) * 1000);
    uv_close((uv_handle_t *)&run.prepare, NULL);
    assert_true(loop_drain(run.loop, 1000));
    timeouts_fini(&run.timeouts);
}

/* --- draining and memory --- */

static void test_drain_runs_until_closed_handles_are_gone(void **state)
{
    struct loop *loop = *state;
    uv_async_t async;
    uv_async_init(&loop->uv, &async, stop_from_async);
    uv_close((uv_handle_t *)&async, NULL);
    assert_true(loop_drain(loop, 1000));
}

static void test_drain_waits_for_a_handle_that_closes_later(void **state)
{
    struct loop *loop = *state;
    uv_async_t async;
    uv_async_init(&loop->uv, &async, stop_from_async);
    uv_async_send(&async);
    assert_true(loop_drain(loop, 1000));
}

static void test_drain_gives_up_on_a_handle_that_stays(void **state)
{
    struct loop *loop = *state;
    uv_async_t async;
    clock_real();
    uv_async_init(&loop->uv, &async, stop_from_async);
    uv_unref((uv_handle_t *)&async);
    assert_false(loop_drain(loop, 20));
    loop_rest(loop); /* no tick returns the deadline of loop_drain */
    assert_false(loop_drain(loop, 20));
    uv_close((uv_handle_t *)&async, NULL);
    assert_true(loop_drain(loop, 1000));
}

static void test_init_survives_each_failed_allocation(void **state)
{
    struct loop loop;
    (void)state;
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(loop_init(&loop), UV_ENOMEM);
    }
    mem_fail_at(0);
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(mem_asked(), 2);
    loop_fini(&loop);
}

#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LOOP(test_hooks_flush_once_in_the_order_in_which_they_were_added),
        IN_LOOP(test_hooks_that_are_added_again_run_before_the_sleep),
        IN_LOOP(test_last_hooks_run_when_all_others_have),
        IN_LOOP(test_a_hook_may_remove_itself),
        IN_LOOP(test_a_hook_may_remove_the_next_and_the_one_before),
        IN_LOOP(test_a_hook_added_while_flushing_runs_before_the_sleep),
        IN_LOOP(test_stop_before_run_returns_at_once_but_flushes),
        IN_LOOP(test_stop_from_a_callback_flushes_once_more),
        IN_LOOP(test_a_stop_after_the_run_does_not_hinder_the_end),
        IN_LOOP(test_the_clock_is_read_once_after_the_sleep),
        IN_LOOP(test_a_run_does_not_start_with_an_old_clock),
        IN_LOOP(test_a_timeout_expires_once_and_not_before_its_time),
        IN_LOOP(test_only_those_timeouts_expire_whose_time_has_come),
        IN_LOOP(test_timeouts_of_a_longer_length_do_not_hold_up_shorter_ones),
        IN_LOOP(test_another_length_holds_for_those_that_run),
        IN_LOOP(test_a_stopped_timeout_does_not_expire),
        IN_LOOP(test_a_timeout_started_again_counts_from_now),
        IN_LOOP(test_an_expiring_timeout_may_stop_the_next_and_start_itself),
        IN_LOOP(test_timeouts_of_no_length_do_not_hold_the_turn),
        IN_LOOP(test_ending_timeouts_stops_those_that_run),
        IN_LOOP(test_ticks_run_on_request_and_at_their_deadline),
        IN_LOOP(test_a_later_wake_does_not_postpone_an_earlier_one),
        IN_LOOP(test_ticks_do_not_run_for_a_timeout),
        IN_LOOP(test_a_loop_at_rest_is_armed_for_the_remaining_deadlines),
        IN_LOOP(test_deadlines_are_recomputed_once_a_step),
        IN_LOOP(test_deadlines_of_flush_hooks_count_at_rest),
        IN_LOOP(test_a_tick_may_remove_itself_and_the_next),
        IN_LOOP(test_a_tick_that_is_always_late_does_not_spin),
        IN_LOOP(test_after_a_suspend_passed_deadlines_run_with_the_first_event),
        IN_LOOP(test_deadlines_within_one_step_share_a_wake_up),
        IN_LOOP(test_an_idle_loop_sleeps_for_ever),
        IN_LOOP(test_a_loop_with_one_deadline_does_not_poll_and_is_never_early),
        IN_LOOP(test_drain_runs_until_closed_handles_are_gone),
        IN_LOOP(test_drain_waits_for_a_handle_that_closes_later),
        IN_LOOP(test_drain_gives_up_on_a_handle_that_stays),
        cmocka_unit_test(test_init_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
