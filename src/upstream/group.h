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
#include "base/histogram.h"
#include "base/log.h"
#include "config/config.h"
#include "net/link.h"
#include "net/stream.h"
#include "ids.h"
#include "upstream/attempt.h"

/* Limits and times of the upstream side; milliseconds. */
enum {
    ATTEMPT_TIMEOUT = 10000, /* an answer that comes later than this is of no use even to the cache */
    DIAL_TIMEOUT = 4000,     /* connect and handshake together */
    DIAL_OVERLAP = 500,      /* a dial that hangs is overlapped by another to the same server after this */
    DIAL_STAGGER = 250,      /* RFC 8305 section 5: the next server is tried beside one that has not answered */
    BACKOFF_FIRST = 50,
    BACKOFF_MAX = 700,
    GRACE =
        1500, /* so long after the last success, the start or a change of the network, questions wait instead of failing */
    STARTING = 60000,       /* so long after its start a worker that has reached no server is only starting */
    STALL_TIMEOUT = 2000,   /* a partial frame that makes no progress for this long */
    SILENCE_MIN = 300,      /* a session that delivers nothing for 4 round trips, but at least and at most so long, */
    SILENCE_MAX = 1000,     /* while questions are under way, may be half open: see session_check */
    UNKNOWN_RTT_MS = 200,   /* what a server that never answered is thought to need */
    PATIENCE_UNKNOWN = 400, /* when to ask a second time while nothing is known of the server's times */
    PATIENCE_MIN = 10,
    SAMPLES = 64,            /* answer times that a server's quantiles are taken of */
    MEMORY_RETRY = 10,       /* what no memory was there for is tried again */
    ALLOWANCE_PROOF = 10,    /* a session that lives on for so long after its last answer was not closed by that */
    ALLOWANCE_DOUBLES = 250, /* an allowance that nothing confirms is worth twice as much after this */
    RETEST = 5000,           /* so often a server that failed and would be preferred is dialled beside the one in use */
    PROBES =
        2, /* second questions at a time to a server that answers nothing at all: more would be lost with the first ones */
    LOSS_SPAN = 100, /* ms: so close together were they sent, */
    LOSS_MIN = 5,    /* and so many at least are unanswered, if it was a loss and not slow names */
    ALONE_MAX = 32,  /* questions that must be alone, at a time: two sessions are through with them in a second or so */
    NOTICE_SPAN = 20,          /* ms: ends of the same moment are noticed within this */
    MANY_ENDS = 3,             /* so many at a time are no question's doing, whatever was on them */
    SESSION_BUSY = 512,        /* from here on a second session is worth its handshake */
    DISPROVED_MAX = 3,         /* so many failures in a row that others could answer, and a server is shunned for */
    SHUN_FIRST = 1000,         /* this long, doubled by each further one, */
    SHUN_MAX = 8000,           /* up to this */
    DIALS_NOTED = 16,          /* the latest dials of a group, for people */
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

/* What one upstream entry may be asked per second (max-qps); shared by its servers. */
struct budget {
    uint32_t limit, rate; /* questions a second: as configured (0: any number), and what the upstream bears now */
    uint64_t milli_tokens;
    uint64_t filled_ms, changed_ms;
    struct log_limit log_limit;
};

struct server {
    struct group *group;
    const struct config_upstream *entry; /* in its plan's config */
    bool left;                           /* the configuration names it no more */
    struct budget *budget;
    struct tls_trust *trust;
    struct tls_tickets tickets;
    struct addr addr;
    struct link_route route;                   /* the way to it, when the network was last looked at */
    struct list sessions[SESSION_CLOSING + 1]; /* by state; open: the newest used first */
    unsigned open, dialing;
    unsigned failures; /* failed dials, and sessions that ended before they answered anything, since the last answer */
    uint64_t retry_at_ms;  /* no dial before */
    unsigned allowance;    /* questions that a session gets before it has shown that it outlives them; 0: any number */
    uint64_t allowance_ms; /* when that was found */
    unsigned last_life;    /* answers of the session that ended last with questions on it */
    uint64_t answered_sent_ms; /* of all questions that it answered the latest was sent then */
    unsigned probes;           /* second questions asked of it since the last answer, */
    uint64_t probe_at_ms;      /* and when more may be */
    uint64_t lost_from_ms,
        lost_to_ms;         /* what was sent in between it lost: many at once, and it answered later ones; 0: nothing */
    uint64_t shared_end_ms; /* when the server last ended a session that was not held by one question; 0: never */
    uint64_t end_ms[MANY_ENDS]; /* when it ended the latest sessions and dials of any kind */
    unsigned ends;              /* of these, all that there ever were */
    unsigned disproved;         /* failures in a row that another entry knew an answer for */
    uint64_t shunned_until_ms;  /* for these: the others are asked first until then */
    uint64_t dialed_ms;         /* the latest dial */
    uint32_t rtt_ms16;          /* smoothed answer time in sixteenths of a millisecond; 0: unknown */
    uint64_t sampled_ms;        /* when it was last changed, */
    uint64_t recomputed_ms;     /* and the median and patience */
    uint16_t samples[SAMPLES];  /* the latest answer times, ms */
    unsigned sample_count;
    uint16_t median_ms, patience_ms;      /* of them; from them: when an answer is late. 0: unknown */
    uint64_t idle_limit_ms;               /* learned: the server closes a session that rests for so long; 0: unknown */
    uint64_t idle_closes[3];              /* after how long it did, the latest three times */
    unsigned idle_close_count, idle_good; /* idle_good: sessions since that we could end first */
    uint64_t asked_ms;                    /* the latest question; 0: none */
    uint64_t rest_ms;                     /* for how long the last session that rested was kept; 0: none was */
    uint8_t returns; /* one bit for each pause longer than that, the latest lowest: it was over before twice the time */
    struct log_limit log_limit;
    uint64_t failing_since_ms; /* 0: it is not; for people only, */
    bool told_failing;         /* who know of it */
    struct {                   /* for people only, see report.c */
        int last_error;
        uint64_t failed_ms, opened_ms, opened, resumed;
        struct tls_facts tls;
        struct histogram connect, handshake, answer; /* ms */
    } noted;
};

struct group_plan {
    struct list_link in_group;
    struct group *group; /* once it was applied */
    struct config *config;
    struct server **servers; /* owned; of a plan that was left: those that no later one has */
    size_t server_count;
    struct budget *budgets; /* one per upstream entry */
    unsigned lookups;       /* that were begun under it and live */
};

struct group {
    struct loop *loop;
    struct counters *counters;
    struct list plans;       /* the oldest first; the last one is */
    struct group_plan *plan; /* in force, and these are of it: */
    struct config *config;
    struct server **servers;
    size_t server_count;
    struct loop_flush flush;
    struct loop_tick tick;
    struct timeouts attempt_timeouts;
    struct list waiting; /* attempts without a session */
    struct list dirty;   /* sessions with questions to write */
    unsigned alone;      /* live attempts that must be alone */
    struct answer_scratch *scratch;
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
    struct list queued, sent; /* attempts */
    struct ids ids;           /* of those in `sent` */
    unsigned used;            /* attempts in both lists */
    unsigned given, answered; /* questions, in all */
    bool resumed;             /* by ticket */
    bool reserved;            /* holds a question that must be alone (it was outstanding at two deaths) */
    uint64_t created_ms, opened_ms, used_ms; /* used: last question or answer */
    uint64_t heard_ms;                       /* last message of any kind */
    uint64_t suspect_ms; /* a question sent then was answered elsewhere, and nothing was heard since; 0: none */
    uint64_t received_at_ms, received_seen; /* when stream.received last grew, and to what */
    uint64_t idle_ms;                       /* closed by us after this long without a question */
    struct link_route route;                /* the way to its server when it was dialled, then from its own address */
    bool tls12; /* its tickets could be linked to this network (RFC 8446 appendix C.4): not taken to another */
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
/* What a dial came to. */
void pool_dial_succeeded(struct server *server);
void pool_dial_failed(struct server *server, uint64_t begun_ms, int reason);
/* A session begun then was ended by the server before it answered any of the questions on it: no better than a failed dial. */
void pool_session_failed(struct server *server, uint64_t begun_ms, int reason);
/* The network works: questions wait again, for a while, when they cannot be sent. */
void pool_note_success(struct group *group);

/* --- session.c, session_watch.c: one connection --- */

/* Starts a dial; 0 or negative (nothing was begun). */
int session_dial(struct server *server) MUST_CHECK;
bool session_has_room(const struct session *session, const struct attempt *attempt);
/* Under suspicion, or mute: several questions wait for long and nothing comes at all. It may be half open, or just slow: new questions
 * are put elsewhere, those that are on it stay. */
bool session_is_silent(const struct session *session);
/* Silent; or late, for a second question (avoid_session): that is to tell a slow name from a silent session; or used before, for
 * one that must be alone: it may be about to end for another's sake. */
bool session_is_doubtful(const struct session *session, const struct attempt *attempt);
/* Nothing is on it, and it was not ended by what was on it last. */
bool session_has_outlived(const struct session *session);
/* It got as many questions as it is good for, as far as is known. Not if it answered far more, or all that it was given and lives on. */
bool session_is_spent(const struct session *session);
unsigned session_load(const struct session *session);
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

/* --- server.c: what is known of a server --- */

/* An answer took so long. `lost`: it did not come, another one was faster. */
void server_note_time(struct server *server, uint64_t took_ms, bool lost);
/* What an answer of it is likely to take, sixteenths of a millisecond; what is long past counts less. */
uint32_t server_expected(const struct server *server, uint64_t now_ms);
/* True if the attempt is one of many that the server lost, while it answered what was sent to it later. */
bool server_lost(struct server *server, const struct attempt *attempt);
/* How many questions a session of it gets before it has shown that it outlives them: a server may close each after a few. */
unsigned server_allowance(const struct server *server);
/* It ended a session that had been given so many questions and had answered so many. True: it ended the one before at the same number:
 * that is its way, no question's fault. */
bool server_note_early_end(struct server *server, unsigned given, unsigned answered);
/* A session outlived so many questions. */
void server_outlived(struct server *server, unsigned given);
/* Takes one question off the entry's budget; false: nothing left, see budget_wait. */
bool budget_take(struct server *server);
bool budget_has(struct server *server);
/* ms until there will be one again. */
uint64_t budget_wait(const struct server *server);
/* The upstream refuses under load: half the rate from now on, at most once a second; it recovers by a tenth each second. */
void budget_halve(struct server *server);
/* How long a session of it may rest before we end it: a little less than the server would. */
uint64_t server_idle_limit(const struct server *server, uint64_t told_ms);
/* The server ended a session (cleanly) that had rested so long; we ended one first. */
void server_note_idle_close(struct server *server, uint64_t rested_ms);
void server_note_idle_end(struct server *server);
/* A question is put on a session of it. */
void server_note_question(struct server *server);
/* A session that had been of use ended after a rest of so long. True: as things were lately, the next question will come before
 * another one opened now would end, and not have to wait for it. */
bool server_note_rest(struct server *server, uint64_t rest_ms);
/* How long a session of it may be silent while questions are under way, ms. */
uint64_t server_silence(const struct server *server);

/* --- network.c --- */

/* Looks up the way to the server; true if it is another than it was. */
bool server_find_way(struct server *server);

/* If the machine slept meanwhile, every session is taken for dead. */
void group_notice_sleep(struct group *group);

/* --- plan.c --- */

/* Frees the plans that were left and that nobody needs any more. */
void group_end_plans(struct group *group);

/* --- news.c: state changes, a line each --- */

enum machine_news { NEWS_NETWORK, NEWS_SLEEP, NEWS_CLOCK };
void news_opened(const struct server *server, const struct tls_facts *facts);
/* `what`: half a sentence, to which the server's name is the end. */
void news_failed(struct server *server, const char *what, int reason);
void news_answers(struct server *server);
void news_throttled(struct server *server);
void news_of_machine(struct group *group, enum machine_news news);

/* --- report.c: what is told of a server --- */

/* A dial came to its end, good or bad; a session was opened; an answer took so long; the server failed. */
void report_note_dial(const struct session *session);
void report_note_opened(struct server *server, const struct tls_facts *facts);
void report_note_answer(struct server *server, uint64_t took_ms);
void report_note_failed(struct server *server, int reason);
/* The server is about to go. */
void report_forget(struct group *group, const struct server *server);

/* --- upstream.c --- */
void attempt_finish(struct attempt *attempt, int status, struct answer *answer);
void attempt_wait(struct group *group, struct attempt *attempt);

#endif
