/* SPDX-License-Identifier: MIT */
/* Signs of life for the service manager (WatchdogSec= of systemd).
 *
 * Does:    tells it, four times in the time it allows, that all is well: but only if every worker has answered since. Where
 *          nobody waits for it there is no timer that runs.
 * Owns:    its timer; the workers are borrowed and outlive it.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_WATCHDOG_H
#define DOTSTUB_DAEMON_WATCHDOG_H

#include "net/loop.h"
#include "worker.h"

struct watchdog {
    uv_timer_t timer;
    struct worker **workers;
    unsigned count;
};

/* 0 or negative (libuv's numbers). */
int watchdog_init(struct watchdog *watchdog, struct loop *loop) MUST_CHECK;
/* Once the workers run; to be stopped before they are. */
void watchdog_start(struct watchdog *watchdog, struct worker **workers, unsigned count);
void watchdog_stop(struct watchdog *watchdog);
/* The memory must stay until the timer has been closed (loop_drain says so). */
void watchdog_close(struct watchdog *watchdog);

#endif
