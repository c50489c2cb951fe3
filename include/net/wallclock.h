/* SPDX-License-Identifier: MIT */
/* Reports that the wall clock was set.
 *
 * Does:    calls `was_set` when the wall clock is set (settimeofday, a step of NTP; not slewing, which is
 *          continuous) and when the machine resumes from a suspend, whose length the kernel adds to the wall clock.
 *          Costs nothing meanwhile. Without such a timer (containers, system call filters) nothing is reported.
 * Owns:    its uv handle and descriptor.
 * Threads: the loop's.
 */
#ifndef DOTSTUB_NET_WALLCLOCK_H
#define DOTSTUB_NET_WALLCLOCK_H

#include <uv.h>
#include "net/loop.h"

struct wallclock {
    uv_poll_t poll;
    int fd; /* -1: not monitored */
    void (*was_set)(struct wallclock *wallclock);
};

/* `was_set` may call wallclock_close. */
void wallclock_open(struct wallclock *wallclock, struct loop *loop, void (*was_set)(struct wallclock *));
/* The struct must exist until the handle has been closed (see loop_drain). */
void wallclock_close(struct wallclock *wallclock);

#endif
