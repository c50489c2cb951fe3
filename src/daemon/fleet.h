/* SPDX-License-Identifier: MIT */
/* Flushes of the whole fleet, asked for here or by another replica.
 *
 * Does:    lets all workers ignore older values of the store, tells the other replicas if the flush was asked for here, and
 *          then flushes the cache on libuv's pool.
 * Owns:    the flushes under way.
 * Threads: main thread.
 */
#ifndef DOTSTUB_DAEMON_FLEET_H
#define DOTSTUB_DAEMON_FLEET_H

#include "control/control.h"
#include "worker.h"

/* The owner sets the first members. */
struct fleet {
    struct loop *loop;
    struct worker **workers;
    unsigned count;
    struct cache *cache;
    void (*flushed)(void); /* entries of the cache were flushed; runs when `flushing` is up to date */
    bool stopping;
    unsigned flushing; /* on the pool */
};

/* A name of `len` bytes in lower case; `below`: and all names below it. wait->done runs, now or later. */
void fleet_flush(struct fleet *fleet, const struct config *config, const uint8_t *name, size_t len, bool below,
                 struct flush_wait *wait);
/* Waits for the thread of the pool. */
void fleet_wait(struct fleet *fleet);
/* Another replica has told of it. */
void fleet_heard(struct fleet *fleet, const struct store_flush *flush);

#endif
