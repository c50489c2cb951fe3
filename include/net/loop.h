/* SPDX-License-Identifier: MIT */
/* One event loop: turns, flushes, deadlines.
 *
 * Does:    runs libuv; reads the clock once per turn; before each sleep runs the flush hooks that were added until
 *          none is left; keeps ONE timer, armed for the next deadline in steps of 10 ms and stopped when there is
 *          none, so that an idle loop sleeps, and cancelled deadlines do not wake it. Deadlines never run early,
 *          and run late by about one step at most; deadlines that passed during a suspend run with the first event
 *          after it, or when the timer, which does not count suspended time, fires.
 * Owns:    the uv loop, its prepare and timer handles and the read scratch shared by all its streams.
 * Threads: all calls on the loop's own thread.
 */
#ifndef DOTSTUB_NET_LOOP_H
#define DOTSTUB_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/list.h"

#define LOOP_NEVER   UINT64_MAX
#define LOOP_SCRATCH 65536

/* Embedded in its owner. `flush` runs once before the next sleep after loop_add_flush; hooks that were not added do
 * not run. `flush` may add and remove hooks; added ones, even itself, run before the same sleep. */
struct loop_flush {
    struct list_link link;
    bool last; /* runs after all others, to send their output together with its own */
    void (*flush)(struct loop_flush *hook);
};

/* Registered from above. `tick` runs at the deadline of any tick or of loop_wake_by, and after loop_rest; so at any
 * time, and maybe twice in one millisecond. It handles expired deadlines, returns its next deadline (clock_ms,
 * LOOP_NEVER: none; if it has passed: the next step), and may add and remove hooks. */
struct loop_tick {
    struct list_link link;
    uint64_t (*tick)(struct loop_tick *hook, uint64_t now_ms);
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uint64_t now_ms;     /* the boot-time clock of this turn, 0: not read yet */
    uint64_t armed_at;   /* the deadline for which the timer is armed, LOOP_NEVER: stopped */
    uint64_t wake_at;    /* the earliest deadline of the ticks */
    uint64_t expire_at;  /* the earliest deadline of the timeouts */
    uint64_t exact_at;   /* as wake_at, but not rounded to a step */
    uint64_t drained_by; /* when loop_drain gives up, LOOP_NEVER: it is not running */
    uint64_t settled_ms; /* when the ticks last ran because of loop_rest */
    bool settle_due;     /* the ticks are to run again before the first sleep at least one step later */
    struct list flush_hooks, last_flush_hooks; /* hooks to run */
    struct list tick_hooks, timeouts;
    uint8_t *read_scratch;  /* LOOP_SCRATCH bytes each: the data of one read */
    uint8_t *clear_scratch; /* the same data after decryption */
};

/* 0 or negative (libuv's numbers). */
int loop_init(struct loop *loop) MUST_CHECK;
/* All handles of other owners must have been closed (their close callbacks have run), which is asserted. Do not
 * call it for a loop with open handles, for example after loop_drain gave up. */
void loop_fini(struct loop *loop);
/* Runs until loop_stop, even without handles; then flushes once more and returns. */
void loop_run(struct loop *loop);
/* May be called before loop_run, which then returns at once. */
void loop_stop(struct loop *loop);
/* Runs the loop until all handles but the loop's own have been closed, for at most `ms`; true if all were. */
bool loop_drain(struct loop *loop, uint64_t ms);
/* The clock of this turn: read at its first use after the loop woke. */
static inline uint64_t loop_now(struct loop *loop)
{
    if (!loop->now_ms)
        loop->now_ms = clock_ms();
    return loop->now_ms;
}

/* Adding a hook twice does nothing, and so does removing one that was not added. */
void loop_add_flush(struct loop *loop, struct loop_flush *hook);
void loop_remove_flush(struct loop_flush *hook);
void loop_add_tick(struct loop *loop, struct loop_tick *hook);
void loop_remove_tick(struct loop_tick *hook);
/* Makes the ticks run at or shortly after `at_ms`. If they run earlier they have to return that deadline again. */
void loop_wake_by(struct loop *loop, uint64_t at_ms);
/* The same, but the ticks do not run later than about 1 ms after `at_ms`. */
void loop_wake_exactly(struct loop *loop, uint64_t at_ms);
/* Call it when deadlines were cancelled: the ticks run before the loop sleeps, or, if they already ran in this
 * step, with the first wake-up after it, and return their next deadlines, so that cancelled ones do not wake the
 * loop. */
void loop_rest(struct loop *loop);

/* Timeouts of one constant length: a FIFO, so starting and stopping are O(1). `expired` runs with the timeout already
 * stopped; it may start and stop any timeout. */
struct timeout {
    struct list_link link;
    uint64_t at_ms;
};
struct timeouts {
    struct loop *loop;
    struct list_link link;
    struct list running;
    uint64_t length_ms;
    void (*expired)(struct timeout *timeout);
};
/* A length of 0 counts as 1 ms. */
void timeouts_init(struct timeouts *timeouts, struct loop *loop, uint64_t length_ms, void (*expired)(struct timeout *));
/* The new length also applies to running timeouts. */
void timeouts_set_length(struct timeouts *timeouts, uint64_t length_ms);
/* Stops all running timeouts. */
void timeouts_fini(struct timeouts *timeouts);
/* Starts or restarts a timeout. */
void timeout_start(struct timeouts *timeouts, struct timeout *timeout);
/* Does nothing to a timeout that is not running; zeroed memory is not running. */
void timeout_stop(struct timeout *timeout);

#endif
