/* SPDX-License-Identifier: MIT */
/* Before the end: load balancers get the time to look elsewhere.
 *
 * Does:    makes health checks fail for a while, during which all else is answered; tells the service manager that this takes so long.
 * Owns:    its timer; workers and control side are borrowed.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_DRAIN_H
#define DOTSTUB_DAEMON_DRAIN_H

#include "control/control.h"
#include "worker.h"

struct drain {
    uv_timer_t timer;
    bool begun;
    void (*over)(void);
};

/* `over` runs at the end of it. 0 or negative (libuv's numbers). */
int drain_init(struct drain *drain, struct loop *loop, void (*over)(void)) MUST_CHECK;
/* The time counts from now, also when one has begun before. */
void drain_begin(struct drain *drain, uint64_t ms, struct control *control, struct worker **workers, unsigned count);
/* The memory must stay until the timer has been closed (loop_drain says so). */
void drain_close(struct drain *drain);

#endif
