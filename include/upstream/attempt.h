/* SPDX-License-Identifier: MIT */
/* An attempt: one transmission of a lookup to one server.
 *
 * Does:    carries a key down to a session, and the response (or the reason why there is none) back up.
 * Owns:    nothing. It lies in an ask's slot; while it is live the upstream layer has links to it, and it may neither move nor be freed.
 *          It ends with `done` or with attempt_cancel.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_ATTEMPT_H
#define DOTSTUB_UPSTREAM_ATTEMPT_H

#include "dns/edit.h"
#include "dns/message.h"
#include "net/loop.h"

struct ask;
struct group;
struct server;
struct session;

enum attempt_state {
    ATTEMPT_IDLE,    /* not live: never sent, done or cancelled */
    ATTEMPT_WAITING, /* live: no session can take it yet; in the group's list */
    ATTEMPT_QUEUED,  /* live: on a session, its frame leaves at the next flush */
    ATTEMPT_SENT,    /* live: on a session, under an id */
};

/* The outcome of an attempt. */
enum outcome {
    OUTCOME_NONE,           /* nothing yet */
    OUTCOME_DROPPED,        /* nothing yet, but the server dropped it together with others: see losses */
    OUTCOME_RESPONSE,       /* a response that can be given to clients */
    OUTCOME_FAILURE,        /* SERVFAIL, REFUSED or NOTIMP; another upstream may know better */
    OUTCOME_UNUSABLE,       /* malformed, truncated, or an RCODE that is about our message */
    OUTCOME_NO_EDNS,        /* an error to a query with an OPT that may be due to the OPT, see upstream/edns.h */
    OUTCOME_FORMERR,        /* FORMERR to a query without one */
    OUTCOME_LOST,           /* its session ended, maybe because of this query */
    OUTCOME_LOST_EXPLAINED, /* its session ended as the server's sessions do */
    OUTCOME_LOST_ISOLATED,  /* its session ended, with no other query on it */
    OUTCOME_SILENT,         /* we ended its session, because the server was silent */
    OUTCOME_TIMEOUT,        /* no response came in ATTEMPT_TIMEOUT */
    OUTCOME_UNSENT,         /* no session could be had */
    OUTCOME_GIVEN_UP,       /* by us, for another attempt or because nobody wants the response */
    OUTCOMES,
};

struct attempt {
    struct list_link link;  /* the group's waiting list, or its session's list */
    struct timeout timeout; /* runs while it is live */
    enum attempt_state state;
    enum outcome outcome;       /* of the latest transmission */
    const struct key *key;      /* borrowed from the lookup */
    struct ask *ask;            /* whose history says which servers and sessions to avoid; NULL: none to avoid */
    uint64_t asked_ms, sent_ms; /* attempt_send; when it left after that, 0: it has not */
    uint64_t taken_ms;          /* when a session took it; before sent_ms only where the kernel took nothing */
    bool opened, resumed;       /* its session was opened while it waited; was resumed by ticket */
    bool isolated;              /* set by the owner, while it is idle: on a session with nothing else on it */
    bool without_edns;          /* set by the owner, and by a session whose server does not understand it: no OPT */
    uint16_t id;
    struct group *group;     /* while live */
    struct session *session; /* while queued or sent */
    struct server *server;   /* that it went to last; stays after the end, as long as its owner holds the plan */
    /* The end. `status` 0: `answer` is walked, fits the key, and is borrowed until the return; negative: the reason, answer
     * NULL. The attempt is idle again: it may be sent again from within. */
    void (*done)(struct attempt *attempt, int status, struct answer *answer);
};

static inline bool attempt_live(const struct attempt *attempt)
{
    return attempt->state != ATTEMPT_IDLE;
}

#endif
