/* SPDX-License-Identifier: MIT */
/* The insides shared by the files of upstream/: a group, its servers, their sessions.
 *
 *   plan     the servers of one configuration
 *   group    what attempts are sent to: a list of those that wait for a session, and a connector that goes on dialling
 *            while there are any
 *   server   one address of one upstream entry: health, tickets, sessions by state
 *   session  one connection: ids, frames, the attempts on it
 */
#ifndef DOTSTUB_UPSTREAM_GROUP_H
#define DOTSTUB_UPSTREAM_GROUP_H

#include "base/counters.h"
#include "config/config.h"
#include "net/link.h"
#include "net/stream.h"
#include "allowance.h"
#include "backoff.h"
#include "budget.h"
#include "edns.h"
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
    ATTEMPT_TIMEOUT = 10000, /* an answer that comes later than this is of no use even to the cache */
    DIAL_TIMEOUT = 4000,     /* connect and handshake together */
    DIAL_OVERLAP = 500,      /* a dial that hangs is overlapped by another to the same server after this */
    DIAL_STAGGER = 250,      /* RFC 8305 section 5: the next server is tried beside one that has not answered */
    GRACE =
        1500, /* so long after the last success, the start or a change of the network, questions wait instead of failing */
    STARTING = 60000,     /* so long after its start a worker that has reached no server is only starting */
    STALL_TIMEOUT = 2000, /* a partial frame that makes no progress for this long */
    MEMORY_RETRY = 10,    /* what no memory was there for is tried again */
    RETEST = 5000,        /* so often a server that failed and would be preferred is dialled beside the one in use */
    ISOLATED_MAX = 32,    /* isolated attempts at a time: two sessions are through with them in a second or so */
    COINCIDENCE = 150,    /* ms after the end of a session it is known whether others ended with it */
    ASK_LOOKS = 14,       /* lengths of the timeouts of asks: a few constant ones, so that each stays a FIFO */
    SESSION_BUSY = 512,   /* from here on a second session is worth its handshake */
    DIALS_NOTED = 16,     /* the latest dials of a group, for people */
    SESSION_TOMBSTONES = 1024, /* more of these retire the session */
};

enum session_state {
    SESSION_DIALING,  /* connect or handshake under way; no attempt on it */
    SESSION_OPEN,     /* takes questions */
    SESSION_RETIRING, /* takes no more; ends when its last question is answered */
    SESSION_CLOSING,  /* waits for its handle; no attempt on it */
};

/* A dial that is over, for people. */
struct dial {
    const struct server *server;               /* NULL: it is gone */
    uint64_t begun_ms, connected_ms, ended_ms; /* connected: TCP, 0: it never was */
};

/* The knowledge about a server is split into parts that know neither a group nor a session: each its own struct and file. */
struct server {
    struct group *group;
    const struct config_upstream *entry; /* in its plan's config */
    bool left;                           /* the configuration names it no more */
    const struct transport *transport;
    void *transport_state; /* the transport's own */
    struct addr addr;
    struct link_route route;                   /* the way to it, when the network was last looked at */
    struct list sessions[SESSION_CLOSING + 1]; /* by state; open: the newest used first */
    unsigned open, dialing;
    uint64_t dialed_ms;    /* the latest dial */
    struct budget *budget; /* its upstream's, in its plan */
    struct rtt rtt;
    struct backoff backoff;
    struct allowance allowance;
    struct idle idle;
    struct losses losses;
    struct edns edns;
    struct priority priority;
    struct notes notes;
};

struct group_plan {
    struct list_link in_group;
    struct group *group;   /* once it was applied */
    const char *name;      /* of the group */
    uint32_t id;           /* of its definition */
    unsigned redefined;    /* group->redefined, when the plan came into force */
    struct config *config; /* that the name and the upstreams lie in */
    const struct config_upstream *upstreams;
    size_t upstream_count;
    struct server **servers; /* owned; of a plan that was left: those that no later one has */
    size_t server_count;
    struct budget *budgets; /* one per upstream entry */
    unsigned lookups;       /* that were begun under it and live */
};

struct attempt_times; /* upstream/ask.h */

struct group {
    struct loop *loop; /* NULL: not begun */
    struct counters *counters;
    struct list plans;       /* the oldest first; the last one is */
    struct group_plan *plan; /* in force, and these are of it: */
    struct config *config;
    struct server **servers;
    size_t server_count;
    unsigned redefined;          /* how often another definition came into force */
    struct loop_flush *leaving;  /* no route leads to it: to run when it may be idle; NULL: one does */
    struct list_link in_leaving; /* the worker's groups that no route leads to */
    struct loop_flush flush;
    struct loop_tick tick;
    struct timeouts attempt_timeouts;
    struct list waiting;              /* attempts without a session */
    struct list dirty;                /* sessions with questions to write */
    unsigned isolated;                /* live attempts that are */
    unsigned hedge_debt;              /* in hundredths of a hedge: spent and not yet earned again */
    struct timeouts looks[ASK_LOOKS]; /* of asks, by length */
    struct answer_scratch *scratch;   /* of all groups of the worker */
    struct rewrite *rewrite;          /* likewise; responses that had to be tidied lie in it until they are delivered */
    uint64_t grace_until_ms;
    uint64_t begun_ms;
    bool reached;      /* a server has answered since then */
    uint64_t slept_ms; /* how long the machine had slept when we last looked */
    int last_error;
    struct server *last_failed;     /* where that was; NULL: nowhere */
    size_t sessions;                /* in any state */
    struct dial dials[DIALS_NOTED]; /* the latest that are over */
    unsigned dial_count;            /* all that there ever were */
    struct tap_queue *tap;          /* NULL: nobody wants copies of messages */
    bool connect_due;               /* pool_connect was asked for; done at the next flush */
    bool stopping;
    void (*closed)(void *context);
    void *closed_context;
};

struct session {
    struct stream stream;
    struct server *server;
    struct list_link in_state; /* server->sessions[state] */
    struct list_link in_dirty; /* group->dirty */
    enum session_state state;
    struct list queued, sent;                /* attempts */
    struct ids ids;                          /* of those in `sent` */
    unsigned used;                           /* attempts in both lists */
    unsigned given, answered;                /* questions, in all */
    bool resumed;                            /* by ticket */
    bool early;                              /* verified by a clock that may be behind */
    unsigned offered;                        /* the transport's own: what it offered the server */
    bool reserved;                           /* holds an isolated attempt */
    uint64_t created_ms, opened_ms, used_ms; /* used: last question or answer */
    uint64_t heard_ms;                       /* last message of any kind */
    uint64_t suspect_ms; /* a question sent then was answered elsewhere, and nothing was heard since; 0: none */
    struct silence silence;
    uint8_t
        rescued; /* since it was last heard its attempts were rescued: 1, because it is silent; 2, because it is suspect */
    uint64_t received_at_ms, received_seen; /* when stream.received last grew, and to what */
    uint64_t ack_ms;                        /* see session_acknowledge */
    uint64_t idle_ms;                       /* closed by us after this long without a question */
    struct link_route route;                /* the way to its server when it was dialled, then from its own address */
};

/* --- pool.c: which session; dialling --- */

/* Puts an attempt on the best session that can take it; false: there is none. */
bool pool_place(struct group *group, struct attempt *attempt);
/* Attempts may be waiting and something changed: asks for pool_run at the next flush. Nobody is called back from here, so it is safe at any time. */
void pool_connect(struct group *group);
/* Gives waiting attempts to sessions with room; dials while some are left; fails them when nothing is left to try. */
void pool_run(struct group *group);
/* Opens a session that no question waits for, if there is none. */
void pool_open_ahead(struct server *server);
/* The outcome of a dial. */
void pool_dial_succeeded(struct server *server);
void pool_dial_failed(struct server *server, uint64_t begun_ms, int reason);
/* A session begun then was ended by the server before it answered any of the questions on it: no better than a failed dial. */
void pool_session_failed(struct server *server, uint64_t begun_ms, int reason);
/* The network works: questions wait again, for a while, when they cannot be sent. */
void pool_note_success(struct group *group);

/* --- transport/session.c, transport/session_watch.c: sessions over a stream. All but transports call the functions of
 * server->transport through it --- */

/* Starts a dial over a stream of this form; 0 or negative (nothing was begun). `offered`: see struct session. */
int session_dial(struct server *server, const struct stream_form *form, unsigned offered) MUST_CHECK;
/* Since when it should have been heard: the oldest query under way, or the one that was answered elsewhere. 0: not at all. */
uint64_t session_silent_since(const struct session *session);
/* Several responses are overdue, and nothing has arrived meanwhile. Not of one that has answered nothing yet, unless it was resumed: where
 * the server itself is silent, one session after the other would be opened. */
bool session_is_silent(const struct session *session, uint64_t now_ms);
/* It was heard or opened since, or dialled then or later. */
bool session_lives_since(const struct session *session, uint64_t ms);
/* Nothing is on it, and it was not ended by what was on it last. */
bool session_has_outlived(const struct session *session, uint64_t now_ms);
/* How many attempts on its session were sent at about the same time as this one, it included; a few more than LOSS_MIN at most. */
unsigned session_count_near(const struct attempt *attempt);
/* Puts an attempt on an open session that has room. */
void session_take(struct session *session, struct attempt *attempt);
/* Takes it off again; a sent one leaves a tombstone. */
void session_forget(struct session *session, struct attempt *attempt);
/* Writes queued questions. */
void session_flush(struct session *session);
/* Takes no more questions; closes when nothing is under way. */
void session_retire(struct session *session);
void session_close(struct session *session, int reason);
/* Idle, stalled or hanging: closes it. Gives the session's next deadline. */
uint64_t session_check(struct session *session, uint64_t now_ms);

/* Nothing more is asked on it until it is heard again: a question sent at `sent_ms` was answered elsewhere. */
void session_suspect(struct session *session, uint64_t sent_ms);

/* --- network.c --- */

/* Looks up the way to the server; true if it is another than it was. */
bool server_find_way(struct server *server);

/* --- plan.c --- */

/* Gives a new server its transport. 0 or -ENOMEM. */
int server_prepare(struct server *server, const struct transport *transport, struct tls_trust *trust) MUST_CHECK;
/* Frees the plans that were left and that nobody needs any more. */
void group_end_plans(struct group *group);

/* --- events.c: a log line for each change of state --- */

enum machine_event { EVENT_NETWORK, EVENT_SLEEP, EVENT_CLOCK };
/* `words`: the negotiated parameters. */
void event_opened(const struct server *server, const char *words);
/* Also records the failure. `what`: the beginning of a sentence that ends with the server's name. */
void event_failed(struct server *server, const char *what, int reason);
void event_answers(struct server *server);
void event_throttled(struct server *server);
void event_machine(struct group *group, enum machine_event event);

/* --- report.c: what is told of a server --- */

/* A dial came to its end, good or bad. */
void report_note_dial(const struct session *session);
/* The server is about to go. */
void report_forget(struct group *group, const struct server *server);

/* --- ask.c: what an attempt avoids, from the history of its ask --- */

/* Not this server if there is another that can be asked. */
bool attempt_avoids_server(const struct attempt *attempt, const struct server *server);
/* The other live attempt of its ask, whose session it avoids; NULL: not a hedge. */
const struct attempt *attempt_beside(const struct attempt *attempt);
/* It avoids nothing. */
bool attempt_goes_anywhere(const struct attempt *attempt);
/* It may only go to sessions that have received data since this moment, because those of the other attempts are silent; 0: to any. */
uint64_t attempt_needs_life_since(const struct attempt *attempt, uint64_t now_ms);
/* When a session of its ask ended last; 0: never. */
uint64_t attempt_lost_ms(const struct attempt *attempt);
void ask_look_due(struct timeout *timeout);
/* The session of this attempt is silent or suspect. The attempt stays on it. */
void ask_session_silent(struct attempt *attempt);

/* --- upstream.c: attempts, and the state of servers for asks --- */

/* Makes an idle attempt live. Never calls back before it returns. */
void attempt_send(struct group *group, struct attempt *attempt);
/* Ends a live attempt without `done`; the id stays reserved until its answer came. An idle one: does nothing. */
void attempt_cancel(struct attempt *attempt);
/* Ends a live attempt with `done`. */
void attempt_finish(struct attempt *attempt, enum outcome outcome, int status, struct answer *answer);
/* To a session if one can take it and nobody waits already, else into the waiting list. */
void attempt_wait(struct group *group, struct attempt *attempt);

/* If the machine slept meanwhile, every session is taken for dead. */
void group_notice_sleep(struct group *group);

/* True if an upstream entry other than this server's could be asked instead. */
bool upstream_has_other(const struct group *group, const struct server *server);
/* For a question that was answered elsewhere meanwhile: ends this attempt without `done`. If its session has delivered nothing
 * since, it is under suspicion: nothing more is asked on it, and if it stays silent it ends with ERROR_SILENT. */
void upstream_overtaken(struct attempt *attempt);
/* How long, in ms, an answer to this attempt may take before it is late for its server (or for one that is open, while it waits). */
uint64_t upstream_patience(const struct group *group, const struct attempt *attempt);
/* The server has answered an attempt that was sent later than this. */
bool upstream_answered_after(const struct server *server, uint64_t sent_ms);
/* After how many ms without a response a hedge is worth it: once the response is late, or overdue on a session on which nothing has arrived
 * since. Where the hedge would have to wait for a dial, later by about the time that takes. */
uint64_t upstream_hedge_after(const struct attempt *attempt);
/* True if its server has answered a question that was sent more than so much later: this one is slow, or lost. */
bool upstream_is_passed_over(const struct attempt *attempt, uint64_t later_ms);
/* True if its session is silent or suspect. */
bool upstream_is_on_silent(const struct attempt *attempt);
/* True if it was lost together with others. */
bool upstream_is_lost(const struct attempt *attempt);
/* Its server may just have fallen silent: is a hedge worth it? A few are, or any number if there is another server. */
bool upstream_may_probe(const struct attempt *attempt);
/* The last failure and its server (NULL: none yet), for lookups without any attempt. */
int upstream_last_error(const struct group *group, const struct server **where);
/* The server failed to answer what another one then answered: after a few in a row it is asked only where no other can be, for a while. */
void upstream_deprioritize(struct server *server);
/* The server's answer was of use. */
void upstream_note_useful(struct server *server);
/* Since an attempt was begun (and about when it was sent, or later) the server ended a session that other questions shared, or several
 * of any kind: the end of its own need not be its fault. That is known COINCIDENCE ms after it. */
bool upstream_lost_others(const struct server *server, uint64_t asked_ms, uint64_t sent_ms);
/* The server said REFUSED: under load it is asked less. */
void upstream_refused(struct server *server);

/* --- report.c: where the time of an attempt went --- */

/* From `from_ms` or its beginning, whichever was later, until now: all of that time. Of a live attempt or of one that has just ended. */
void attempt_report(const struct attempt *attempt, uint64_t from_ms, struct attempt_times *out);

#endif
