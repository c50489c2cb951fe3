/* SPDX-License-Identifier: MIT */
/* An ask: all attempts of one lookup.
 *
 * Does:    sends the first attempt, retries failed ones, hedges late ones within a budget, isolates attempts whose
 *          query may end sessions; derives the servers and sessions to avoid from the history of attempts.
 * Owns:    its attempts. The ask is in its owner's memory and must not move until it has ended. The owner holds the
 *          group's plan (upstream_hold) from before ask_start until it no longer needs a server of the ask.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_ASK_H
#define DOTSTUB_UPSTREAM_ASK_H

#include "upstream/attempt.h"

#define ASK_ATTEMPTS 12 /* per ask, at most */

/* An attempt that has ended; times in ms since the ask began. */
struct past_attempt {
    struct server *server; /* NULL: none */
    uint32_t asked, sent, ended;
    int16_t status;  /* 0 or the reason why it failed */
    uint8_t outcome; /* enum outcome */
};

struct ask {
    struct group *group;
    struct attempt attempts[2];     /* the live attempts; after the end the last ones */
    const struct attempt *answered; /* the attempt that brought the response; NULL: none */
    /* Runs until a live attempt is late, or until COINCIDENCE ms after a suspect's session was lost. */
    struct timeout look;
    uint64_t begun_ms;
    uint8_t state; /* see the state table in ask.c; 0: not begun, or ended */
    uint8_t row;   /* the row of the state table that led to `state` */
    uint8_t past_count;
    uint8_t paid;   /* retries that the budget paid */
    bool joined;    /* a client joined after the latest attempt was made */
    bool unchecked; /* of all attempts; set by the owner */
    /* Set by the owner; called at the end: `status` 0 and a response that is valid until the callback returns, or a
     * negative reason and NULL. The callback may free the ask. */
    void (*done)(struct ask *ask, int status, struct answer *answer);
    struct past_attempt past[ASK_ATTEMPTS]; /* last member: only `past_count` elements are initialized and read */
};

/* `ask` is all zero, except `unchecked`, `done` and `past`. Never calls back before it returns. */
void ask_start(struct ask *ask, struct group *group, const struct key *key);
/* Another client waits: its query causes another attempt if the earlier ones bring no response within a second of
 * being sent. The oldest attempt stays live, so the response of a slow server still counts. */
void ask_join(struct ask *ask);
/* The response of an ask that has ended is bogus: asks a server of another operator, once. False: there is none. Never
 * calls back before it returns. */
bool ask_elsewhere(struct ask *ask);
/* Ends a live ask without `done`. */
void ask_cancel(struct ask *ask);

/* The server that responded, else that of the last attempt; NULL: no attempt yet. */
const struct server *ask_server(const struct ask *ask);

/* Where the time of an attempt went, ms. */
struct attempt_times {
    /* No session could take the attempt and none was dialled: back-off, budget, or all sessions full. */
    uint64_t place;
    uint64_t connect, handshake; /* while sessions were dialled: TCP, TLS */
    uint64_t write;              /* on a session, until the query was written */
    uint64_t answer;             /* from sending the query to the response */
    const struct server *dialed; /* the server whose dials took most of that time; NULL: no dials */
};

enum ask_session { ASK_NO_SESSION, ASK_REUSED, ASK_OPENED, ASK_RESUMED /* opened, by ticket */ };

struct ask_report {
    unsigned attempts, session_losses;
    /* The next members describe the attempt that brought the response; without one the attempt that has been live
     * for the longest; else the latest one. */
    enum ask_session session;
    uint64_t begun_ms;
    struct attempt_times times;
    /* Why there is no response, as far as is known, and which server caused it (NULL: no single one). */
    int error;
    const struct server *where;
};
/* For an ask without a response: whether the key is the cause. */
enum ask_failure {
    ASK_UNREACHED,  /* no server could be reached */
    ASK_UNANSWERED, /* a server acknowledged the query and has answered nothing since: the server may be the cause */
    ASK_REJECTED,   /* the response was unusable, or the server answered later queries but not this one */
};
enum ask_failure ask_failure(const struct ask *ask);
/* Reports times after `from_ms`. */
void ask_report(const struct ask *ask, uint64_t from_ms, struct ask_report *out);

#endif
