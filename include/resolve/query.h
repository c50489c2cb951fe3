/* SPDX-License-Identifier: MIT */
/* One client query, from the listener to its response.
 *
 * Does:    parses a query, runs the steps, finishes the response. Each received query ends in exactly one of
 *          query_finish (answered) and query_drop (not answered), and both count it: received = finished + dropped
 *          + waiting.
 * Owns:    a query is on its listener's stack until it waits; then a copy is in the resolver's slab.
 * Threads: the worker's.
 * RFC:     1035, 5001 (NSID), 6891, 7828 (keepalive), 7873 (cookies), 8914.
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

struct http2_exchange;
struct query;
struct lookup;

/* The callbacks of a listener; registered with the query's origin. */
struct origin_ops {
    /* Room of at least `cap` bytes (at most MESSAGE_MAX) to build the response in, valid until `reply` or the next
     * call of `room`.
     * NULL: the query cannot be answered. Room need not be used. */
    uint8_t *(*room)(struct query *query, size_t cap);
    /* Sends the response of `len` bytes in the room. */
    void (*reply)(struct query *query, size_t len);
    /* For traces: the query has reached the cache step, which then does not answer. NULL: the cache may answer. */
    void (*look)(struct query *query);
    /* `full` returns true if too much output of the client is unsent. Then `deferred` gets the parked query instead
     * of `room` and `reply`, and the listener calls query_retry when there is room again. Both NULL: there is
     * always room. */
    bool (*full)(const struct query *query);
    void (*deferred)(struct query *query);
    /* The query was dropped, and is freed after this call. May be NULL. */
    void (*dropped)(struct query *query);
    /* The record of a query that waited; called before `reply`. May be NULL. */
    void (*recorded)(struct query *query, const struct record *record);
};

/* The client of a query, and where the response goes. `client` is the identity for policy: access, limits, logs,
 * dnstap. `peer` is the address of the transport: the destination, and the ports that are never answered. They
 * differ only behind a trusted proxy, which names its client. A UDP query is a retransmission only if both are the
 * same: a peer cannot tell two responses apart, but each client has its own policy. */
struct origin {
    const struct origin_ops *ops;
    void *owner;                     /* for the listener: its socket or its client */
    struct http2_exchange *exchange; /* for the listener, of clients that have several requests at once; NULL: none */
    struct addr client, peer;
    struct addr local; /* the query's destination address, if the socket is bound to a wildcard; else unset */
    /* The number of the interface that the query came in on; 0: unknown. Not set on a UDP query without `local`. */
    unsigned interface;
    uint8_t source; /* enum tally_source */
    bool tcp;
    bool encrypted;           /* TLS: responses are padded if the query is (RFC 8467) */
    uint16_t keepalive_100ms; /* TCP: the idle timeout to announce to clients that send the option (RFC 7828) */
};

struct query {
    struct resolver *resolver;
    struct origin origin;
    struct request request;
    uint64_t hash;           /* of the key */
    struct bytes wire;       /* the whole message; once the query waits, only its length is valid */
    const uint8_t *question; /* in the client's letter case: in `wire`, after query_park in `kept` */
    struct query *parked_as; /* set by query_park in the original: the copy */
    uint8_t step;            /* index in the full order of the step that the query has reached */
    uint8_t answer_step;     /* index of the step that the response has reached in the `answer` pass */
    uint8_t replaced_by;     /* index of the last step that replaced the response; STEPS_MAX: none */
    uint8_t how;             /* enum how, the source of its response: HOW_HIT by default */
    bool parked;             /* in the slab, waiting */
    bool address_proven;     /* the query has a valid server cookie: the client's address is not forged */
    bool has_cookie;         /* the response gets `cookie` */
    uint8_t view;            /* of the client, see groups_view_of; 0 as long as its message is not parsed */
    uint8_t cookie[EDIT_COOKIE];
    /* While parked: */
    struct list_link in_owner;            /* the listener's list of its waiting queries, if it keeps one */
    struct list_link in_step;             /* the list of the step that parked it, if that has one */
    struct list_link in_share;            /* links the queries of its client's network */
    struct share *share;                  /* of that network */
    struct waiter waiter;                 /* for its lookup, if it waits for one */
    struct query_response *kept_response; /* owned, while the query waits in a step's `answer`; else NULL */
    const struct server *server;          /* the server of the latest attempt; set before the response is sent */
    struct table_link by_client;          /* finds retransmissions */
    struct timeout answer_by;
    uint64_t received_ms;
    /* The last members, because they are mostly unused, and only the used part is copied: */
    struct key key;
    uint8_t kept[NAME_MAX_WIRE + 4];
};

/* For batches. query_take parses a client's message; the origin is set already. True: the query is to be run;
 * false: it has ended (dropped, or malformed and answered). query_run_all prefetches the cache lines of all taken
 * queries and runs each; a query that waits has been copied when it returns. `wire` is borrowed until then. */
bool query_take(struct query *query, struct resolver *resolver, struct bytes wire) MUST_CHECK;
void query_run_all(struct query *queries, unsigned count);

/* Parses a client's message and runs the query. `wire` is borrowed until the return. Returns the parked query if it
 * waits now (its listener may link in_owner), else NULL: it has been answered or dropped. */
struct query *query_start(struct resolver *resolver, const struct origin *origin, struct bytes wire);

/* The name of the step that the query has reached. */
static inline const char *query_step_name(const struct query *query)
{
    const struct step_set *set = query->resolver->steps;
    return query->step < set->count ? set->order[query->step]->name : "end";
}

/* The name of the last step that replaced the response; NULL: none. */
static inline const char *query_replaced_by(const struct query *query)
{
    const struct step_set *set = query->resolver->steps;
    return query->replaced_by < set->count ? set->order[query->replaced_by]->name : NULL;
}

/* Writes the name of the client's view, "" if there is none, as far as `cap` bytes have room. */
void query_view_name(const struct query *query, char *out, size_t cap);

/* Chooses the group that serves the query's name and hashes the key, before the steps run: no step changes the
 * group. */
void query_route(struct query *query);
/* Chooses the view of a waiting query anew: other routes have come into force, and views are numbered in their order. */
void query_renew_view(struct query *query);

/* True if a route leads to the query's name, so that its data may be of a private network. */
static inline bool query_has_route(const struct query *query)
{
    return query->key.group != groups_root_id(query->resolver->groups, query->view);
}

/* True if the client is within access.allow and not in access.deny-clients. */
static inline bool query_client_allowed(const struct query *query)
{
    const struct config *config = query->resolver->config;
    const struct addr *client = &query->origin.client;
    return prefixes_hold(config->access.allow, config->access.allow_count, client) &&
           (config->access.deny_count == 0 ||
            !prefixes_hold(config->access.deny_clients, config->access.deny_count, client));
}

/* True if the client's address may be forged, so that the response may hit another host: over UDP from beyond
 * loopback, without a cookie of ours. */
static inline bool query_may_be_forged(const struct query *query)
{
    return !query->origin.tcp && !query->address_proven && !addr_is_loopback(&query->origin.client);
}

/* The ends of a query. Each returns the verdict for the calling step to return; the query is freed unless that is
 * WAITING. */

/* Answers with a copy of `answer` (without OPT), finished for this client. */
enum verdict query_answer(struct query *query, const struct answer *answer);
/* Answers with `answer`, which was built in the query's room of `cap` bytes. */
enum verdict query_finish(struct query *query, uint8_t *room, size_t cap, const struct answer *answer);
/* Answers with an error: header and Question section only; ede_code below 0: no extended error; `text` may be NULL. */
enum verdict query_error(struct query *query, uint16_t rcode, int ede_code, const char *text);
/* The same with any number of extended errors. */
enum verdict query_error_with(struct query *query, uint16_t rcode, const struct ede_list *ede);
/* Answers with header and Question section and TC=1, so that the client retries over TCP. No `answer` pass. */
enum verdict query_truncated(struct query *query);
/* Makes the client prove its address, with a response that is hardly larger than the query: BADCOOKIE with a cookie
 * if the query had a COOKIE option, else TC=1. */
enum verdict query_demand_proof(struct query *query);
/* The response that query_error_with would send, for query_answer: header and Question section, in the resolver's
 * room for big responses. */
struct answer query_error_response(const struct query *query, uint16_t rcode, const struct ede_list *ede);
/* Ends the query without a response. `why`: one of COUNTER_drops_*. */
enum verdict query_drop(struct query *query, enum counter why);

/* Counts the query as one that no upstream answered, by reason. The caller answers it with SERVFAIL. */
void query_note_failure(struct query *query, int error);
/* Answers SERVFAIL when memory is exhausted, the query's time has expired, or the daemon stops; counts the query as
 * failed, unless a limit (ERROR_LIMIT) is the reason. No `answer` pass. */
enum verdict query_give_up(struct query *query, int error, const char *text);

/* For a step that is going to return WAITING. Returns the copy of the query in the slab, which replaces the given
 * one and does not wait for anything yet. The step links it into a list of its own by in_step; the query leaves the
 * list when it ends for any reason: its time has expired, its client is gone, the resolver stops. NULL: the query has
 * ended and the step returns DROPPED, because the limit is reached, memory is exhausted, the resolver stops, or the
 * query repeats a waiting one (same address, port, id and Question section). */
struct query *query_park(struct query *query);
/* Continues a query that waits in a step, as if that step had returned NEXT: with the next active step, also if the
 * configuration has changed meanwhile. May free the query. Must not be called from within the step that parked it. */
void query_resume(struct query *query);
/* Runs a deferred query again, from the cache step on. May free the query. */
void query_retry(struct query *query);
/* For a step's `answer`: from now on the step may modify the message of `response`, up to RESOLVER_BIG bytes of it. */
void query_own_response(struct query *query, struct answer *response);

#endif
