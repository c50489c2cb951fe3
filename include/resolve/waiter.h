/* SPDX-License-Identifier: MIT */
/* A waiter of a lookup: a query (of a client or of a trace), or another lookup. A refresh has no waiter.
 *
 * Does:    links its owner to the lookup.
 * Owns:    nothing; it lies in its owner, who may leave at any time by removing `link`.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_WAITER_H
#define DOTSTUB_RESOLVE_WAITER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"

struct answer;
struct key;
struct lookup;
struct resolver;

struct waiter {
    struct list_link link; /* the lookup's waiters */
    struct lookup *lookup; /* while it waits and while it is called */
    /* The lookup is over, and the waiter has left it. `answer` is borrowed until the return; NULL: there is none, the lookup knows why. */
    void (*done)(struct waiter *waiter, const struct answer *answer);
    /* Fresh data is slow or cannot be had: true if the waiter took expired data and left. NULL: it wants fresh data only. */
    bool (*take_stale)(struct waiter *waiter);
};

/* True if there is a lookup of this key: it goes on as if a client had joined it, because a waiter's client has sent its query again. */
bool lookup_hurry(struct resolver *resolver, const struct key *key, uint64_t hash);

#endif
