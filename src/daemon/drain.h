/* SPDX-License-Identifier: MIT */
/* Draining before the end, so that load balancers can move to other servers.
 *
 * Does:    makes health checks fail for a time, while queries are still answered; tells the service manager how
 *          long this takes.
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

/* `over` is called when draining ends. 0 or negative (libuv's numbers). */
int drain_init(struct drain *drain, struct loop *loop, void (*over)(void)) MUST_CHECK;
/* Starts draining; if it has already begun, the time starts again. */
void drain_begin(struct drain *drain, uint64_t ms, struct control *control, struct worker **workers, unsigned count);
/* The struct must exist until the timer is closed (see loop_drain). */
void drain_close(struct drain *drain);

#endif
