/* What is kept from one run to the next: the time of the last verified handshake, for a machine that starts without a clock.
 *
 * Does:    reads it at the start; writes it ten minutes after that, each hour, and at the end.
 * Owns:    its timer, and the files in the folder of cache.save-file; where that folder is not, nothing is kept.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_KEPT_H
#define DOTSTUB_DAEMON_KEPT_H

#include <limits.h>
#include "config/config.h"
#include "net/loop.h"

struct kept {
    uv_timer_t timer;
    char verified_file[PATH_MAX]; /* "": nowhere */
};

/* 0 or negative (libuv's numbers). */
int kept_init(struct kept *kept, struct loop *loop) MUST_CHECK;
/* Once privileges are what they will be. */
void kept_read(struct kept *kept, const struct config *config);
void kept_write(struct kept *kept);
/* The memory must stay until the timer has been closed (loop_drain says so). */
void kept_close(struct kept *kept);

#endif
