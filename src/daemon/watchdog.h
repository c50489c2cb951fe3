/* SPDX-License-Identifier: MIT */
/* Heartbeats for the service manager (WatchdogSec= of systemd).
 *
 * Does:    sends a heartbeat four times per watchdog interval, if every worker has replied since the previous one.
 *          Without a watchdog no timer runs.
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
/* Call it once the workers run; stop it before they are stopped. */
void watchdog_start(struct watchdog *watchdog, struct worker **workers, unsigned count);
void watchdog_stop(struct watchdog *watchdog);
/* The struct must exist until the timer is closed (see loop_drain). */
void watchdog_close(struct watchdog *watchdog);

#endif
