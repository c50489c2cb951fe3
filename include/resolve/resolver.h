/* SPDX-License-Identifier: MIT */
/* Birth and end of a worker's resolver.
 *
 * Owns:    see context.h.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_RESOLVER_H
#define DOTSTUB_RESOLVE_RESOLVER_H

#include "resolve/query.h"

/* `steps` are those prepared for `config`; the resolver takes a reference of its own. 0, -ENOMEM, or as a step's init says. */
int resolver_init(struct resolver *resolver, struct loop *loop, struct counters *counters, const struct config *config,
                  struct cache *cache, struct groups *groups, struct step_set *steps) MUST_CHECK;
/* Another configuration holds from now on, for what waits as well; the one before is not looked at any more. `steps` has the same
 * order as before. The groups are not touched. */
void resolver_configure(struct resolver *resolver, const struct config *config, struct step_set *steps);
/* SERVFAIL to every query that waits, and the end of all lookups; new ones fail at once. */
void resolver_stop(struct resolver *resolver);
void resolver_fini(struct resolver *resolver);

#endif
