/* SPDX-License-Identifier: MIT */
/* The routes in force, and how all workers switch to others.
 *
 * Does:    prepares a change, which may fail, then commits it, which cannot: each worker gets a mailbox item. Each
 *          worker gets the changes in the order of their commits; no commit waits for an earlier one.
 * Owns:    the ids of groups, the routes in force, changes under way.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_ROUTING_H
#define DOTSTUB_DAEMON_ROUTING_H

#include "upstream/routes.h"
#include "worker.h"

struct routing {
    struct group_ids ids;
    struct routes *routes; /* in force */
    struct worker *const *workers;
    unsigned worker_count;
};

struct routing_change;

/* Makes the routes that the daemon starts with, before the workers are made. 0 or -ENOMEM. */
int routing_init(struct routing *routing, struct config *config, struct tls_trust *const *trusts) MUST_CHECK;
/* Call it when the workers run; they are borrowed. */
void routing_start(struct routing *routing, struct worker *const *workers, unsigned count);
/* Prepares the routes of this configuration. 0 or -ENOMEM. */
int routing_prepare(struct routing_change **out, struct routing *routing, struct config *config,
                    struct tls_trust *const *trusts) MUST_CHECK;
/* Frees a change that was not committed; NULL does nothing. */
void routing_drop(struct routing_change *change);
/* New queries use these routes from now on. When the last worker has switched `done` is called and the change is
 * freed. */
void routing_commit(struct routing *routing, struct routing_change *change, void (*done)(void *context), void *context);
/* Call it when the workers have ended and all mailbox items are back. */
void routing_fini(struct routing *routing);

#endif
