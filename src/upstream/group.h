/* SPDX-License-Identifier: MIT */
/* Private to the files of upstream/: a group, its servers, their sessions.
 *
 *   plan     the servers of one configuration
 *   group    the destination of attempts: a list of attempts that wait for a session, and a connector that dials
 *            while the list is not empty
 *   server   one address of one upstream entry: health, tickets, sessions by state
 *   session  one connection: ids, frames, the attempts on it
 */
#ifndef DOTSTUB_UPSTREAM_GROUP_H
#define DOTSTUB_UPSTREAM_GROUP_H

#include "base/counters.h"
#include "config/config.h"
#include "net/link.h"
#include "net/loop.h"
#include "allowance.h"
#include "backoff.h"
#include "budget.h"
#include "condition.h"
#include "edns.h"
#include "fallback.h"
#include "idle.h"
#include "losses.h"
#include "notes.h"
#include "priority.h"
#include "rtt.h"
#include "upstream/transport/ids.h"
#include "upstream/transport/silence.h"
#include "upstream/transport/transport.h"
#include "upstream/attempt.h"

/* Limits and times of the upstream side; milliseconds. */
enum {
    ATTEMPT_TIMEOUT = 10000, /* a response that comes later is useless even to the cache */
    DIAL_TIMEOUT = 4000,     /* connect and handshake together */
    DIAL_OVERLAP = 500,      /* after this time a dial that hangs is overlapped by another to the same server */
    DIAL_STAGGER = 250,      /* RFC 8305 section 5: the next server is dialled beside one that has not answered */
    GRACE =
        /* For this time after the last success, the start or a change of the network, attempts wait instead of
         * failing. */
    1500,
    STARTING = 60000,     /* for this time after its start a worker that has not reached a server counts as starting */
    STALL_TIMEOUT = 2000, /* for a partial frame that makes no progress */
    MEMORY_RETRY = 10,    /* after an allocation failed */
    RETEST = 5000,     /* interval at which a failed server that would be preferred is dialled beside the one in use */
    MEASURE = 30000,   /* `fastest`: interval at which the response time of each server is measured */
    ISOLATED_MAX = 32, /* isolated attempts at a time: two sessions finish this number in about a second */
    /* After the end of a session: other sessions that ended for the same reason have ended by then. */
    COINCIDENCE = 150,
    ASK_LOOKS = 14,     /* number of timeout lengths of asks: few constant ones, so that each list stays a FIFO */
    SESSION_BUSY = 512, /* attempts on a session from which on a second session is worth its handshake */
    DIALS_NOTED = 16,   /* the latest dials of a group, for reports */
    PROBE_LINGER = 500, /* for this time a probe session stays open, so that its tickets arrive */
    SESSION_TOMBSTONES = 1024, /* a session with more tombstones retires */
};

enum session_state {
    SESSION_DIALING,  /* connect or handshake under way; no attempt on it */
    SESSION_OPEN,     /* takes attempts */
    SESSION_RETIRING, /* takes no more attempts; ends when its last one has ended */
    SESSION_CLOSING,  /* waits for its handle to close; no attempt on it */
};

/* A dial that has ended, for reports. */
struct dial {
    const struct server *server;               /* NULL: freed */
    uint64_t begun_ms, connected_ms, ended_ms; /* connected: TCP; 0: never */
};

/* An upstream with transport: auto, see fallback_watch.c. */
struct upstream_transports {
    struct fallback fallback;
    struct attempt tests[FALLBACK_TESTS];
    uint64_t tested_ms; /* when they were last sent; 0: not yet */
    bool leave_dot;     /* sessions over TLS are to end */
};

/* The knowledge about a server is split into parts that know neither a group nor a session, each with its own
 * struct and file. */
struct server {
    struct group *group;
    const struct config_upstream *entry;  /* in the config of its plan */
    struct upstream_transports *upstream; /* of its upstream, in the plan; NULL: it has one transport */
    uint64_t spread;                      /* spread_hash of the name of its upstream */
    uint64_t measured_ms;                 /* `fastest`: when an attempt last measured its response time; 0: never */
    bool left;                            /* no longer in the configuration */
    const struct transport *transport;
    void *transport_state; /* the transport's own */
    struct addr addr;
    struct link_route route;                   /* the route to it when the network was last checked */
    struct list sessions[SESSION_CLOSING + 1]; /* by state; open: the most recently used first */
    unsigned open, dialing;
    uint64_t dialed_ms;    /* the latest dial */
    struct budget *budget; /* of its upstream, in a share of the plan */
    struct rtt rtt;
    struct backoff backoff;
    struct condition condition;
    struct allowance allowance;
    struct idle idle;
    struct losses losses;
    struct edns edns;
    struct priority priority;
    struct notes notes;
};

/* True if both give the same response: addresses of one upstream, but for those of plain routes, which are servers of
 * their own. */
static inline bool servers_agree(const struct server *a, const struct server *b)
{
    return a == b || (a->entry == b->entry && a->entry->plain_zone_count == 0);
}

struct group_plan {
    struct list_link in_group;
    struct group *group; /* set when the plan is applied */
    const char *name;    /* of the group */
    uint32_t id;         /* of the plan's definition */
    enum config_policy policy;
    unsigned redefined;    /* the value of group->redefined when the plan came into force */
    struct config *config; /* holds the name and the upstreams */
    const struct config_upstream *upstreams;
    size_t upstream_count;
    struct server **servers; /* owned; in a plan that was replaced: those that no later plan took over */
    size_t server_count;
    struct budget_share **budgets;          /* one per upstream entry */
    struct upstream_transports *transports; /* one per upstream entry */
    unsigned lookups;                       /* live lookups that were begun with this plan */
    bool awaits_address;                    /* an upstream's host is being looked up: attempts wait for it */
    bool portal;                            /* of the portal window */
    bool lacks_address; /* the lookup of an upstream's host has failed, and none of its addresses is known */
};

struct attempt_times; /* upstream/ask.h */

/* probe.c */
struct group_probe {
    uint64_t received; /* queries of the worker at the last look */
    uint64_t until_ms; /* servers are probed before this time */
    uint64_t next_ms;  /* nothing is due before */
    uint64_t wake_ms;  /* the deadline of the tick: the same or later, or LOOP_NEVER */
};

struct group {
    struct loop *loop; /* NULL: group_begin was not called yet */
    struct counters *counters;
    struct portal_watch *watch; /* of the worker; NULL: none */
    struct list *budgets;       /* of all groups of the worker */
    struct list plans;          /* the oldest first; the last one is in force */
    struct group_plan *plan;    /* the plan in force; the next members belong to it */
    struct config *config;
    enum config_policy policy;
    struct server **servers;
    size_t server_count;
    unsigned redefined;          /* number of times that another definition came into force */
    struct loop_flush *leaving;  /* set if no route leads to the group: runs when the group may be idle */
    struct list_link in_leaving; /* groups->leaving */
    struct loop_flush flush;
    struct loop_tick tick;
    struct timeouts attempt_timeouts;
    struct list waiting;              /* attempts without a session */
    struct list dirty;                /* sessions with queries to write */
    unsigned isolated;                /* number of live isolated attempts */
    unsigned hedge_debt;              /* in hundredths of a hedge: sent and not yet earned */
    struct timeouts looks[ASK_LOOKS]; /* of asks, by length */
    struct answer_scratch *scratch;   /* shared by all groups of the worker */
    struct rewrite *rewrite;          /* likewise; holds a response that had to be rewritten until it is delivered */
    uint64_t grace_until_ms;
    uint64_t begun_ms;
    bool reached;      /* a server has answered since begun_ms */
    uint64_t slept_ms; /* how long the machine had been suspended at the last check */
    int last_error;
    struct server *last_failed;     /* the server that failed last; NULL: none */
    size_t sessions;                /* in any state */
    struct dial dials[DIALS_NOTED]; /* the latest dials that have ended */
    unsigned dial_count;            /* dials in all */
    struct tap_queue *tap;          /* NULL: dnstap is off */
    struct group_probe probe;
    bool connect_due; /* pool_connect was called; pool_run runs at the next flush */
    bool stopping;
    void (*closed)(void *context);
    void *closed_context;
};

/* The first member of the session of a transport. */
struct session {
    struct server *server;
    struct list_link in_state; /* server->sessions[state] */
    struct list_link in_dirty; /* group->dirty */
    enum session_state state;
    struct list queued, sent;                /* attempts */
    struct ids ids;                          /* of the attempts in `sent` */
    unsigned used;                           /* attempts in both lists */
    unsigned capacity;                       /* the most attempts, with tombstones */
    unsigned given, answered;                /* queries sent and responses received, in all */
    bool resumed;                            /* by ticket */
    bool clean_end;                          /* the peer announced the end of the connection */
    bool early;                              /* its certificate was verified by a clock that may be behind */
    unsigned offered;                        /* for the transport: what it offered to the server */
    unsigned useful_ends;                    /* for the transport: secure.h's counter when it was opened */
    bool probe;                              /* no query caused the dial: see probe.c */
    bool reserved;                           /* holds an isolated attempt */
    uint64_t created_ms, opened_ms, used_ms; /* used: last query or response */
    uint64_t heard_ms;                       /* last message of any kind */
    /* A query sent then was answered elsewhere, and this session has received nothing since; 0: not suspect. */
    uint64_t suspect_ms;
    struct silence silence;
    uint8_t
        /* Its attempts were rescued since it last received data: 1, because it is silent; 2, because it is suspect. */
        rescued;
    uint64_t received_at_ms, received_seen; /* when data last came over the stream, and how much in all */
    uint64_t ack_ms;                        /* see session_acknowledge */
    uint64_t idle_ms;                       /* we close the session after this time without a query */
    struct link_route route;                /* the route to its server; from its own address once `way_noted` */
    bool way_noted;
};

/* --- pool.c: choice of a session; dialling --- */

/* Puts an attempt on the best session that can take it; false: no session can. */
bool pool_place(struct group *group, struct attempt *attempt);
/* Schedules pool_run for the next flush, after a change that may help waiting attempts. Never calls back, so it is
 * safe at any time. */
void pool_connect(struct group *group);
/* Puts waiting attempts on sessions with room; dials while attempts wait; fails them when no server is left to try. */
void pool_run(struct group *group);
/* Begins a dial; false: it failed at once. */
bool pool_dial(struct server *server);
/* Opens a session ahead of the next query, if the server has none. */
void pool_open_ahead(struct server *server);
/* The outcome of a dial. */
void pool_dial_succeeded(struct server *server);
void pool_dial_failed(struct server *server, uint64_t begun_ms, int reason);
/* The server ended a session that was dialled at `begun_ms` before it answered any query on it: counts like a
 * failed dial. */
void pool_session_failed(struct server *server, uint64_t begun_ms, int reason);
/* The server gives no response, or the network says that it cannot be reached, without any connection. */
void pool_server_failed(struct server *server, int reason);
/* The network works: for GRACE, attempts that cannot be sent wait instead of failing. */
void pool_note_success(struct group *group);

/* --- transport/session.c, transport/session_watch.c: sessions of all transports. All that depends on the
 * transport is called through server->transport --- */

/* When the oldest outstanding query was sent, or the one that was answered elsewhere: data should have arrived
 * since. 0: no query is outstanding. */
uint64_t session_silent_since(const struct session *session);
/* Several responses are overdue, and no data has arrived meanwhile; for a session that has given all the responses
 * that its server gives, one. False for a session that has answered nothing yet, unless it was resumed: otherwise a
 * silent server would get one new session after the other. */
bool session_is_silent(const struct session *session, uint64_t now_ms);
/* The session received data or was opened after `ms`, or was dialled at `ms` or later. */
bool session_lives_since(const struct session *session, uint64_t ms);
/* The session is idle, and its last query did not end it. */
bool session_has_outlived(const struct session *session, uint64_t now_ms);
/* It was sent the number of queries after which its server is known to end a session, or to fall silent. */
bool session_is_spent(const struct session *session, uint64_t now_ms);
/* It is idle, and its server would not respond to another query on it. */
bool session_is_used_up(const struct session *session, uint64_t now_ms);
/* The number of attempts on the same session that were sent at about the same time, including this one; it stops
 * counting a little above LOSS_MIN. */
unsigned session_count_near(const struct attempt *attempt);
/* Puts an attempt on an open session that has room. */
void session_take(struct session *session, struct attempt *attempt);
/* Takes no more attempts; closes when none is outstanding. */
void session_retire(struct session *session);

/* A query sent at `sent_ms` was answered elsewhere: no new attempt goes to the session until it receives data. */
void session_suspect(struct session *session, uint64_t sent_ms);

/* --- network.c --- */

/* The route of packets from `local` (NULL: the configured source, else the address that the kernel would choose) to the
 * server. */
void server_look_up(const struct server *server, const struct addr *local, struct link_route *out);
/* Looks up the route to the server; true if it has changed. */
bool server_find_way(struct server *server);

/* --- probe.c --- */

/* Probes a server if one is due. Gives the next deadline. */
uint64_t probe_look(struct group *group, uint64_t now_ms);
/* The session that was opened just now has served its purpose. */
bool probe_ends_here(const struct session *session);

/* --- fallback_watch.c: upstreams with transport: auto; each does nothing for other servers --- */

/* The server gets neither queries nor dials now: the other transport of its upstream does. */
bool fallback_is_idle(const struct server *server);
/* It is used if no server with the other transport can be. */
bool fallback_comes_last(const struct server *server);
void fallback_event(struct server *server, enum fallback_event event, int error);
/* A session was opened; a dial failed; the server or the network ended a session, with queries unanswered or without
 * notice; a response came. */
void fallback_note_opened(struct server *server);
void fallback_note_failed(struct server *server, uint64_t begun_ms, int error);
void fallback_note_end(struct server *server, bool unanswered, bool clean, int error);
void fallback_note_response(struct server *server, uint64_t sent_ms);
/* From the group's tick. Gives the next deadline. */
uint64_t fallback_look(struct group *group, uint64_t now_ms);
/* Cancels what the plan has sent by itself. */
void fallback_forget(struct group_plan *plan);
void fallback_moved(struct group *group);
/* For reports: the server waits until it is needed; why it is used although the other transport comes first, "": it is
 * not so. */
void fallback_describe(const struct server *server, bool *reserve, const char **why);

/* --- plan.c --- */

/* Sets the transport of a new server. 0 or -ENOMEM. */
int server_prepare(struct server *server, const struct transport *transport, struct tls_trust *trust) MUST_CHECK;
/* Frees replaced plans that are no longer referenced. */
void group_end_plans(struct group *group);

/* --- events.c: a log line for each change of state --- */

enum machine_event { EVENT_NETWORK, EVENT_SLEEP, EVENT_CLOCK };
/* `words`: the negotiated parameters. */
void event_opened(const struct server *server, const char *words);
/* Also records the failure. `what`: the beginning of a sentence that ends with the server's name. */
void event_failed(struct server *server, const char *what, int reason);
void event_answers(struct server *server);
void event_throttled(struct server *server);
/* A query was sent through the portal window. */
void event_portal(const struct server *server, const struct key *key);
void event_machine(struct group *group, enum machine_event event);

/* --- report.c: reports about servers --- */

/* A dial succeeded or failed. */
void report_note_dial(const struct session *session);
/* The server is about to be freed. */
void report_forget(struct group *group, const struct server *server);

/* --- ask.c: what an attempt avoids, from the history of its ask --- */

/* True if the attempt should go to another server if there is one. */
bool attempt_avoids_server(const struct attempt *attempt, const struct server *server);
/* The other live attempt of the same ask, whose session this one avoids; NULL: this one is not a hedge. */
const struct attempt *attempt_beside(const struct attempt *attempt);
/* True if the attempt avoids no server and no session. */
bool attempt_goes_anywhere(const struct attempt *attempt);
/* The attempt may only go to sessions that have received data since this moment, because the sessions of the other
 * attempts are silent; 0: to any session. */
uint64_t attempt_needs_life_since(const struct attempt *attempt, uint64_t now_ms);
/* When a session of the same ask was lost last; 0: never. */
uint64_t attempt_lost_ms(const struct attempt *attempt);
/* The outcome of an attempt that its server refused with this error, without processing it: the same server may get the
 * query once more. */
enum outcome attempt_refused(const struct attempt *attempt, int error);
void ask_look_due(struct timeout *timeout);
/* The session of this attempt is silent or suspect. The attempt stays on it. */
void ask_session_silent(struct attempt *attempt);

/* --- upstream.c: attempts, and the state of servers for asks --- */

/* Makes an idle attempt live. Never calls back before it returns. */
void attempt_send(struct group *group, struct attempt *attempt);
/* Puts an idle attempt, which belongs to no ask, on this open session. */
void attempt_send_on(struct session *session, struct attempt *attempt);
/* Ends a live attempt without `done`; its id stays reserved until its response has come. Does nothing to an idle
 * one. */
void attempt_cancel(struct attempt *attempt);
/* Ends a live attempt with `done`. */
void attempt_finish(struct attempt *attempt, enum outcome outcome, int status, struct answer *answer);
/* Puts the attempt on a session if one can take it and no other attempt waits, else into the waiting list. */
void attempt_wait(struct group *group, struct attempt *attempt);

/* If the machine was suspended, all sessions count as lost. */
void group_notice_sleep(struct group *group);

/* True if a server that the attempt need not avoid is up or may be dialled. */
bool pool_has_other(const struct attempt *attempt);
/* True if another upstream than this server's, or another server of a plain route, could take the query. */
bool upstream_has_other(const struct group *group, const struct server *server);
/* Another attempt was answered first: ends this one without `done`. If its session has received nothing since, the
 * session is suspect: no new attempt goes to it, and if it stays silent it ends with ERROR_SILENT. */
void upstream_overtaken(struct attempt *attempt);
/* The time in ms after which the response to this attempt is late for its server (while it waits: for a server with
 * an open session). */
uint64_t upstream_patience(const struct group *group, const struct attempt *attempt);
/* True if the server has answered an attempt that was sent later than this. */
bool upstream_answered_after(const struct server *server, uint64_t sent_ms);
/* The time in ms without a response after which to hedge: when the response is late, or, on a session that has
 * received no data since, overdue. If the hedge would have to wait for a dial, later by about the time of a dial. */
uint64_t upstream_hedge_after(const struct attempt *attempt);
/* True if an attempt may be sent beside this one: to another session of its server, or to another server. */
bool upstream_has_room_beside(const struct attempt *attempt);
/* True if its server has answered a query that was sent more than `later_ms` later: this one is slow, or lost. */
bool upstream_is_passed_over(const struct attempt *attempt, uint64_t later_ms);
/* True if the attempt was sent, and the peer has acknowledged all data of its session. */
bool upstream_is_acknowledged(const struct attempt *attempt);
/* True if the attempt's session is silent or suspect. */
bool upstream_is_on_silent(const struct attempt *attempt);
/* True if the attempt was lost together with others. */
bool upstream_is_lost(const struct attempt *attempt);
/* True if a hedge of this sent attempt may be sent although the server may just have fallen silent: a few may, or any
 * number if there is another server. */
bool upstream_may_probe(const struct attempt *attempt);
/* Such a hedge is sent. */
void upstream_note_probe(const struct attempt *attempt);
/* The latest failure and its server (NULL: none yet), for lookups without any attempt. */
int upstream_last_error(const struct group *group, const struct server **where);
/* The server failed to answer a query that another one then answered: after a few such failures in a row it is
 * used, for a while, only if no other server is available. */
void upstream_deprioritize(struct server *server);
/* The server gave a usable response. */
void upstream_note_useful(struct server *server);
/* True if, since an attempt was begun (and about when it was sent, or later), the server ended a session that other
 * queries shared, or several sessions of any kind: then the attempt's query need not have caused the end of its
 * session. Valid COINCIDENCE ms after that end. */
bool upstream_lost_others(const struct server *server, uint64_t asked_ms, uint64_t sent_ms);
/* The server responded REFUSED: under load its query rate is reduced. */
void upstream_refused(struct server *server);

/* --- report.c: where the time of an attempt went --- */

/* Splits the time from `from_ms` or from the beginning of the attempt, whichever is later, until now. The attempt
 * is live or has just ended. */
void attempt_report(const struct attempt *attempt, uint64_t from_ms, struct attempt_times *out);

#endif
