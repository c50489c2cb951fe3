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
struct group;
struct key;
struct lookup;
struct resolver;
struct share;

struct waiter {
    struct list_link link; /* the lookup's waiters */
    struct lookup *lookup; /* valid while it waits and during its callbacks */
    /* The lookup has ended, and the waiter is no longer linked. `answer` is borrowed until the return; NULL: no
     * response, see lookup_explain. */
    void (*done)(struct waiter *waiter, const struct answer *answer);
    /* Fresh data is late or unavailable. True: the waiter accepted other data and has ended. NULL: the waiter accepts
     * only fresh data. */
    bool (*take_stale)(struct waiter *waiter);
};

/* Waits for the lookup of this key, and starts one in this group if there is none from after the latest flush, charged to
 * `share` (NULL: to none).
 * False: the limit is reached, or out of memory. Never calls the waiter back before it returns, but may end another
 * lookup to make room. */
bool lookup_join(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                 struct waiter *waiter, struct share *share);
/* True if a lookup of this key failed or was late a short time ago: a caller that does not need the result should
 * not wait. */
bool lookup_is_failing(struct resolver *resolver, const struct key *key, uint64_t hash);
/* True if a lookup of this key failed a short time ago: it is not to be repeated yet (RFC 9520). */
bool lookup_has_failed(struct resolver *resolver, const struct key *key, uint64_t hash);
/* The client of a waiter has retransmitted its query: its lookup continues as if a client had joined it. */
void waiter_hurry(const struct waiter *waiter);
/* As if a client had joined the lookup of this key. False: there is none. */
bool lookup_hurry(struct resolver *resolver, const struct key *key, uint64_t hash);

#endif
