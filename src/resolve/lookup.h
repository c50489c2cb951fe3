/* SPDX-License-Identifier: MIT */
/* A lookup: the work shared by all queries that wait for one key. */
#ifndef DOTSTUB_RESOLVE_LOOKUP_H
#define DOTSTUB_RESOLVE_LOOKUP_H

#include "dns/codes.h"
#include "resolve/query.h"
#include "upstream/ask.h"

/* The stages of a lookup, in order. A stage that has nothing to do, or is not wanted, is skipped. */
enum stage {
    STAGE_STORE,    /* look into the second-level cache */
    STAGE_ASK,      /* ask a server */
    STAGE_VALIDATE, /* validate the response */
    STAGE_DONE,
};

struct lookup_stage {
    bool (*wanted)(const struct lookup *lookup); /* NULL: always */
    /* True: the stage waits, and calls lookup_advance or lookup_fail later. False: it is done. NULL: the stage has nothing to do. */
    bool (*begin)(struct lookup *lookup);
};
extern const struct lookup_stage lookup_stages[STAGE_DONE];

struct lookup {
    struct resolver *resolver;
    struct table_link by_key;
    struct group *group;     /* that serves it; constant */
    struct group_plan *plan; /* held: a reference */
    uint64_t epoch;          /* of the cache when the lookup began: after a flush its response is not stored */
    uint64_t begun_ms;
    enum stage stage;
    uint8_t depth;  /* greater than that of each lookup that waits for it; at most LOOKUP_DEPTH */
    bool dependent; /* began for another lookup */
    int error;      /* why it failed; 0: the ask has the reason */
    struct list waiters;
    struct list waits;          /* struct lookup_wait: the lookups that it waits for */
    struct answer *answer;      /* NULL: none yet. Borrowed from the session, or in `kept` */
    struct kept_response *kept; /* owned: a copy for a later stage that waits; else NULL */
    struct timeout stale_after; /* when waiting clients get expired data */
    struct record *record;      /* of its queries, if it still has this id: */
    uint32_t record_id;         /* 0: none so far */
    struct ask ask;             /* the history is not zeroed: it is large and mostly empty */
    struct key key;
};

/* Waits for the lookup of this key, and starts one in this group if there is none. False: limit or memory. Never calls back before it
 * returns. */
bool lookup_join(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                 struct waiter *waiter);
/* Starts a lookup without a waiter, unless the key has one. */
void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash);
/* Goes on from this stage. True: the lookup waits; false: it is done and freed. */
bool lookup_advance(struct lookup *lookup, enum stage stage);
/* Ends the lookup without a response, in any stage. `reason` 0: the ask has it. */
void lookup_fail(struct lookup *lookup, int reason);
/* Remembers the failure for the key if a server was reached and failed it. */
void lookup_note_no_response(struct lookup *lookup);
/* The timeout by which waiting clients get expired data. */
void lookup_stale_due(struct timeout *timeout);

/* --- lookup_wait.c: lookups that wait for lookups --- */

enum { LOOKUP_DEPTH = 16 };

/* Embedded in what the stage of the parent owns. */
struct lookup_wait {
    struct waiter waiter;
    struct lookup *parent;
    struct list_link in_parent;
    /* As a waiter's `done`. Never called after the end of the parent. */
    void (*done)(struct lookup_wait *wait, const struct answer *answer);
};

/* The parent waits for the lookup of this key. 0, or ERROR_LIMIT: too deep, a cycle, or the slab is full; or ERROR_NO_SERVER: the key's
 * group is gone. Never calls back before it returns. */
int lookup_await(struct lookup *parent, struct lookup_wait *wait, const struct key *key) MUST_CHECK;
/* Ends the wait. Does nothing if it does not wait. */
void lookup_stop_waiting(struct lookup_wait *wait);

/* --- lookup.c, for lookup_wait.c --- */
struct lookup *lookup_find(struct resolver *resolver, const struct key *key, uint64_t hash);
/* NULL: limit or memory. */
struct lookup *lookup_new(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                          unsigned depth);

/* --- step_lookup.c --- */

/* Why a lookup that failed has no response. `with_id`: the text names the record of the queries that get it. */
void lookup_explain(struct lookup *lookup, bool with_id, int *ede_code, char text[EDE_TEXT + 1]);
/* Ends a waiting query: with expired data, else with SERVFAIL and the reason. */
void lookup_give_up(struct query *query);

/* --- lookup_record.c: records of slow and failed queries --- */

/* The response that a waiting query is about to get. */
struct query_outcome {
    uint16_t rcode;
    int ede_code; /* EDE_NONE: none */
    const char *text;
    size_t text_len;
    bool stale;
};

/* Records the query if it was slow or fails, and calls the origin's `recorded`. */
void lookup_record(struct query *query, const struct query_outcome *outcome);
void lookup_record_answer(struct query *query, const struct answer *answer, bool stale);
static inline bool lookup_is_slow(const struct query *query)
{
    return loop_now(query->resolver->loop) >= query->received_ms + query->resolver->config->log_slow_ms;
}
/* Whether lookup_record has anything to do for a query that gets this RCODE. */
static inline bool lookup_is_worth_it(const struct query *query, uint16_t rcode)
{
    return lookup_is_slow(query) || rcode_is_failure(rcode) || query->origin.ops->recorded;
}
/* Bytes of an upstream's name in the text of an extended error, at most: the reason must fit after it. */
enum { LOOKUP_SOURCE = 64 };
/* Appends the id of the lookup's record to an extended error's text, " [3fa2c1]", if it fits into EDE_TEXT bytes. */
void lookup_add_id(struct lookup *lookup, char text[EDE_TEXT + 1]);

#endif
