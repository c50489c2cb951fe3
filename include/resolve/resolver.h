/* SPDX-License-Identifier: MIT */
/* Start and end of a worker's resolver.
 *
 * Owns:    see context.h.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_RESOLVER_H
#define DOTSTUB_RESOLVE_RESOLVER_H

#include "resolve/query.h"
#include "store/store.h"

/* `steps` was prepared for `config`; the resolver takes a reference of its own. 0, -ENOMEM, or the error of a
 * step's init. */
int resolver_init(struct resolver *resolver, struct loop *loop, struct counters *counters, const struct config *config,
                  struct cache *cache, struct groups *groups, struct step_set *steps) MUST_CHECK;
/* Switches to another configuration, also for waiting queries; the previous one is no longer used after this call.
 * `steps` has the same order as before. The groups do not change. */
void resolver_configure(struct resolver *resolver, const struct config *config, struct step_set *steps);
/* Answers all waiting queries with SERVFAIL and ends all lookups; later lookups fail at once. */
void resolver_stop(struct resolver *resolver);
/* Other routes have come into force: waiting queries get their views anew. */
void resolver_routes_changed(struct resolver *resolver);
/* Drops the waiting queries whose origin has this owner. */
void resolver_drop_queries(struct resolver *resolver, const void *owner);
void resolver_fini(struct resolver *resolver);
/* The callbacks of the resolver's store; the owner sets resolver->store. */
extern const struct store_ops resolver_store_ops;

#endif
