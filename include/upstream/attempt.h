/* SPDX-License-Identifier: MIT */
/* An attempt: one try at one server for one question.
 *
 * Does:    carries a key down to a session and the answer (or the reason why there is none) back up.
 * Owns:    nothing. It lies in a lookup's slot; while it is live the upstream floor has links to it, and the lookup may
 *          neither move nor free it. It ends with `done` or with attempt_cancel.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_ATTEMPT_H
#define DOTSTUB_UPSTREAM_ATTEMPT_H

#include "dns/edit.h"
#include "dns/message.h"
#include "net/loop.h"

struct group;
struct server;
struct session;

enum attempt_state {
    ATTEMPT_IDLE,    /* not live: never sent, done or cancelled */
    ATTEMPT_WAITING, /* live: no session can take it yet; in the group's list */
    ATTEMPT_QUEUED,  /* live: on a session, its frame leaves at the next flush */
    ATTEMPT_SENT,    /* live: on a session, under an id */
};

struct attempt {
    struct list_link link;  /* the group's waiting list, or its session's list */
    struct timeout timeout; /* runs while it is live */
    enum attempt_state state;
    const struct key *key;      /* borrowed from the lookup */
    uint64_t asked_ms, sent_ms; /* upstream_send; when it left after that, 0: it has not */
    uint64_t taken_ms;          /* when a session took it; before sent_ms only where the kernel took nothing */
    bool opened, resumed;       /* its session was opened while it waited; was resumed by ticket */
    uint16_t id;
    bool blamed;                   /* after its session died: it may have died of this question */
    uint64_t died_ms;              /* when it did; 0: none */
    bool without_edns;             /* set by the owner: ask without OPT */
    bool alone;                    /* set by the owner, while it is idle: on a session with nothing else on it */
    struct server *avoid_server;   /* set by the owner: not this server if there is another (that does not fail) */
    bool avoid_entry;              /* set by the owner: nor any other address of its upstream entry */
    struct session *avoid_session; /* set by the owner: not this session; compared, never followed */
    struct group *group;           /* while live */
    struct session *session;       /* while queued or sent */
    struct server *server;         /* that it went to last; stays after the end, as long as its owner holds the plan */
    /* The end. `status` 0: `answer` is walked, fits the key, and is borrowed until the return; negative: the reason, answer
     * NULL. The attempt is idle again: it may be sent again from within. */
    void (*done)(struct attempt *attempt, int status, struct answer *answer);
};

/* Ends a live attempt without `done`; the id stays reserved until its answer came. An idle one: does nothing. */
void attempt_cancel(struct attempt *attempt);

static inline bool attempt_live(const struct attempt *attempt)
{
    return attempt->state != ATTEMPT_IDLE;
}

#endif
