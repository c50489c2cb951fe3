/* SPDX-License-Identifier: MIT */
/* The resolver of one worker: the state that its queries and lookups share.
 *
 * Owns:    the slabs and tables of queries and lookups; borrows loop, counters, cache, groups and steps.
 * Threads: the worker's; the cache is shared by all workers.
 */
#ifndef DOTSTUB_RESOLVE_CONTEXT_H
#define DOTSTUB_RESOLVE_CONTEXT_H

#include "base/counters.h"
#include "base/slab.h"
#include "base/table.h"
#include "cache/cache.h"
#include "config/config.h"
#include "dns/edit.h"
#include "dns/name.h"
#include "net/loop.h"
#include "resolve/querylog.h"
#include "resolve/recorder.h"
#include "resolve/share.h"
#include "resolve/step.h"
#include "resolve/tally.h"
#include "upstream/groups.h"

struct lookup_stage;
struct refresh;
struct store;
struct store_flush;

/* The size of the largest response with our OPT. */
#define RESOLVER_BIG (MESSAGE_MAX + 1 + EDIT_OPT_MAX)

/* A step that takes part in the walk. */
struct step_active {
    enum verdict (*run)(struct query *query, void *state);
    void *state;
    uint8_t index; /* of the step in the full order */
};

/* A step with an `answer` function. */
struct step_answering {
    enum verdict (*answer)(struct query *query, struct answer *response, void *state);
    void *state;
    uint8_t index;
};

struct resolver {
    struct loop *loop;
    struct counters *counters;
    const struct config *config;
    struct cache *cache;
    struct groups *groups;
    struct store *store; /* NULL: there is none */
    /* A flush came from another replica of the fleet; only if the store leads. */
    void (*flush_heard)(struct resolver *resolver, const struct store_flush *flush);
    struct refresh *refresh;                    /* the state of step_cache, which lookups use, too */
    struct step_set *steps;                     /* a reference; the steps of the configuration in force */
    void *step_state[STEPS_MAX];                /* by index in the full order */
    struct step_active active[STEPS_MAX + 1];   /* the active steps; the last one refuses */
    struct step_answering answering[STEPS_MAX]; /* the active steps with `answer`, from the last to the first */
    unsigned answering_count;
    struct slab queries, lookups;
    struct table queries_by_client, lookups_by_key;
    struct shares shares; /* of the client networks */
    /* Number of lookups that were started for another one: a quarter of the slab is reserved for them. */
    size_t dependent_lookups;
    const struct lookup_stage *stages; /* STAGE_DONE elements */
    struct list leaving;               /* lookups that have ended and have waiters yet */
    struct timeouts leaves;
    struct timeout leave;           /* runs while `leaving` is not empty */
    struct timeouts answer_by;      /* of waiting queries */
    struct timeouts stale_after;    /* of lookups: when their waiting clients get stale data */
    uint8_t *big;                   /* RESOLVER_BIG bytes: a response that does not fit the client's room */
    struct answer_scratch *scratch; /* for walks over our own responses */
    struct rewrite *rewrite;        /* for removing records that a client did not request from cached responses */
    struct recorder recorder;
    struct tally tally;
    struct querylog querylog;
    struct tap_queue *tap; /* NULL: dnstap is off */
    bool stopping;
    struct edit_options options; /* of the OPT of the response that is being finished */
};

/* The number of waiting queries. */
static inline size_t resolver_waiting(const struct resolver *resolver)
{
    return resolver->queries.in_use;
}

/* The state of a step; NULL: the step is not in this resolver's order. */
static inline void *resolver_step_state(const struct resolver *resolver, const struct step *step)
{
    const struct step_set *set = resolver->steps;
    for (unsigned i = 0; i < set->count; i++)
        if (set->order[i] == step)
            return resolver->step_state[i];
    return NULL;
}
#endif
