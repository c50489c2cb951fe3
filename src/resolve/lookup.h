/* SPDX-License-Identifier: MIT */
/* A lookup: the work shared by all queries with one key. */
#ifndef DOTSTUB_RESOLVE_LOOKUP_H
#define DOTSTUB_RESOLVE_LOOKUP_H

#include "dns/codes.h"
#include "resolve/query.h"
#include "upstream/attempt.h"

struct lookup {
    struct resolver *resolver;
    struct table_link by_key;
    struct group *group;     /* that serves it, from its birth to its end */
    struct group_plan *plan; /* held */
    uint64_t epoch;          /* of the cache, when it was begun: its answer is not stored after a flush */
    uint64_t begun_ms;
    struct list waiters;     /* parked queries */
    struct attempt tries[2]; /* the second one is the hedge */
    struct timeout again;
    struct timeout stale_after; /* runs while clients wait and the cache holds an expired answer */
    unsigned sent;              /* tries so far, the first included */
    unsigned deaths;            /* sessions that may have died of the question */
    struct attempt *
        on_trial; /* its session died with nothing else on it: `again` runs until it is known whether others died too */
    bool second_lost;               /* with others, see upstream_is_lost */
    const struct attempt *answered; /* the try that did; for records */
    struct record *record;          /* of those who waited, if it still bears this id: */
    uint32_t record_id;             /* 0: none was given out */
    bool reasked;                   /* once: the answer was unusable (TC, malformed, SERVFAIL, REFUSED) */
    int last_error;
    struct server *last_server; /* where that happened; for its name */
    struct key key;             /* last: large, and mostly empty */
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
/* The ends, which are asked for by the tries: the answer, or why there is none, to all who wait. */
void lookup_finish(struct lookup *lookup, struct answer *answer);
void lookup_fail(struct lookup *lookup, int reason);
/* Bears an extended error that another server of any operator would give as well: policy and validation. */
bool lookup_is_verdict(const struct answer *answer);
/* Says how things are; anything else is a failure to find out (RFC 8767 section 4). */
bool lookup_is_news(const struct answer *answer);

/* --- lookup_tries.c: asking --- */

void lookup_init_tries(struct lookup *lookup);
/* Asks for the first time. */
void lookup_ask(struct lookup *lookup);
/* Everybody who waited has given up, and another one comes: is not left to questions that were in vain. Their answers still count. */
void lookup_ask_anew(struct lookup *lookup);
/* The timeout by which a second question is due. */
void lookup_ask_again(struct timeout *timeout);

/* --- lookup_record.c: what is kept of slow and failed queries --- */

/* What a query that waits is about to get. */
struct outcome {
    uint16_t rcode;
    int ede_code;     /* EDE_NONE: none */
    const char *text; /* of so many octets: */
    size_t text_len;
    bool stale; /* it had expired */
};

/* Keeps a record of the query if it was slow or fails, and tells an origin that wants to know. */
void lookup_record(struct query *query, const struct outcome *outcome);
void lookup_record_answer(struct query *query, const struct answer *answer, bool stale);
static inline bool lookup_is_slow(const struct query *query)
{
    return loop_now(query->resolver->loop) >= query->received_ms + query->resolver->config->log_slow_ms;
}
/* What counts as failed. */
static inline bool lookup_is_failure(uint16_t rcode)
{
    return rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED;
}
/* False: there is nothing to record of a query that gets this. */
static inline bool lookup_is_worth_it(const struct query *query, uint16_t rcode)
{
    return lookup_is_slow(query) || lookup_is_failure(rcode) || query->origin.ops->recorded;
}
/* The try that answered, else the one that is under way for the longest. */
const struct attempt *lookup_last_try(const struct lookup *lookup);
/* Puts the id of the lookup's record behind an extended error's text, " [3fa2c1]", if all of it fits into EDE_TEXT octets. */
void lookup_add_id(struct lookup *lookup, char text[EDE_TEXT + 1]);

#endif
