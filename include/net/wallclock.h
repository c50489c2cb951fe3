/* SPDX-License-Identifier: MIT */
/* Hears that the wall clock was set.
 *
 * Does:    calls `was_set` when someone sets the wall clock (settimeofday, a step of NTP; not its slewing,
 * which goes on all the time) and when the machine wakes from a suspend, whose length the kernel adds to the
 * wall clock. Costs nothing meanwhile. Where there is no such timer (containers, system call filters) nothing
 * is heard of.
 * Owns:    its uv handle and descriptor.
 * Threads: its loop's.
 */
#ifndef DOTSTUB_NET_WALLCLOCK_H
#define DOTSTUB_NET_WALLCLOCK_H

#include <uv.h>
#include "net/loop.h"

struct wallclock {
    uv_poll_t poll;
    int fd; /* -1: nothing is watched */
    void (*was_set)(struct wallclock *wallclock);
};

/* `was_set` may call wallclock_close. */
void wallclock_open(struct wallclock *wallclock, struct loop *loop, void (*was_set)(struct wallclock *));
/* The memory must stay until the handle has been closed (loop_drain says so). */
void wallclock_close(struct wallclock *wallclock);

#endif
