/* SPDX-License-Identifier: MIT */
/* What all queries and lookups of one worker share.
 *
 * Owns:    the slabs and tables of queries and lookups; borrows loop, counters, cache, group and steps.
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
#include "resolve/tally.h"
#include "upstream/upstream.h"

struct step;
#define STEPS_MAX 16

/* Any answer and an OPT of ours. */
#define RESOLVER_BIG (MESSAGE_MAX + 1 + EDIT_OPT_MAX)

/* A name that could not be refreshed (RFC 8767 section 5: failure recheck timer), or whose refresh was begun. */
struct recheck {
    uint64_t hash;
    uint64_t until_ms;
};
#define RESOLVER_RECHECKS 1024

/* How long a question may take before it is asked again differs by server: a few constant lengths, so that each stays a FIFO. */
#define RESOLVER_AGAIN 14

struct resolver {
    struct loop *loop;
    struct counters *counters;
    const struct config *config;
    struct cache *cache;
    struct group *group;
    const struct step *const *all_steps;     /* ends with NULL, */
    const struct step *steps[STEPS_MAX + 1]; /* and so do those that the configuration wants */
    struct slab queries, lookups;
    struct table queries_by_client, lookups_by_key;
    struct timeouts answer_by;             /* of waiting queries */
    struct timeouts again[RESOLVER_AGAIN]; /* of lookups: when to ask a second time; by length */
    struct timeouts stale_after;           /* of lookups: when waiting clients get what has expired */
    struct recheck *failing;               /* RESOLVER_RECHECKS slots by hash: answered stale at once until then */
    struct recheck *refreshed;             /* likewise: not refreshed again until then */
    unsigned hedge_debt;                   /* in hundredths of a second question: spent and not yet earned again */
    uint8_t *big;                          /* RESOLVER_BIG octets: an answer that does not fit the client's room */
    struct answer_scratch *scratch;        /* for walks of our own answers */
    uint8_t health[NAME_MAX_WIRE];         /* health.name in lower case, */
    uint8_t health_len;                    /* and its length; 0: there is none */
    bool draining;                         /* health checks fail, all else is answered */
    struct recorder recorder;
    struct tally tally;
    struct querylog querylog;
    struct tap_queue *tap;        /* NULL: no copies of messages are wanted */
    struct log_limit stale_limit; /* of lines that say that expired answers are given */
    bool stopping;
};

/* How many queries wait. */
static inline size_t resolver_waiting(const struct resolver *resolver)
{
    return resolver->queries.in_use;
}
#endif
