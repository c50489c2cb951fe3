/* SPDX-License-Identifier: MIT */
/* A query of our own for the client of another query: for a step that needs another name or type to answer.
 *
 * Does:    runs it through all steps, as if the client had sent it over TCP, so that local data, routes, the cache and
 *          limits apply to it. It is counted and logged as a query.
 * Owns:    its response. The outer query may end at any time, and then does not get it. limits.queries-in-flight bounds
 *          their number: for each of them a query waits, or did until the end of this turn.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_SUBQUERY_H
#define DOTSTUB_RESOLVE_SUBQUERY_H

#include "base/slab.h"
#include "resolve/query.h"

/* The subqueries of one step on one worker. */
struct subqueries {
    struct resolver *resolver;
    /* Called for a subquery for which the outer query waited; NULL: it had no response. It must answer or resume the
     * outer query, or return WAITING for another subquery. */
    enum verdict (*done)(struct query *outer, const struct answer *answer, unsigned data, void *context);
    void *context;
    struct slab slab;
    struct list running, due; /* with a query that waits; deferred ones and those that have ended */
    struct loop_flush flush;
    uint8_t *room; /* the response of a subquery that did not wait */
    size_t room_len;
};

/* 0 or -ENOMEM. */
int subqueries_init(struct subqueries *all, struct resolver *resolver,
                    enum verdict (*done)(struct query *outer, const struct answer *answer, unsigned data,
                                         void *context),
                    void *context) MUST_CHECK;
/* Call it when no query waits. */
void subqueries_fini(struct subqueries *all);

/* Starts a subquery for this key (its group is not used). NEXT: it has ended, and `out` is its response, valid until
 * the next subquery of the step (NULL wire: none). WAITING: `done` follows. DROPPED: the outer query has ended. A
 * response of the outer query that is in the resolver's memory for big responses is lost. Not from the `answer` pass
 * of a parked query, see subquery_defer. */
enum verdict subquery_ask(struct subqueries *all, struct query *outer, const struct key *key, unsigned data,
                          struct answer *out) MUST_CHECK;
/* The same before the loop sleeps; `done` always follows. The outer query is parked. False: out of memory. */
bool subquery_defer(struct subqueries *all, struct query *outer, const struct key *key, unsigned data) MUST_CHECK;

#endif
