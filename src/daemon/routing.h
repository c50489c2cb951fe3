/* SPDX-License-Identifier: MIT */
/* The routes in force, and how all workers go over to others.
 *
 * Does:    a change is prepared, which may fail, then committed, which cannot: a mailbox item goes to each worker. Changes are
 *          committed one after the other, and each worker gets them in that order; none waits for the one before.
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

/* The routes that the daemon starts with, for workers to be made with. 0 or -ENOMEM. */
int routing_init(struct routing *routing, struct config *config, struct tls_trust *const *trusts) MUST_CHECK;
/* The workers run; they are borrowed. */
void routing_start(struct routing *routing, struct worker *const *workers, unsigned count);
/* What this configuration says. 0 or -ENOMEM. */
int routing_prepare(struct routing_change **out, struct routing *routing, struct config *config,
                    struct tls_trust *const *trusts) MUST_CHECK;
/* One that was not committed; NULL does nothing. */
void routing_drop(struct routing_change *change);
/* New queries are routed so from now on. When the last worker has gone over `done` is called, and the change is gone. */
void routing_commit(struct routing *routing, struct routing_change *change, void (*done)(void *context), void *context);
/* The workers have ended and all mailbox items are back. */
void routing_fini(struct routing *routing);

#endif
