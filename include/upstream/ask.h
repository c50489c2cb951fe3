/* SPDX-License-Identifier: MIT */
/* Asking a group for one key: all attempts of one lookup.
 *
 * Does:    makes the first attempt, retries what failed, hedges what is late, isolates what may end sessions, within a budget; says which
 *          servers and sessions the next attempt avoids, from the history of those before it.
 * Owns:    its attempts. It lies in its owner's memory and may not move until it is over. The owner holds the group's plan (upstream_hold) from
 *          before ask_start until it needs no server of the ask any more.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_ASK_H
#define DOTSTUB_UPSTREAM_ASK_H

#include "upstream/attempt.h"

#define ASK_ATTEMPTS 12 /* at most, in all */

/* One that is over; times in ms since the ask began. */
struct past_attempt {
    struct server *server; /* NULL: none */
    uint32_t asked, sent, ended;
    int16_t status;  /* 0 or the reason why it failed */
    uint8_t outcome; /* enum outcome */
};

struct ask {
    struct group *group;
    struct attempt attempts[2];     /* the live ones, and the last ones after the end */
    const struct attempt *answered; /* brought the response; NULL: none has */
    struct timeout look;            /* when a live attempt is late, or a suspect's session was lost long enough ago */
    uint64_t begun_ms;
    uint8_t state; /* see the state table in ask.c; 0: not begun, or over */
    uint8_t row;   /* of the state table: the transition that led there */
    uint8_t past_count;
    bool joined; /* a client joined after the latest attempt was made */
    /* Set by the owner. The end: `status` 0 and a response, borrowed until the return, or the reason why there is none and NULL. The owner
     * may free the ask from within. */
    void (*done)(struct ask *ask, int status, struct answer *answer);
    struct past_attempt past[ASK_ATTEMPTS]; /* last: only `past_count` of them are ever read */
};

/* `ask` is all zero, but for `done` and `past`. Never calls back before it returns. */
void ask_start(struct ask *ask, struct group *group, const struct key *key);
/* Another client waits: its query causes an attempt of its own if those before it bring no response within a second of being sent. The oldest
 * one stays live, so a slow server's response still counts. */
void ask_join(struct ask *ask);
/* Ends it without `done`, if it is under way. */
void ask_cancel(struct ask *ask);

/* The server that responded, else that of the last attempt; NULL: no attempt yet. */
const struct server *ask_server(const struct ask *ask);

/* Where the time of an attempt went, ms. */
struct attempt_times {
    uint64_t place; /* no session could take it and none was dialled: a back-off, a budget, all were full */
    uint64_t connect, handshake; /* while sessions were dialled: TCP, TLS */
    uint64_t write;              /* on a session, until the kernel took it */
    uint64_t answer;             /* under way */
    const struct server *dialed; /* by which most of that was spent; NULL: there was none */
};

enum ask_session { ASK_NO_SESSION, ASK_REUSED, ASK_OPENED, ASK_RESUMED /* opened, by ticket */ };

struct ask_report {
    unsigned attempts, session_losses;
    /* The attempt that brought the response, else the one that is live for the longest, else the latest: */
    enum ask_session session;
    uint64_t begun_ms;
    struct attempt_times times;
    /* Why there is no response, as far as is known, and whose fault it is (NULL: nobody's in particular). */
    int error;
    const struct server *where;
};
/* Of an ask without a response: a server was reached and failed this key. Its response was of no use, or it answered what was sent later
 * and not this. False: no server could be reached. */
bool ask_failed_for_key(const struct ask *ask);
/* Times count from `from_ms`. */
void ask_report(const struct ask *ask, uint64_t from_ms, struct ask_report *out);

#endif
