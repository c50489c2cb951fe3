/* SPDX-License-Identifier: MIT */
/* The routes in force, and how all workers switch to others.
 *
 * Does:    prepares a change, which may fail, then commits it, which cannot: each worker gets a mailbox item. Each
 *          worker gets the changes in the order of their commits; no commit waits for an earlier one.
 *          The routes are those of the configuration and those added at run time (config/added.h).
 * Owns:    the ids of groups, the routes in force, changes under way; references to what the routes are made from.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_ROUTING_H
#define DOTSTUB_DAEMON_ROUTING_H

#include "config/added.h"
#include "upstream/routes.h"
#include "worker.h"

/* The configuration and the added routes that routes are made from. */
struct routing_source {
    struct config *config;
    struct tls_trust **trusts; /* of its upstreams */
    struct added_route **added;
    size_t added_count;
    const char **down; /* interfaces of the configuration's routes that are missing or down; texts of `config` */
    size_t down_count;
};

struct routing {
    struct group_ids ids;
    struct routes *routes;         /* in force */
    struct routing_source source;  /* of those */
    struct bootstrap_table *known; /* the addresses of hosts; NULL: none. New groups begin with them */
    struct worker *const *workers;
    unsigned worker_count;
};

struct routing_change;

/* Makes the routes that the daemon starts with, before the workers are made. 0 or -ENOMEM. */
int routing_init(struct routing *routing, struct config *config, struct tls_trust *const *trusts) MUST_CHECK;
/* Call it when the workers run; they are borrowed. */
void routing_start(struct routing *routing, struct worker *const *workers, unsigned count);
/* Prepares the routes of this configuration and of those routes added at run time that it has the upstreams for. 0 or
 * -ENOMEM. */
int routing_prepare(struct routing_change **out, struct routing *routing, struct config *config,
                    struct tls_trust *const *trusts) MUST_CHECK;
/* Prepares routes for the configuration in force, with these `count` routes in place of those that were added before.
 * 0, -ENOMEM, or -E2BIG: more than ROUTES_GROUPS_MAX groups. */
int routing_prepare_added(struct routing_change **out, struct routing *routing, struct added_route *const *added,
                          size_t count) MUST_CHECK;
/* Groups that are made from now on begin with these addresses of hosts. */
void routing_know(struct routing *routing, struct bootstrap_table *known);
/* Frees a change that was not committed; NULL does nothing. */
void routing_drop(struct routing_change *change);
/* New queries use these routes from now on. When the last worker has switched `done` is called and the change is
 * freed. */
void routing_commit(struct routing *routing, struct routing_change *change, void (*done)(void *context), void *context);
/* The same before the workers run: they have switched when it returns. */
void routing_commit_early(struct routing *routing, struct routing_change *change);
/* Call it when the workers have ended and all mailbox items are back. */
void routing_fini(struct routing *routing);

#endif
