/* SPDX-License-Identifier: MIT */
/* What is kept from one run to the next: the time of the last verified handshake, for a machine that starts without a clock, and
 * with cache.save the cache and the TLS tickets.
 *
 * Does:    reads them at the start; writes them each five minutes (the time once an hour), and at the end.
 * Owns:    its timer, and the files in the folder of cache.save-file; where that folder is not, nothing is kept.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_KEPT_H
#define DOTSTUB_DAEMON_KEPT_H

#include <limits.h>
#include "cachefile.h"
#include "config/config.h"
#include "net/loop.h"
#include "worker.h"

struct saved_state {
    uv_timer_t timer;
    struct cachefile cachefile;
    struct worker **workers;
    unsigned worker_count;
    bool handed_over;
    char verified_file[PATH_MAX], ticket_file[PATH_MAX]; /* "": nowhere */
};

/* 0 or negative (libuv's numbers). */
int saved_state_init(struct saved_state *kept, struct loop *loop) MUST_CHECK;
/* Once privileges are what they will be, before the workers run; they are borrowed until saved_state_write. The cache may be read on while
 * the workers run already. */
void saved_state_read(struct saved_state *kept, const struct config *config, struct routes *routes, struct cache *cache,
                      struct worker **workers);
/* The same where cache and tickets came from the process before, which still runs: the files are from before it. */
void saved_state_begin(struct saved_state *kept, const struct config *config, struct routes *routes,
                       struct cache *cache, struct worker **workers);
/* Another process has them now: nothing is written any more. */
void saved_state_hand_over(struct saved_state *kept);
/* Another configuration and other routes are in force; the former is borrowed until the next one, or the end. */
void saved_state_configure(struct saved_state *kept, const struct config *config, struct routes *routes);
/* Something in the cache was flushed. */
void saved_state_flushed(struct saved_state *kept);
/* The workers have ended. Returns when all is written. */
void saved_state_write(struct saved_state *kept);
/* The memory must stay until the timer has been closed (loop_drain says so). */
void saved_state_close(struct saved_state *kept);

#endif
