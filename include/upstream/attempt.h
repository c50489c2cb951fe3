/* SPDX-License-Identifier: MIT */
/* An attempt: one transmission of a lookup to one server.
 *
 * Does:    carries a key to a session, and the response or an error back.
 * Owns:    nothing. An attempt is a member of its ask; while it is live the upstream layer refers to it, and it
 *          must neither move nor be freed. It ends with `done` or with attempt_cancel.
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
    OUTCOME_NONE,           /* no outcome yet */
    OUTCOME_DROPPED,        /* no response yet; the server dropped the query together with others, see losses.h */
    OUTCOME_RESPONSE,       /* a response that can be given to clients */
    OUTCOME_FAILURE,        /* SERVFAIL, REFUSED or NOTIMP; another upstream may answer */
    OUTCOME_UNUSABLE,       /* malformed, truncated, or an RCODE that concerns our message */
    OUTCOME_NO_EDNS,        /* an error to a query with an OPT that may be due to the OPT, see upstream/edns.h */
    OUTCOME_FORMERR,        /* FORMERR to a query without an OPT */
    OUTCOME_LOST,           /* its session ended, maybe because of this query */
    OUTCOME_LOST_EXPLAINED, /* its session ended because of a known limit of the server */
    OUTCOME_LOST_ISOLATED,  /* its session ended, with no other query on it */
    OUTCOME_SILENT,         /* we ended its session, because the server was silent */
    OUTCOME_TIMEOUT,        /* no response came in ATTEMPT_TIMEOUT */
    OUTCOME_UNSENT,         /* no session was available */
    OUTCOME_BOGUS,          /* the owner found the response bogus; another operator may be honest */
    OUTCOME_GIVEN_UP,       /* by us, for another attempt or because no waiter is left */
    OUTCOMES,
};

struct attempt {
    struct list_link link;  /* the group's waiting list, or its session's list */
    struct timeout timeout; /* runs while it is live */
    enum attempt_state state;
    enum outcome outcome;       /* of the latest transmission */
    const struct key *key;      /* borrowed from the lookup */
    struct ask *ask;            /* its history determines which servers and sessions to avoid; NULL: none */
    uint64_t asked_ms, sent_ms; /* when attempt_send was called; when it was written, 0: not yet */
    uint64_t taken_ms;    /* when it was put on a session; earlier than sent_ms only if the kernel's buffer was full */
    bool opened, resumed; /* its session was opened while it waited; its session was resumed by ticket */
    bool isolated;        /* set by the owner while the attempt is idle: it gets a session without other attempts */
    /* Set by the owner: another attempt is live, on a session that is not silent. If this one is not answered, its name
     * may be slow; that says little of its session. */
    bool hedge;
    /* Set by the owner, or by a session whose server does not support EDNS: the query has no OPT. */
    bool without_edns;
    bool unchecked; /* set by the owner: the upstream is not to validate (CD) */
    uint16_t id;
    struct group *group;     /* while live */
    struct session *session; /* while queued or sent */
    void *in_transport;      /* the transport's own, while sent */
    /* The server it was last sent to; valid after the end as long as the owner holds the plan. */
    struct server *server;
    /* Called at the end. `status` 0: `answer` is walked, matches the key, and is valid until the callback returns;
     * negative: the reason, and `answer` is NULL. The attempt is idle again: the callback may send it again. */
    void (*done)(struct attempt *attempt, int status, struct answer *answer);
};

static inline bool attempt_live(const struct attempt *attempt)
{
    return attempt->state != ATTEMPT_IDLE;
}

#endif
