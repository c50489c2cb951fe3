/* A lookup: the work shared by all queries with one key. */
#ifndef DOTSTUB_RESOLVE_LOOKUP_H
#define DOTSTUB_RESOLVE_LOOKUP_H

#include "resolve/query.h"
#include "upstream/exchange.h"

struct lookup {
    struct resolver *resolver;
    struct table_link by_key;
    struct group_plan *plan;    /* held */
    struct key key;
    uint64_t epoch;             /* of the cache, when it was begun: its answer is not stored after a flush */
    struct list waiters;        /* parked queries */
    struct exchange tries[2];   /* the second one is the hedge */
    struct timeout again;
    struct timeout stale_after; /* runs while clients wait and the cache holds an expired answer */
    unsigned sent;              /* tries so far, the first included */
    unsigned deaths;            /* sessions that may have died of the question */
    struct exchange *on_trial;  /* its session died with nothing else on it: `again` runs until it is known whether others died too */
    bool second_lost;           /* with others, see server_lost */
    bool reasked;               /* once: the answer was unusable (TC, malformed, SERVFAIL, REFUSED) */
    int last_error;
    struct server *last_server; /* where that happened; for its name */
};

/* Joins the lookup of this query's key, starting one if there is none; true: the query waits now.
 * False: it has ended (limit, memory, retransmission). */
bool lookup_join(struct query *query);
/* Asks for this key with nobody waiting, unless it is being asked already. */
void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash);
/* The reason to give to a query that cannot wait any longer. */
void lookup_explain(const struct lookup *lookup, int *ede_code, char *text, size_t cap);
/* The timeouts by which waiting clients get expired data, and a second question is due. */
void lookup_stale_due(struct timeout *timeout);
void lookup_ask_again(struct timeout *timeout);
/* SERVFAIL to all waiters; ends it. */
void lookup_abandon(struct lookup *lookup, int reason);

#endif
