/* SPDX-License-Identifier: MIT */
/* A step: one way to handle a query. The steps have one full order (daemon/steps.c), which each query walks.
 *
 * Does:    a step is one constant table entry. Its part of the configuration is prepared once, as an immutable snapshot that
 *          all workers share; its state exists once for each worker, and no other thread touches it.
 * Owns:    a step set owns the snapshots and ends with its last reference; a resolver owns the states.
 * Threads: `prepare` runs on the main thread, `release` on that which gives the last reference back, all else on the worker's.
 */
#ifndef DOTSTUB_RESOLVE_STEP_H
#define DOTSTUB_RESOLVE_STEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/check.h"

struct answer;
struct config;
struct query;
struct resolver;

enum verdict {
    NEXT,     /* not this step's affair: the walk goes on */
    ANSWERED, /* the response was sent */
    DROPPED,  /* there is no response */
    WAITING,  /* the query is parked (query_park) */
    REPLACED, /* of `answer`: there is another response now, and the pass goes on with it */
};

/* Members may be NULL where a step has nothing to do; only `name` and `run` are always there. */
struct step {
    const char *name;
    /* Makes the snapshot of the configuration, of which it keeps no pointer. 0 and *snapshot (NULL: with this configuration there
     * is nothing to do), or negative after a sentence for the operator in `errors` (-ENOMEM: without one). */
    int (*prepare)(const struct config *config, void **snapshot, FILE *errors);
    void (*release)(void *snapshot);
    /* False: the step is left out of the walk. */
    bool (*wanted)(const void *snapshot);
    /* Makes a worker's state; of the resolver there are its loop, counters and cache by then. 0, or negative and nothing is left behind. */
    int (*init)(struct resolver *resolver, void **state);
    /* `snapshot` holds from now on; the one before is not looked at any more. First called after `init`. */
    void (*configure)(void *state, const void *snapshot);
    enum verdict (*run)(struct query *query, void *state);
    /* Looks at a response about to be sent, for each query that is past this step. `response` is as it goes to the cache: without OPT, TTLs
     * lowered, whole (ttl_offsets are not there). The message itself is not the step's to change; query_own_response makes it so, and then
     * the step says REPLACED. WAITING keeps the response; query_resume lets it go on, query_answer or query_error send another one instead,
     * all through the steps before this one only. ANSWERED and DROPPED as of `run`. No other query may end meanwhile. */
    enum verdict (*answer)(struct query *query, struct answer *response, void *state);
    void (*fini)(void *state);
};

#define STEPS_MAX 16

/* All steps of an order, prepared for one configuration. */
struct step_set {
    atomic_uint references;
    const struct step *const *order; /* ends with NULL */
    unsigned count;
    void *snapshot[STEPS_MAX]; /* by the step's index in the order */
};

/* Prepares the steps of `order` (constant, ends with NULL). 0 and one reference in *out, or negative after what the step that
 * failed has said. */
int step_set_new(struct step_set **out, const struct step *const *order, const struct config *config,
                 FILE *errors) MUST_CHECK;
struct step_set *step_set_ref(struct step_set *set);
/* NULL is fine. */
void step_set_unref(struct step_set *set);

/* The last two of daemon/steps.c: answered from the cache; asked upstream. */
extern const struct step step_cache, step_lookup;

#endif
