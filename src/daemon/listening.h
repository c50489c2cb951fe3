/* SPDX-License-Identifier: MIT */
/* Listeners that follow the machine's interfaces while the daemon runs.
 *
 * Does:    after each change of the network, and every few seconds while an address of `listen` is missing, compares the addresses that
 *          are wanted with those that have listeners; opens and closes listeners of all workers.
 * Owns:    the list of active specifications; items in the workers' mailboxes.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_LISTENING_H
#define DOTSTUB_DAEMON_LISTENING_H

#include "net/loop.h"
#include "sockets.h"
#include "worker.h"

struct listening;

struct listening_ops {
    /* The active specifications and the sockets' copies have changed. */
    void (*changed)(const struct listening *listening);
    /* The copies are in use: nothing may change now. */
    bool (*busy)(void);
};

struct listening {
    struct config *config; /* that the daemon started with: `listen` takes effect at a start; held */
    struct sockets *sockets;
    struct worker **workers;
    unsigned worker_count;
    const struct listening_ops *ops;
    struct listener_spec *active;
    size_t active_count;
    unsigned outstanding; /* items in mailboxes */
    bool again;           /* look again when they are back */
    bool running;
    struct timeouts retries;
    struct timeout retry;
    struct log_repeats failures;
};

/* Call it when the workers run. Does nothing unless sockets->can_change. 0 or -ENOMEM. */
int listening_start(struct listening *listening, struct config *config, struct sockets *sockets,
                    struct worker **workers, struct loop *loop, const struct listening_ops *ops) MUST_CHECK;
void listening_network_changed(struct listening *listening);
/* Changes nothing from now on. Before listening_start it does nothing. */
void listening_stop(struct listening *listening);
/* Call it when the workers have ended. */
void listening_fini(struct listening *listening);

#endif
