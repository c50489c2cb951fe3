/* SPDX-License-Identifier: MIT */
/* The waiter of a lookup: a query (of a client or of a trace), or another lookup. A refresh has none.
 *
 * Does:    links its owner to the lookup.
 * Owns:    nothing. It is embedded in its owner, which may stop waiting at any time by removing `link`.
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
    struct lookup *lookup; /* valid while it waits and during its callbacks */
    /* The lookup has ended, and the waiter is no longer linked. `answer` is borrowed until the return; NULL: the lookup has the reason. */
    void (*done)(struct waiter *waiter, const struct answer *answer);
    /* Fresh data is late or unavailable. True: the waiter took expired data and is gone. NULL: it wants fresh data only. */
    bool (*take_stale)(struct waiter *waiter);
};

/* True if there is a lookup of this key: it goes on as if a client had joined it, because a waiter's client has sent its query again. */
bool lookup_hurry(struct resolver *resolver, const struct key *key, uint64_t hash);

#endif
