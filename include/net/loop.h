/* SPDX-License-Identifier: MIT */
/* One event loop: turns, flushes, deadlines.
 *
 * Does:    runs libuv; reads the clock once per turn; before each sleep runs the flush hooks that were added until none
 *          is left; keeps ONE timer, armed for the next deadline in steps of 10 ms and stopped when there is none, so
 *          that an idle loop sleeps, and is not woken by deadlines of work that is done. Deadlines run never early, and
 *          late by about one step; those that a suspend passed over run with the first event after it, or when the
 *          timer, which stood still meanwhile, fires.
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

/* Lives in its owner. `flush` runs once before the next sleep after loop_add_flush; a hook without work is not called.
 * It may add and remove hooks; those added meanwhile, its own too, run before the same sleep. */
struct loop_flush {
    struct list_link link;
    bool last; /* runs after all others, so that their output leaves together with its own */
    void (*flush)(struct loop_flush *hook);
};

/* Registered from above. `tick` runs when a deadline of any tick has come, or that of loop_wake_by, or when the loop
 * comes to rest; so at any time, and maybe twice in one millisecond. It does what is due, gives its next deadline
 * (clock_ms, LOOP_NEVER: none; one that has passed: the next step), and may add and remove hooks. */
struct loop_tick {
    struct list_link link;
    uint64_t (*tick)(struct loop_tick *hook, uint64_t now_ms);
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uint64_t now_ms;                           /* the boot-time clock of this turn, 0: not read yet */
    uint64_t armed_at;                         /* what the timer is armed for, LOOP_NEVER: stopped */
    uint64_t wake_at;                          /* the earliest deadline of the ticks, */
    uint64_t expire_at;                        /* and of the timeouts */
    uint64_t drained_by;                       /* the end of loop_drain's patience, LOOP_NEVER: it does not run */
    uint64_t settled_ms;                       /* when deadlines were last asked for anew */
    bool settle_due;                           /* they are to be, before the next sleep a step later */
    struct list flush_hooks, last_flush_hooks; /* that are to run */
    struct list tick_hooks, timeouts;
    uint8_t *read_scratch;  /* LOOP_SCRATCH bytes each: what one read gave, */
    uint8_t *clear_scratch; /* and what it was after decryption */
};

/* 0 or negative (libuv's numbers). */
int loop_init(struct loop *loop) MUST_CHECK;
/* All handles of others must be closed already (their close callbacks have run), which is asserted: a loop that
 * loop_drain gave up on, or that still has open handles, is left as it is. */
void loop_fini(struct loop *loop);
/* Runs until loop_stop, whatever handles there are; then flushes once more and returns. */
void loop_run(struct loop *loop);
/* May be called before loop_run, which then returns at once. */
void loop_stop(struct loop *loop);
/* Runs the loop until no handle but the loop's own is left (after everything was closed), at most `ms`; true if so. */
bool loop_drain(struct loop *loop, uint64_t ms);
/* The clock of this turn: read at its first use after the loop woke. */
static inline uint64_t loop_now(struct loop *loop)
{
    if (!loop->now_ms)
        loop->now_ms = clock_ms();
    return loop->now_ms;
}

/* Adding one that is to run already does nothing, and so does removing one that is not. */
void loop_add_flush(struct loop *loop, struct loop_flush *hook);
void loop_remove_flush(struct loop_flush *hook);
void loop_add_tick(struct loop *loop, struct loop_tick *hook);
void loop_remove_tick(struct loop_tick *hook);
/* Makes sure that the ticks run at or shortly after `at_ms`, or before: they then have to give that deadline again. */
void loop_wake_by(struct loop *loop, uint64_t at_ms);
/* Some deadlines are no longer needed: the ticks run before the loop sleeps, or, if they already ran in this step, with the first
 * wake-up after it. They return their next deadlines, so that cancelled deadlines do not wake the loop. */
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
/* Running timeouts end that long after their start, too. */
void timeouts_set_length(struct timeouts *timeouts, uint64_t length_ms);
/* Stops those that run. */
void timeouts_fini(struct timeouts *timeouts);
/* Starts, or starts again from now. */
void timeout_start(struct timeouts *timeouts, struct timeout *timeout);
/* Stopping one that is not running does nothing; zeroed memory is not running. */
void timeout_stop(struct timeout *timeout);

#endif
