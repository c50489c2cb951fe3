/* SPDX-License-Identifier: MIT */
/* The saved state: the time of the last verified handshake, for a machine that boots without a clock, and with
 * cache.save the cache and the TLS tickets.
 *
 * Does:    reads the state at the start; writes it every five minutes (the time once an hour) and at the end.
 * Owns:    its timer, and the files in the folder of cache.save-file. While that folder is not writable nothing is saved;
 *          each later write tries again.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_SAVED_STATE_H
#define DOTSTUB_DAEMON_SAVED_STATE_H

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
    const struct config *config; /* that the daemon started with */
};

/* The path of a file `name` beside cache.save-file. False: that folder is not writable now. */
bool saved_state_path(char out[PATH_MAX], const struct config *config, const char *name);

/* 0 or negative (libuv's numbers). */
int saved_state_init(struct saved_state *kept, struct loop *loop) MUST_CHECK;
/* Call it after privileges are dropped and before the workers run; they are borrowed until saved_state_write.
 * Reading the cache may continue while the workers run. */
void saved_state_read(struct saved_state *kept, const struct config *config, struct routes *routes, struct cache *cache,
                      struct worker **workers);
/* The same after a take-over, which provided cache and tickets: reads no file, because the files are older. */
void saved_state_begin(struct saved_state *kept, const struct config *config, struct routes *routes,
                       struct cache *cache, struct worker **workers);
/* Another process has taken over: nothing is written from now on. */
void saved_state_hand_over(struct saved_state *kept);
/* Another configuration and other routes are in force; the configuration is borrowed until the next call or the
 * end. */
void saved_state_configure(struct saved_state *kept, const struct config *config, struct routes *routes);
/* To be called after each flush of the cache. */
void saved_state_flushed(struct saved_state *kept);
/* Call it when the workers have ended. Returns when everything is written. */
void saved_state_write(struct saved_state *kept);
/* The struct must exist until the timer is closed (see loop_drain). */
void saved_state_close(struct saved_state *kept);

#endif
