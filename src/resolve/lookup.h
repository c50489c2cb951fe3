/* SPDX-License-Identifier: MIT */
/* A lookup: the work shared by all who wait for one key. */
#ifndef DOTSTUB_RESOLVE_LOOKUP_H
#define DOTSTUB_RESOLVE_LOOKUP_H

#include "dns/codes.h"
#include "resolve/query.h"
#include "upstream/ask.h"

/* The stages of a lookup. A stage that has nothing to do, or is not wanted, is skipped. */
enum stage {
    STAGE_STORE,    /* the second-level cache is asked */
    STAGE_ASK,      /* a server is */
    STAGE_VALIDATE, /* the response is validated */
    STAGE_DONE,
};

struct lookup_stage {
    bool (*wanted)(const struct lookup *lookup); /* NULL: always */
    /* True: it waits, and calls lookup_advance or lookup_fail later. False: it is over at once. NULL: there is nothing to do. */
    bool (*begin)(struct lookup *lookup);
};
extern const struct lookup_stage lookup_stages[STAGE_DONE];

struct lookup {
    struct resolver *resolver;
    struct table_link by_key;
    struct group *group;     /* that serves it, from its birth to its end */
    struct group_plan *plan; /* held */
    uint64_t epoch;          /* of the cache, when it was begun: its answer is not stored after a flush */
    uint64_t begun_ms;
    enum stage stage;
    uint8_t depth;  /* greater than that of each lookup that waits for it; at most LOOKUP_DEPTH */
    bool dependent; /* was begun for another lookup */
    int error;      /* why it failed, where that was not for asking; 0: see the ask */
    struct list waiters;
    struct list waits;          /* struct lookup_wait: what it waits for itself */
    struct answer *answer;      /* NULL: none yet. Borrowed from the session, or of this: */
    struct kept_response *kept; /* owned; NULL: no stage had to wait for another with a response in its hands */
    struct timeout stale_after; /* runs while clients wait and the cache holds an expired answer */
    struct record *record;      /* of those who waited, if it still bears this id: */
    uint32_t record_id;         /* 0: none was given out */
    struct ask ask;             /* from its history on nothing is zeroed: it is large, and mostly empty */
    struct key key;
};

/* Waits for the lookup of this key, beginning one in the key's group if there is none; false: limit or memory. Calls nobody before it returns. */
bool lookup_join(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                 struct waiter *waiter);
/* Begins one that nobody waits for, unless there is one. */
void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash);
/* Goes on from this stage. True: it waits; false: it is over and gone. */
bool lookup_advance(struct lookup *lookup, enum stage stage);
/* Ends it without an answer, whatever stage it is in. `reason` 0: the ask knows. */
void lookup_fail(struct lookup *lookup, int reason);
/* The timeout by which waiting clients get expired data. */
void lookup_stale_due(struct timeout *timeout);

/* --- lookup_wait.c: lookups that wait for lookups --- */

enum { LOOKUP_DEPTH = 16 };

/* Lies in what the stage of the parent owns. */
struct lookup_wait {
    struct waiter waiter;
    struct lookup *parent;
    struct list_link in_parent;
    /* As that of a waiter. Does not run once the parent is over. */
    void (*done)(struct lookup_wait *wait, const struct answer *answer);
};

/* The parent waits for the lookup of this key. 0, or ERROR_LIMIT: too deep, in a circle, or no place is left; or ERROR_NO_SERVER: the key's group is gone. Never calls back before it
 * returns. */
int lookup_await(struct lookup *parent, struct lookup_wait *wait, const struct key *key) MUST_CHECK;
/* It does not wait any longer; not waiting: does nothing. */
void lookup_stop_waiting(struct lookup_wait *wait);

/* --- lookup.c, for lookup_wait.c --- */
struct lookup *lookup_find(struct resolver *resolver, const struct key *key, uint64_t hash);
/* NULL: limit or memory. */
struct lookup *lookup_new(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                          unsigned depth);

/* --- step_lookup.c --- */

/* Why a lookup that failed has no response. `with_id`: the text names the record of the queries that get it. */
void lookup_explain(struct lookup *lookup, bool with_id, int *ede_code, char text[EDE_TEXT + 1]);
/* Expired data, or SERVFAIL and why, to one that waits and cannot wait any longer. */
void lookup_give_up(struct query *query);

/* --- lookup_record.c: what is kept of slow and failed queries --- */

/* The response for the waiting queries. */
struct query_outcome {
    uint16_t rcode;
    int ede_code;     /* EDE_NONE: none */
    const char *text; /* of this number of bytes: */
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
/* So much of an upstream's name is in the text of an extended error: what is wrong must fit behind it. */
enum { LOOKUP_SOURCE = 64 };
/* Puts the id of the lookup's record behind an extended error's text, " [3fa2c1]", if all of it fits into EDE_TEXT bytes. */
void lookup_add_id(struct lookup *lookup, char text[EDE_TEXT + 1]);

#endif
