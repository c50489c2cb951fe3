/* SPDX-License-Identifier: MIT */
/* Birth and end of a worker's resolver, and the steps that it brings.
 *
 * Owns:    see context.h.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_RESOLVER_H
#define DOTSTUB_RESOLVE_RESOLVER_H

#include "resolve/query.h"

/* 0 or -ENOMEM. */
int resolver_init(struct resolver *resolver, struct loop *loop, struct counters *counters, const struct config *config,
                  struct cache *cache, struct group *group, const struct step *const *steps) MUST_CHECK;
/* Another configuration holds from now on, for what waits as well; the one before is not looked at any more. The group is not
 * touched. */
void resolver_configure(struct resolver *resolver, const struct config *config);
/* SERVFAIL to every query that waits, and the end of all lookups; new ones fail at once. */
void resolver_stop(struct resolver *resolver);
void resolver_fini(struct resolver *resolver);

/* The last two steps: answered from the cache; asked upstream. */
extern const struct step step_cache, step_lookup;

#endif
