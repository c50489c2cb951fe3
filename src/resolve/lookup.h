/* SPDX-License-Identifier: MIT */
/* A lookup: the work shared by all queries with one key. */
#ifndef DOTSTUB_RESOLVE_LOOKUP_H
#define DOTSTUB_RESOLVE_LOOKUP_H

#include "dns/codes.h"
#include "resolve/query.h"
#include "upstream/ask.h"

struct lookup {
    struct resolver *resolver;
    struct table_link by_key;
    struct group *group;     /* that serves it, from its birth to its end */
    struct group_plan *plan; /* held */
    uint64_t epoch;          /* of the cache, when it was begun: its answer is not stored after a flush */
    uint64_t begun_ms;
    struct list waiters;        /* parked queries */
    struct timeout stale_after; /* runs while clients wait and the cache holds an expired answer */
    int abandoned;              /* why it was; 0: it was not */
    struct record *record;      /* of those who waited, if it still bears this id: */
    uint32_t record_id;         /* 0: none was given out */
    struct ask ask;             /* from its history on nothing is zeroed: it is large, and mostly empty */
    struct key key;
};

/* Joins the lookup of this query's key, starting one if there is none. WAITING, unless it has ended (limit, memory, retransmission). */
enum verdict lookup_join(struct query *query);
/* Asks for this key with nobody waiting, unless it is being asked already. */
void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash);
/* Expired data, or SERVFAIL and why, to one that waits and cannot wait any longer. */
void lookup_give_up(struct query *query);
/* The timeout by which waiting clients get expired data. */
void lookup_stale_due(struct timeout *timeout);
/* SERVFAIL to all waiters; ends it. */
void lookup_abandon(struct lookup *lookup, int reason);
/* --- lookup_record.c: what is kept of slow and failed queries --- */

/* What a query that waits is about to get. */
struct query_outcome {
    uint16_t rcode;
    int ede_code;     /* EDE_NONE: none */
    const char *text; /* of so many octets: */
    size_t text_len;
    bool stale; /* it had expired */
};

/* Keeps a record of the query if it was slow or fails, and tells an origin that wants to know. */
void lookup_record(struct query *query, const struct query_outcome *outcome);
void lookup_record_answer(struct query *query, const struct answer *answer, bool stale);
static inline bool lookup_is_slow(const struct query *query)
{
    return loop_now(query->resolver->loop) >= query->received_ms + query->resolver->config->log_slow_ms;
}
/* False: there is nothing to record of a query that gets this. */
static inline bool lookup_is_worth_it(const struct query *query, uint16_t rcode)
{
    return lookup_is_slow(query) || rcode_is_failure(rcode) || query->origin.ops->recorded;
}
/* Puts the id of the lookup's record behind an extended error's text, " [3fa2c1]", if all of it fits into EDE_TEXT octets. */
void lookup_add_id(struct lookup *lookup, char text[EDE_TEXT + 1]);

#endif
