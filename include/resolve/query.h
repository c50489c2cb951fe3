/* SPDX-License-Identifier: MIT */
/* One client query, from the listener to its response.
 *
 * Does:    parses, runs the steps, finishes. Each query that is taken in ends in exactly one of query_finish (answered) and
 *          query_drop (not answered), and both count it: received = finished + dropped + waiting.
 * Owns:    a query lies on its listener's stack until it waits; then a copy lies in the resolver's slab.
 * Threads: the worker's.
 * RFC:     1035, 6891, 8914.
 */
#ifndef DOTSTUB_RESOLVE_QUERY_H
#define DOTSTUB_RESOLVE_QUERY_H

#include "base/addr.h"
#include "base/table.h"
#include "dns/edit.h"
#include "dns/key.h"
#include "dns/message.h"
#include "net/loop.h"
#include "resolve/context.h"
#include "resolve/step.h"
#include "resolve/waiter.h"

struct query;
struct lookup;

/* The callbacks of a listener; registered with the query's origin. */
struct origin_ops {
    /* Room of at least `cap` bytes (at most MESSAGE_MAX) to build the response in, valid until `reply` or the next call of `room`.
     * NULL: the query cannot be answered. Room that is not used costs nothing. */
    uint8_t *(*room)(struct query *query, size_t cap);
    /* Sends the response of `len` bytes in the room. */
    void (*reply)(struct query *query, size_t len);
    /* For traces: the query has come to the cache, which does not answer it. NULL: the cache may. */
    void (*look)(struct query *query);
    /* There is no response; the query is gone after this. May be NULL. */
    void (*dropped)(struct query *query);
    /* The query waited: where its time went. The reply follows. May be NULL. */
    void (*recorded)(struct query *query, const struct record *record);
};

/* The client of a query, and where the response goes. Policy looks at `client` alone: access, limits, logs, taps. The transport looks at
 * `peer`: where to send, which ports cannot be answered. They differ only behind a trusted proxy, which names its client. A UDP query
 * repeats another one only if both are the same: the peer could not tell two responses apart, but each client has its own policy. */
struct origin {
    const struct origin_ops *ops;
    void *owner; /* the listener's: its socket or its client */
    struct addr client, peer;
    struct addr local;  /* the address asked, where the socket is bound to a wildcard; else unset */
    unsigned interface; /* with it */
    bool tcp;
    uint16_t keepalive_100ms; /* TCP: for how long idle connections are kept, told if asked (RFC 7828) */
};

struct query {
    struct resolver *resolver;
    struct origin origin;
    struct request request;
    uint64_t hash;           /* of the key */
    struct bytes wire;       /* the whole message; until it waits */
    const uint8_t *question; /* as the client wrote it: in the borrowed wire, then in `kept` */
    struct query *parked_as; /* set by query_park in the original */
    uint8_t step;            /* the index in the full order of the step that it has come to, */
    uint8_t answer_step;     /* and, on the way back, that its response has come to */
    bool parked;             /* lies in the slab, waits */
    uint8_t how;             /* enum how, of what it gets: a hit unless somebody knows better */
    /* While parked: */
    struct list_link in_owner;            /* the listener's list of its waiting queries, if it keeps one */
    struct list_link in_step;             /* the list of the step that lets it wait, if that keeps one */
    struct waiter waiter;                 /* for its lookup, if it waits for one */
    struct query_response *kept_response; /* while it waits in a step's `answer`; else NULL */
    const struct server *server;          /* who was asked for it last; set before its answer is given */
    struct table_link by_client;          /* finds retransmissions */
    struct timeout answer_by;
    uint64_t received_ms;
    /* Last, for they are mostly empty, and only their part in use is copied: */
    struct key key;
    uint8_t kept[NAME_MAX_WIRE + 4];
};

/* For batches: query_take takes a client's message in, whose origin is set already; true if it is now a query to be run, false if it
 * has ended (silence, malformed). query_run_all walks those taken, memory being fetched for all of them at once; a query that waits
 * has been copied by then. `wire` is borrowed until the walk. */
bool query_take(struct query *query, struct resolver *resolver, struct bytes wire) MUST_CHECK;
void query_run_all(struct query *queries, unsigned count);

/* Takes a client's message in and walks it. `wire` is borrowed until the return. Gives the parked query if it waits now (its
 * listener may link in_owner), else NULL: it has been answered or dropped. */
struct query *query_start(struct resolver *resolver, const struct origin *origin, struct bytes wire);

/* The step that the query has come to. */
static inline const char *query_step_name(const struct query *query)
{
    const struct step_set *set = query->resolver->steps;
    return query->step < set->count ? set->order[query->step]->name : "end";
}

/* Chooses the group that serves the query's name and hashes the key, before the steps run: none of them changes the group. */
void query_route(struct query *query);

/* True if the client is within access.allow. */
bool query_client_allowed(const struct query *query);

/* The ends of a query. Each gives the verdict that a step says upon it; the query is gone unless that is WAITING. */

/* Answers with a copy of `answer` (no OPT in it), finished for this client. */
enum verdict query_answer(struct query *query, const struct answer *answer);
/* Answers with `answer` that was built in the query's room already. `cap`: of the room. */
enum verdict query_finish(struct query *query, uint8_t *room, size_t cap, const struct answer *answer);
/* Answers with an error: header and question only; ede_code below 0: no extended error; `text` may be NULL. */
enum verdict query_error(struct query *query, uint16_t rcode, int ede_code, const char *text);
/* The same with any number of extended errors. */
enum verdict query_error_with(struct query *query, uint16_t rcode, const struct ede_list *ede);
/* Answers with header and question and TC=1: the client comes again over TCP. No step sees it. */
enum verdict query_truncated(struct query *query);
/* The response that query_error_with would send, for query_answer: header and question, in the resolver's room for big responses. */
struct answer query_error_response(const struct query *query, uint16_t rcode, const struct ede_list *ede);
/* No answer. `why`: COUNTER_drops_policy and its like. */
enum verdict query_drop(struct query *query, enum counter why);

/* Answers SERVFAIL to a query that cannot be helped: memory, its time or the daemon's is over. No step sees it. */
enum verdict query_give_up(struct query *query, const char *text);

/* For a step that lets the query wait and then returns WAITING. Returns the query in the slab, which replaces the given one and does not
 * wait for anything yet. The step links it into a list of its own by in_step; the query leaves the list when it ends for any reason: its time
 * is over, its client is gone, the resolver stops. NULL: the query has ended and the step returns DROPPED, because the limit is reached, memory
 * is exhausted, the resolver stops, or the query repeats a waiting one (same address, port, id and Question section). */
struct query *query_park(struct query *query);
/* Goes on with a query that waits in a step, as if that step had said NEXT: at the next one that takes part, be the configuration another
 * one by now. The query may be gone then. Not from within the step that parked it. */
void query_resume(struct query *query);
/* For a step's `answer`: the message of `response` is the step's to change from now on, up to RESOLVER_BIG bytes of it. */
void query_own_response(struct query *query, struct answer *response);

#endif
