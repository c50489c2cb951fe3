/* SPDX-License-Identifier: MIT */
/* Upstreams with a host in place of addresses: looks up their addresses, again before their TTL ends, and tells all
 * workers.
 *
 * Does:    asks the first worker, in the group that bootstraps the upstream; publishes a new table when addresses
 *          have changed, or when the first lookups have failed; saves the addresses beside cache.save-file.
 * Owns:    the states of the hosts, its timer, and items under way.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_BOOTSTRAP_H
#define DOTSTUB_DAEMON_BOOTSTRAP_H

#include "config/config.h"
#include "control/ops.h"
#include "host_state.h"
#include "net/loop.h"
#include "routing.h"
#include "worker.h"

struct bootstrap {
    uv_timer_t timer;
    struct config *config; /* a reference */
    struct routing *routing;
    struct worker *const *workers;
    unsigned worker_count;
    struct host_state *states;
    size_t count;
    unsigned generation; /* of `states`: replies to earlier ones are ignored */
    bool untold;         /* a worker has not got the latest table */
    bool stopped;
};

/* 0 or negative (libuv's numbers). */
int bootstrap_init(struct bootstrap *bootstrap, struct loop *loop) MUST_CHECK;
/* Call it after privileges are dropped. Reads the saved addresses and begins the first lookups. */
void bootstrap_start(struct bootstrap *bootstrap, struct config *config, struct routing *routing,
                     struct worker *const *workers, unsigned count);
/* Another configuration is in force: hosts that stay keep their addresses. */
void bootstrap_configure(struct bootstrap *bootstrap, struct config *config);
/* Lookups that failed are repeated at once. */
void bootstrap_network_changed(struct bootstrap *bootstrap);
/* Writes at most `room` reports; returns their number. */
size_t bootstrap_report(const struct bootstrap *bootstrap, struct host_report *out, size_t room);
/* The workers are about to stop: posts no more items. */
void bootstrap_stop(struct bootstrap *bootstrap);
/* The struct must exist until the timer is closed (see loop_drain). */
void bootstrap_close(struct bootstrap *bootstrap);
void bootstrap_fini(struct bootstrap *bootstrap);

#endif
