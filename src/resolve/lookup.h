/* SPDX-License-Identifier: MIT */
/* A lookup: the work shared by all queries that wait for one key. */
#ifndef DOTSTUB_RESOLVE_LOOKUP_H
#define DOTSTUB_RESOLVE_LOOKUP_H

#include "dns/codes.h"
#include "resolve/query.h"
#include "store/store.h"
#include "upstream/ask.h"

/* The stages of a lookup, in order. A stage that has nothing to do or is not wanted is skipped. */
enum stage {
    STAGE_STORE,    /* look into the second-level cache */
    STAGE_ASK,      /* query a server */
    STAGE_VALIDATE, /* validate the response */
    STAGE_DONE,
};

struct lookup_stage {
    bool (*wanted)(const struct lookup *lookup); /* NULL: always */
    /* True: the stage waits, and calls lookup_advance or lookup_fail later. False: it is done. NULL: the stage has
     * nothing to do. */
    bool (*begin)(struct lookup *lookup);
};
extern const struct lookup_stage lookup_stages[STAGE_DONE];

struct lookup {
    struct resolver *resolver;
    struct table_link by_key;
    struct share *share; /* of the client network that it is charged to; NULL: none */
    struct list_link in_share;
    struct list_link in_leaving; /* linked if it has ended and waiters remain, which are called in later turns */
    struct group *group;         /* the group that serves the key; constant */
    struct group_plan *plan;     /* a reference, see upstream_hold */
    uint64_t epoch; /* the epoch of the cache when the lookup began: after a flush the response is not stored */
    uint64_t begun_ms;
    enum stage stage;
    uint8_t depth;  /* greater than that of each lookup that waits for it; at most LOOKUP_DEPTH */
    bool dependent; /* was started for another lookup */
    bool stored;    /* the response is from the store */
    bool awaited;   /* another replica of the fleet asked the upstream for the response */
    bool leased;    /* other replicas of the fleet wait for the response */
    int error;      /* why it failed; 0: see ask_report */
    struct list waiters;
    struct list waits;              /* of struct lookup_wait: the lookups that this one waits for */
    struct answer *answer;          /* NULL: no response yet. Borrowed from the session, or in `kept` */
    struct kept_response *kept;     /* owned: a copy for a later stage that waits; else NULL */
    struct kept_response *stripped; /* owned: the response without DNSSEC records; NULL: not made */
    struct store_get *get;          /* outstanding; NULL: none */
    struct store_name name_in_store;
    struct lookup_validation *validation; /* owned; NULL: its response is not validated */
    uint64_t validating_ms;               /* since when: the time of the response; 0: not */
    uint32_t life_s;                      /* of a validated response: the most seconds to keep it; 0: no limit */
    bool is_unsettled;                    /* the response must not be kept */
    bool ede_is_ours;                     /* the extended error comes from the validation, not from the server */
    struct timeout stale_after;           /* when waiting clients get expired data */
    struct record *record;                /* the record of its queries, valid if its id is still record_id */
    uint32_t record_id;                   /* 0: no record yet */
    struct ask ask;                       /* `past` is not zeroed: it is large and mostly unused */
    struct key key;
};

/* True if the response is one of the group that the key names. */
static inline bool lookup_is_current(const struct lookup *lookup)
{
    return !upstream_was_redefined(lookup->group, lookup->plan) && group_id(lookup->group) == lookup->key.group;
}

/* Starts a lookup without a waiter, unless the key has a lookup. */
void lookup_refresh(struct resolver *resolver, const struct key *key, uint64_t hash);
/* Continues with this stage. True: the lookup waits; false: it has ended and is freed. */
bool lookup_advance(struct lookup *lookup, enum stage stage);
/* Ends the lookup without a response, in any stage. `reason` 0: see ask_report. */
void lookup_fail(struct lookup *lookup, int reason);
/* Remembers the failure of the key if a server was reached and failed to answer. `is_over` false: one waiter gives up;
 * while others wait, a server that has answered nothing since may still respond. */
void lookup_note_no_response(struct lookup *lookup, bool is_over);
/* Both call remaining waiters of lookups that have ended: the first one a limited number of them for each lookup, the
 * second one all. */
void lookup_leave_due(struct timeout *timeout);
void lookups_leave_now(struct resolver *resolver);
/* The timeout by which waiting clients get expired data. */
void lookup_stale_due(struct timeout *timeout);

/* --- stored.c: the stage STORE --- */

bool stored_is_wanted(const struct lookup *lookup);
bool stored_begin(struct lookup *lookup);
/* The response of a server was put into the cache. */
void stored_put(struct lookup *lookup, const struct answer *answer);
/* The lookup ends without a response for the replicas that wait for it. */
void stored_unlease(struct lookup *lookup);

/* --- lookup_wait.c: lookups that wait for lookups --- */

enum { LOOKUP_DEPTH = 16 };

/* Embedded in an object that the parent's stage owns. */
struct lookup_wait {
    struct waiter waiter;
    struct lookup *parent;
    struct list_link in_parent;
    /* As `done` of a waiter. Never called after the end of the parent. */
    void (*done)(struct lookup_wait *wait, const struct answer *answer);
};

/* The parent waits for the lookup of this key. 0, ERROR_LIMIT (too deep, a cycle, or the slab is full), or
 * ERROR_NO_SERVER (the key's group is gone). Never calls back before it returns. */
int lookup_await(struct lookup *parent, struct lookup_wait *wait, const struct key *key) MUST_CHECK;
/* Ends the wait. Does nothing to a wait that is not linked. */
void lookup_stop_waiting(struct lookup_wait *wait);

/* --- validate.c: the stage VALIDATE --- */
bool lookup_is_validated(const struct lookup *lookup);
bool lookup_validate(struct lookup *lookup);
/* Starts lookups of what the validation will probably need (validate_ahead.c). */
void lookup_ask_ahead(struct lookup *lookup);
/* The lookup has ended: its validation does not continue. */
void lookup_stop_validation(struct lookup *lookup);
/* Frees the validation of a lookup that has ended. */
void lookup_end_validation(struct lookup *lookup);

/* --- lookup.c, for validate.c --- */
/* The response came from the store: asks the upstream after all. */
void lookup_ask_afresh(struct lookup *lookup);
/* The group has been redefined: asks the upstream again, as its new definition wants it. False: it has not. */
bool lookup_ask_redefined(struct lookup *lookup);
/* Forgets the response: another attempt has begun, and the lookup is in the stage ASK. */
void lookup_reject(struct lookup *lookup);
/* Makes the response a copy of the lookup's own. False: out of memory. */
bool lookup_keep(struct lookup *lookup) MUST_CHECK;
/* The key of the lookup for a query of this key; may be in `room`. */
const struct key *lookup_key(const struct resolver *resolver, const struct key *key, struct key *room);

/* --- lookup.c, for step_lookup.c --- */
/* The response of an ended lookup for a waiter without DO: `answer`, in `room` and the resolver's `rewrite`, or a copy of the
 * lookup's. */
const struct answer *lookup_without_dnssec(struct lookup *lookup, const struct answer *answer, struct answer *room);

/* --- lookup.c, for stored.c --- */
/* Continues with this stage with a response that is valid until the return; the lookup may have ended then. */
void lookup_respond(struct lookup *lookup, struct answer *answer, enum stage stage);
/* A lookup without a waiter, in no stage; *out NULL: the key has one, or out of memory. False: refreshes use at most half
 * of the places for clients, or there is no such group. */
bool lookup_new_refresh(struct resolver *resolver, const struct key *key, uint64_t hash, struct lookup **out);
/* --- lookup.c, for lookup_wait.c --- */
/* The lookup of the key that may be joined: not one from before a flush. NULL: none. */
struct lookup *lookup_find(struct resolver *resolver, const struct key *key, uint64_t hash);
/* NULL: the limit is reached, or out of memory. */
struct lookup *lookup_new(struct resolver *resolver, struct group *group, const struct key *key, uint64_t hash,
                          unsigned depth);

/* --- step_lookup.c --- */

/* The reason why a failed lookup has no response: returns the error. `with_id`: the text contains the id of the
 * queries' record. */
int lookup_explain(struct lookup *lookup, bool with_id, int *ede_code, char text[EDE_TEXT + 1]);
/* Ends a waiting query: with expired data, else with SERVFAIL and the reason. */
void lookup_give_up(struct query *query);

/* --- lookup_record.c: records of slow and failed queries --- */

/* The response that is about to be sent to a waiting query. */
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
/* True if lookup_record would record a query that gets this RCODE. */
static inline bool lookup_is_worth_it(const struct query *query, uint16_t rcode)
{
    return lookup_is_slow(query) || rcode_is_failure(rcode) || query->origin.ops->recorded;
}
/* The most bytes of an upstream's name in the text of an extended error, so that the reason fits after it. */
enum { LOOKUP_SOURCE = 64 };
/* Appends the id of the lookup's record to an extended error's text, " [3fa2c1]", if it fits into EDE_TEXT bytes. */
void lookup_add_id(struct lookup *lookup, char text[EDE_TEXT + 1]);

#endif
